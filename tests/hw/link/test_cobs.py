# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from firmware.link import cobs_decode, cobs_encode
from hw.link.cobs_decoder import CobsDecoder
from hw.link.cobs_encoder import CobsEncoder
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


def encoded(messages, *, stall=0.0):
    """The line that the encoder makes of messages."""
    dut = CobsEncoder()
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


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_encoder_is_the_inverse_of_the_host(stall):
    messages = MESSAGES + random_messages(2)
    parts = encoded(messages, stall=stall).split(b"\0")
    assert [cobs_decode(part) for part in parts if part] == messages
    assert parts[0] == parts[-1] == b""  # a zero before and behind


def test_decoder_ignores_empty_frames_and_recovers_from_cut_ones():
    line = b"\0\0\0\x05ab\0" + cobs_encode(b"good") + b"\0\0\x02\0" + cobs_encode(b"\0") + b"\0"
    assert decoded(line) == [None, b"good", None, b"\0"]
