# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from firmware.link import cobs_decode, cobs_encode
from hw.link.cobs_decoder import CobsDecoder
from hw.link.cobs_encoder import CobsEncoder
from hw.link.packets import reply_depth
from tests.hw.designs import two_layers
from tests.hw.refused import refused
from tests.hw.streams import put, run, take_all

MESSAGES = [
    b"\0",
    b"\0\0",
    b"a",
    b"a\0",
    b"\0a",
    bytes(range(256)),
    b"x" * 253,
    b"x" * 254,
    b"x" * 255,
    b"x" * 254 + b"\0",
    b"x" * 253 + b"\0y",
    b"x" * 508,
    b"x" * 600 + b"\0" * 3 + b"y" * 300,
    bytes(300),
]


def random_messages(seed):
    rng = random.Random(seed)
    return [
        bytes(rng.choices(range(rng.choice([2, 256])), k=rng.randint(1, 300))) for _ in range(6)
    ]


def decoded(line, *, stall=0.0):
    """What the decoder makes of a line: messages, None for a cut one."""
    dut = CobsDecoder()
    messages, current = [], bytearray()

    async def source(ctx):
        await put(ctx, dut.i, line, random.Random(1), stall)

    def take(beat):
        if beat.end:
            messages.append(None if beat.cut else bytes(current))
            current.clear()
        else:
            current.append(beat.data)

    async def sink(ctx):
        await take_all(ctx, dut.o, take, random.Random(2), stall)

    run(dut, source, background=[sink], outputs=[dut.o])
    return messages


def encoded(messages, *, stall=0.0, whole_frames=False):
    """The line that the encoder makes of messages."""
    dut = CobsEncoder(whole_frames=whole_frames)
    line = bytearray()

    async def source(ctx):
        for message in messages:
            beats = [{"data": byte, "last": 0} for byte in message]
            beats[-1]["last"] = 1
            await put(ctx, dut.i, beats, random.Random(1), stall)
        for _ in range(4):  # until the line is quiet
            await ctx.tick().repeat(600)

    async def sink(ctx):
        await take_all(ctx, dut.o, line.append, random.Random(2), stall)

    run(dut, source, background=[sink], outputs=[dut.o])
    return bytes(line)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_decoder_is_the_inverse_of_the_host(stall):
    messages = MESSAGES[:-2] + random_messages(1)
    line = b"".join(b"\0" + cobs_encode(message) + b"\0" for message in messages)
    assert decoded(line, stall=stall) == messages


@pytest.mark.parametrize("whole_frames", [False, True])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_encoder_is_the_inverse_of_the_host(stall, whole_frames):
    messages = MESSAGES + random_messages(2)
    parts = encoded(messages, stall=stall, whole_frames=whole_frames).split(b"\0")
    assert [cobs_decode(part) for part in parts if part] == messages
    assert parts[0] == parts[-1] == b""  # a zero before and behind


def test_decoder_ignores_empty_frames_and_recovers_from_cut_ones():
    line = b"\0\0\0\x05ab\0" + cobs_encode(b"good") + b"\0\0\x02\0" + cobs_encode(b"\0") + b"\0"
    assert decoded(line) == [None, b"good", None, b"\0"]


def out_cycles(message, *, stall, frames=2, depth=512):
    """Of each frame the cycle in which its last byte came in, and those in which bytes left."""
    dut = CobsEncoder(depth=depth, whole_frames=True)
    ends, leaving = [], []
    beats = [{"data": byte, "last": 0} for byte in message]
    beats[-1]["last"] = 1

    async def source(ctx):
        for _ in range(frames):
            await put(ctx, dut.i, beats, random.Random(1), stall)
            await ctx.tick().repeat(3 * len(message) + 20)

    async def note(ctx):
        ctx.set(dut.o.ready, 1)
        ticks = ctx.tick().sample(dut.i.valid & dut.i.ready & dut.i.p.last, dut.o.valid)
        cycle = 0
        async for _, _, ended, valid in ticks:
            cycle += 1
            if ended:
                ends.append(cycle)
            if valid:
                leaving.append(cycle)

    run(dut, source, background=[note])
    count = len(cobs_encode(message)) + 2
    return [(end, leaving[k * count : (k + 1) * count]) for k, end in enumerate(ends)]


# The longest code that fits is 505 bytes.
@pytest.mark.parametrize("message", [b"\0", b"a\0b", bytes(200), b"x" * 500, b"x\0" * 250])
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_whole_frames_leave_without_a_gap(message, stall):
    for end, cycles in out_cycles(message, stall=stall):
        first = cycles[0]
        assert first == end + 4
        assert cycles == list(range(first, first + 2 * len(cycles), 2))


def test_a_frame_that_the_memory_does_not_hold_leaves_as_it_comes():
    message = b"x\0" * 300
    for end, cycles in out_cycles(message, stall=0.0):
        assert len(cycles) == len(cobs_encode(message)) + 2
        assert cycles[0] < end


@pytest.mark.parametrize("classes", [80, 81])
def test_the_longest_result_leaves_without_a_gap(classes):
    depth = reply_depth(two_layers(sizes=(8, 4, classes)))
    message = b"x\0" * 3 * (classes + 1) + bytes(6)
    ((_, cycles),) = out_cycles(message, stall=0.6, frames=1, depth=depth)
    assert cycles == list(range(cycles[0], cycles[0] + 2 * len(cycles), 2))


@pytest.mark.parametrize("depth", [256, 513])
def test_depths_that_cannot_be(depth):
    text = refused(CobsEncoder, ValueError, depth=depth)
    assert text == f"Depth must be a power of two of at least 512, not {depth}"
