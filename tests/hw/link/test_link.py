# SPDX-License-Identifier: Apache-2.0
"""Requests and replies of the whole link, with a real accelerator behind it."""

import random

import pytest

from firmware.image import device_image
from firmware.link import Frame, encode_frame
from hw.formats.design_words import design_words
from hw.formats.image_layout import max_image_bytes
from hw.formats.register_map import register_address
from hw.formats.structures import pack
from hw.link.frame_processor import FrameProcessor
from hw.link.link import Link
from hw.link.packets import (
    FrameHeader,
    FrameType,
    LoadBegin,
    LoadData,
    ReadRequest,
    RefusalReason,
    WriteRequest,
    body_limit,
    buffer_depth,
    sample_window,
)
from tests.hw.designs import two_layers
from tests.hw.link.conversation import (
    NETWORK,
    OTHER,
    design_for,
    reference,
    refusal,
    registers,
    result,
)
from tests.hw.link.line import converse, load
from tests.hw.refused import refused
from tests.hw.streams import plain, put, run, take_all


@pytest.mark.parametrize(("pixels", "stall"), [(4, 0.0), (2, 0.3)])
def test_load_and_classify_two_networks(pixels, stall):
    design = design_for([NETWORK, OTHER], pixels_per_cycle=pixels)
    rng = random.Random(pixels)

    async def talk(host):
        for network in (NETWORK, OTHER, NETWORK):
            replies = await load(host, device_image(network, design))
            assert {reply.type for reply in replies} == {FrameType.DONE}
            assert await registers(host, "fingerprint", 2) == [network.fingerprint(), 2]
            cycles = set()
            for _ in range(3):
                image = rng.randbytes(network.features)
                found = result(await host.request(FrameType.SAMPLE, image))
                assert found[:2] == reference(network, image)
                cycles.add(found[2])
            assert min(cycles) > network.features // pixels
        assert await registers(host, "samples") == [9]
        assert await registers(host, "errors") == [0]

    converse(design, talk, stall=stall)


def test_results_of_pipelined_samples_come_in_order_with_their_sequence():
    design = design_for([NETWORK])
    rng = random.Random(5)

    async def talk(host):
        await load(host, device_image(NETWORK, design))
        images = [rng.randbytes(NETWORK.features) for _ in range(7)]
        frames = [
            encode_frame(Frame(type=FrameType.SAMPLE, sequence=100 + k, body=image))
            for k, image in enumerate(images)
        ]
        await host.send(frames[0] + frames[1])
        for number, image in enumerate(images):
            reply = await host.wait()
            assert reply.sequence == 100 + number
            assert result(reply)[:2] == reference(NETWORK, image)
            if number + 2 < len(frames):
                await host.send(frames[number + 2])

    converse(design, talk)


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_samples_wait_their_turn_and_what_stands_behind_them_too(stall):
    design = design_for([NETWORK])
    rng = random.Random(3)
    images = [rng.randbytes(NETWORK.features) for _ in range(9)]

    async def talk(host):
        await load(host, device_image(NETWORK, design))
        for number, image in enumerate(images):
            frame = Frame(type=FrameType.SAMPLE, sequence=50 + number, body=image)
            await host.send(encode_frame(frame))
        body = pack(ReadRequest, address=register_address("magic"), words=1)
        await host.send(encode_frame(Frame(type=FrameType.READ, sequence=99, body=body)))
        replies = {}
        while (reply := await host.wait()) is not None:
            replies[reply.sequence] = reply
        assert sorted(replies) == [*range(50, 59), 99]
        assert replies[99].body == b"PSPK"
        for number, image in enumerate(images):
            assert result(replies[50 + number])[:2] == reference(NETWORK, image)
        # Only the first found the accelerator empty.
        assert result(replies[50])[2] > 0
        assert result(replies[51])[2] == 0
        assert result(await host.request(FrameType.SAMPLE, images[0]))[2] > 0
        assert await registers(host, "errors") == [0]

    converse(design, talk, stall=stall)


