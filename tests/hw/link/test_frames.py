# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from firmware.link import crc16
from hw.link.frame_receiver import FrameReceiver
from hw.link.frame_sender import FrameSender
from tests.hw.refused import refused
from tests.hw.streams import get, put, run, take_all


def whole(body, *, kind=1, sequence=2, length=None):
    """Bytes of a frame with its CRC."""
    length = len(body) if length is None else length
    message = bytes([kind, sequence]) + length.to_bytes(2, "little") + body
    return message + crc16(message).to_bytes(2, "big")


def received(parts, *, depth=256, stall=0.0, pause=520):
    """What comes out, whole frames, and how often each error was seen.

    A part is (bytes of a frame, whether it was cut).
    """
    dut = FrameReceiver(depth=depth)
    frames, current, errors, overruns = [], bytearray(), [], []

    async def source(ctx):
        for message, cut in parts:
            beats = [{"data": byte, "end": 0, "cut": 0} for byte in message]
            beats.append({"data": 0, "end": 1, "cut": cut})
            await put(ctx, dut.i, beats, random.Random(1), stall)
            await ctx.tick().repeat(pause)
        await ctx.tick().repeat(3 * depth)

    def take(beat):
        current.append(beat.data)
        if beat.last:
            frames.append(bytes(current))
            current.clear()

    async def sink(ctx):
        await take_all(ctx, dut.o, take, random.Random(2), stall)

    async def notice(ctx):
        async for _, _, error, overrun in ctx.tick().sample(dut.frame_error, dut.overrun):
            errors.append(error)
            overruns.append(overrun)

    run(dut, source, background=[sink, notice], outputs=[dut.o])
    assert not current
    return frames, sum(errors), sum(overruns)


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_good_frames_come_out_without_crc(stall):
    rng = random.Random(3)
    # Far more bytes than the ring has: the pointers wrap around several times.
    frames = [whole(rng.randbytes(size)) for size in [0, 1, 2, 250, 249, 0, 30, 30, 100, 250]]
    out, errors, overruns = received([(frame, 0) for frame in frames], stall=stall)
    assert out == [frame[:-2] for frame in frames]
    assert (errors, overruns) == (0, 0)


def test_bad_frames_vanish_and_good_ones_between_them_stay():
    good = whole(b"good")
    flipped = bytearray(whole(b"flipped"))
    bad = []
    for place in range(len(flipped)):
        for bit in (0, 5):
            other = bytearray(flipped)
            other[place] ^= 1 << bit
            bad.append((bytes(other), 0))
    bad += [
        (whole(b"cut"), 1),
        (whole(b"longer", length=5), 0),
        (whole(b"shorter", length=8), 0),
        (whole(b"far too long", length=0x400C), 0),
        (b"", 0),
        (b"\x01", 0),
        (b"\x01\x02\x00\x00", 0),
        (b"\x01\x02\x00\x00\xff", 0),
        (crc16(b"").to_bytes(2, "big"), 0),
    ]
    parts = []
    for part in bad:
        parts += [part, (good, 0)]
    out, errors, overruns = received(parts, pause=40)
    assert out == [good[:-2]] * len(bad)
    assert (errors, overruns) == (len(bad), 0)


def test_a_frame_that_is_too_long_is_lost_and_the_next_arrives():
    parts = [(whole(bytes(251)), 0), (whole(b"next"), 0), (whole(bytes(500)), 0), (whole(b""), 0)]
    out, errors, overruns = received(parts)
    assert out == [whole(b"next")[:-2], whole(b"")[:-2]]
    assert (errors, overruns) == (0, 2)


def test_frames_wait_for_each_other_as_long_as_there_is_room():
    dut = FrameReceiver(depth=256)
    frames = [whole(b"12"), whole(b"3"), whole(b""), whole(bytes(240))]
    taken = []

    async def bench(ctx):
        for frame in frames:
            beats = [{"data": byte, "end": 0, "cut": 0} for byte in frame]
            await put(ctx, dut.i, [*beats, {"data": 0, "end": 1, "cut": 0}], random.Random(1), 0)
        await ctx.tick().repeat(20)
        taken.extend(await get_beats(ctx, dut.o, sum(len(frame) - 2 for frame in frames[:3])))
        assert not ctx.get(dut.o.valid)

    run(dut, bench)
    assert bytes(data for data, _ in taken) == b"".join(frame[:-2] for frame in frames[:3])
    assert sum(last for _, last in taken) == 3


async def get_beats(ctx, stream, count):
    return [(beat["data"], beat["last"]) for _, beat in await get(ctx, stream, count, random, 0)]


@pytest.mark.parametrize("depth", [0, 128, 300, 1023])
def test_depths_that_cannot_be(depth):
    text = refused(FrameReceiver, ValueError, depth=depth)
    assert text == f"Depth must be a power of two of at least 256, not {depth}"


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_sender_appends_the_crc(stall):
    dut = FrameSender()
    rng = random.Random(4)
    messages = [b"123456789", b"\0", *(rng.randbytes(rng.randint(1, 30)) for _ in range(8))]
    assert crc16(b"123456789") == 0x29B1  # check value of CRC-16/IBM-3740
    taken = []

    async def source(ctx):
        for message in messages:
            beats = [
                {"data": byte, "last": place == len(message) - 1}
                for place, byte in enumerate(message)
            ]
            await put(ctx, dut.i, beats, random.Random(1), stall)

    async def sink(ctx):
        count = sum(len(message) + 2 for message in messages)
        taken.extend(await get(ctx, dut.o, count, random.Random(2), stall))

    run(dut, source, sink, outputs=[dut.o])
    expected = []
    for message in messages:
        framed = message + crc16(message).to_bytes(2, "big")
        expected += [(byte, int(place == len(framed) - 1)) for place, byte in enumerate(framed)]
    assert [(beat["data"], beat["last"]) for _, beat in taken] == expected