def test_samples_that_wait_while_the_network_goes():
    design = design_for([NETWORK])
    image = bytes(range(NETWORK.features))

    async def talk(host):
        await load(host, device_image(NETWORK, design))
        drop = pack(WriteRequest, address=register_address("control"), value=1)
        for kind, body in [(FrameType.SAMPLE, image)] * 4 + [
            (FrameType.WRITE, drop),
            (FrameType.SAMPLE, image),
        ]:
            await host.send(encode_frame(Frame(type=kind, sequence=7, body=body)))
        kinds = []
        while (reply := await host.wait()) is not None:
            kinds.append(reply.type)
        # Those in the accelerator are lost; the last one finds no network.
        assert kinds.count(FrameType.DONE) == 1
        assert kinds[-1] is FrameType.REFUSED
        await load(host, device_image(NETWORK, design))
        found = result(await host.request(FrameType.SAMPLE, image))
        assert found[:2] == reference(NETWORK, image)

    converse(design, talk)


def test_window_of_samples():
    design = design_for([NETWORK])
    frame = NETWORK.features + 6
    assert sample_window(design, NETWORK.features) == buffer_depth(design) // frame + 1
    assert sample_window(design, body_limit(design) + 1) == 1


def test_a_probe_is_answered_whatever_it_holds():
    design = design_for([NETWORK])
    rng = random.Random(2)

    async def talk(host):
        for size in (0, 1, 5, 254, 700):
            reply = await host.request(FrameType.PROBE, rng.randbytes(size))
            assert (reply.type, reply.body) == (FrameType.DONE, b"")
        assert await registers(host, "errors") == [0]

    converse(design, talk)


def test_registers_describe_the_design():
    design = design_for([NETWORK, OTHER])

    async def talk(host):
        words = await registers(host, "magic", 64)
        expected = design_words(design)
        for address in range(0, 256, 4):
            if address in expected:
                assert words[address // 4] == expected[address], address
        # Addresses wrap around, and the cycle counter is read in one piece.
        body = pack(ReadRequest, address=252, words=2)
        reply = await host.request(FrameType.READ, body)
        assert reply.body[4:] == b"PSPK"

    converse(design, talk)


def test_requests_that_are_refused_change_nothing():
    design = design_for([NETWORK])
    image = device_image(NETWORK, design)
    sample = bytes(range(NETWORK.features))
    limit = 1 << max_image_bytes(design).bit_length()
    refused = [
        (0x7E, b"", RefusalReason.TYPE),
        (0x7E, b"body", RefusalReason.TYPE),
        (FrameType.READ, b"", RefusalReason.SIZE),
        (FrameType.READ, b"\0", RefusalReason.SIZE),
        (FrameType.READ, b"\0\1\0", RefusalReason.SIZE),
        (FrameType.READ, b"\0\0", RefusalReason.SIZE),
        (FrameType.WRITE, b"\0\1\2\3", RefusalReason.SIZE),
        (FrameType.LOAD_BEGIN, b"\0\1\0", RefusalReason.SIZE),
        (FrameType.LOAD_BEGIN, pack(LoadBegin, length=0), RefusalReason.IMAGE_SIZE),
        (FrameType.LOAD_BEGIN, pack(LoadBegin, length=limit), RefusalReason.IMAGE_SIZE),
        (FrameType.LOAD_BEGIN, pack(LoadBegin, length=2**32 - 1), RefusalReason.IMAGE_SIZE),
        (FrameType.LOAD_DATA, b"\0\0\0", RefusalReason.SIZE),
        (FrameType.LOAD_DATA, pack(LoadData, remaining=2**31) + b"x", RefusalReason.IMAGE_SIZE),
        (FrameType.LOAD_DATA, pack(LoadData, remaining=0) + b"x", RefusalReason.IMAGE_SIZE),
        (FrameType.LOAD_END, b"\0", RefusalReason.SIZE),
        (FrameType.SAMPLE, sample[:-1], RefusalReason.SAMPLE_SIZE),
        (FrameType.SAMPLE, sample + b"\0", RefusalReason.SAMPLE_SIZE),
        (FrameType.SAMPLE, b"", RefusalReason.SAMPLE_SIZE),
    ]

    async def talk(host):
        reply = await host.request(FrameType.SAMPLE, sample)
        assert refusal(reply) == (RefusalReason.NO_NETWORK, 0)
        assert refusal(await host.request(FrameType.LOAD_END)) == (RefusalReason.INCOMPLETE, 0)
        await load(host, image)
        flag = pack(WriteRequest, address=register_address("errors"), value=0xFFFFFFFF)
        for kind, body, reason in refused:
            await host.request(FrameType.WRITE, flag)
            assert refusal(await host.request(kind, body)) == (reason, 0), (kind, body)
            assert await registers(host, "fingerprint", 3) == [NETWORK.fingerprint(), 2, 16]
        found = result(await host.request(FrameType.SAMPLE, sample))
        assert found[:2] == reference(NETWORK, sample)

    converse(design, talk)


def test_bad_frames_have_no_effect_and_no_reply():
    design = design_for([NETWORK])
    rng = random.Random(9)
    good = encode_frame(
        Frame(type=FrameType.READ, sequence=7, body=pack(ReadRequest, address=0, words=1))
    )

    async def talk(host):
        for _ in range(40):
            bad = bytearray(good)
            for _ in range(rng.randint(1, 3)):
                bad[rng.randrange(1, len(bad) - 1)] = rng.randrange(1, 256)
            if bytes(bad) != good:
                await host.send(bytes(bad))
        assert await host.wait(500) is None
        await host.send(good)
        reply = await host.wait()
        assert (reply.sequence, reply.body) == (7, b"PSPK")
        assert await registers(host, "errors") == [4]

    converse(design, talk)


@pytest.mark.parametrize("kind", [FrameProcessor, Link])
def test_spike_words_cannot_come_over_a_link(kind):
    text = refused(kind, ValueError, design=two_layers(sample_input="words"))
    assert text == "Sample input of a design with a link must be pixels or events, not 'words'"


def test_a_network_that_goes_in_the_middle_of_a_result():
    """It cannot by any request; should it, the link goes on."""
    design = design_for([NETWORK])
    dut = FrameProcessor(design=design)
    beats = []

    async def send(ctx, kind, body):
        header = pack(FrameHeader, type=kind.value, sequence=1, length=len(body))
        message = header + body
        last = [0] * (len(message) - 1) + [1]
        payloads = [{"data": byte, "last": end} for byte, end in zip(message, last, strict=True)]
        await put(ctx, dut.i, payloads, random.Random(1), 0.0)

    async def bench(ctx):
        ctx.set(dut.running, 1)
        ctx.set(dut.sample_values, NETWORK.features)
        ctx.set(dut.classes, 3)
        ctx.set(dut.o_sample.ready, 1)
        await send(ctx, FrameType.SAMPLE, bytes(NETWORK.features))
        ctx.set(dut.i_record.valid, 1)
        await ctx.tick().until(dut.i_record.ready)
        ctx.set(dut.i_record.valid, 0)
        await ctx.tick().repeat(20)
        assert len(beats) == 4 + 6
        ctx.set(dut.running, 0)
        await ctx.tick().repeat(5)
        assert [beat["last"] for beat in beats[10:]] == [1]
        await send(ctx, FrameType.PROBE, b"")
        await ctx.tick().repeat(20)
        assert [beat["data"] for beat in beats[11:]] == [FrameType.DONE.value, 1, 0, 0]

    async def sink(ctx):
        await take_all(ctx, dut.o, lambda beat: beats.append(plain(beat)), random.Random(2), 0.0)

    run(dut, bench, background=[sink])
