# SPDX-License-Identifier: Apache-2.0
"""Whatever comes along the line: no frame is taken that its CRC does not vouch for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.link import Frame, FrameParser, encode_frame
from hw.link.packets import FrameType

FRAMES = 100_000
BODIES = st.binary(max_size=300)
MESSAGES = st.builds(
    lambda kind, sequence, body: encode_frame(Frame(type=kind, sequence=sequence, body=body)),
    st.integers(0, 255),
    st.integers(0, 255),
    st.one_of(BODIES, st.builds(bytes, st.integers(0, 600))),
)


def slow_crc(message):
    """CRC-16/IBM-3740 as its definition says it: bit by bit."""
    value = 0xFFFF
    for byte in message:
        for bit in range(7, -1, -1):
            top = value >> 15 ^ byte >> bit & 1
            value = value << 1 & 0xFFFF ^ 0x1021 * top
    return value


def slow_decode(code):
    """COBS as its paper says it: byte by byte; none where a block is not whole."""
    out, left, zero_follows = [], 0, False
    for byte in code:
        if left == 0:
            if zero_follows:
                out.append(0)
            left, zero_follows = byte, byte != 0xFF
        else:
            out.append(byte)
        left -= 1
    return bytes(out) if left == 0 else None


def slow_parse(line):
    """Frames between the zeros of a line: type, sequence, body."""
    found = []
    for code in line.split(b"\0")[:-1]:
        message = slow_decode(code) if code else None
        if message is None or len(message) < 6:
            continue
        body = message[4:-2]
        if int.from_bytes(message[2:4], "little") != len(body):
            continue
        if slow_crc(message[:-2]) == int.from_bytes(message[-2:], "big"):
            found.append((message[0], message[1], body))
    return found


def parse(pieces):
    """The same by the parser under test, fed piece by piece."""
    parser = FrameParser()
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    return [
        (
            frame.type.value if isinstance(frame.type, FrameType) else frame.type,
            frame.sequence,
            frame.body,
        )
        for frame in frames
    ]


@st.composite
def lines(draw):
    """Frames that are changed, cut, doubled and put in another order, with noise between them."""
    messages = draw(st.lists(MESSAGES, max_size=5))
    parts = []
    for message in messages:
        spoilt = bytearray(message)
        for _ in range(draw(st.integers(0, 3))):
            place = draw(st.integers(0, max(0, len(spoilt) - 1)))
            what = draw(st.sampled_from(["flip", "drop", "double", "insert", "cut", "swap"]))
            if not spoilt:
                break
            if what == "flip":
                spoilt[place] ^= 1 << draw(st.integers(0, 7))
            elif what == "drop":
                del spoilt[place]
            elif what == "double":
                spoilt[place:place] = spoilt[place : place + 1]
            elif what == "insert":
                spoilt[place:place] = draw(st.binary(min_size=1, max_size=4))
            elif what == "cut":
                del spoilt[place:]
            else:
                spoilt[place : place + 2] = spoilt[place : place + 2][::-1]
        parts.append(bytes(spoilt))
        if draw(st.booleans()):
            parts.append(draw(st.binary(max_size=20)))
    return b"".join(draw(st.permutations(parts))) + draw(st.sampled_from([b"", b"\0"]))


@settings(max_examples=300, deadline=None)
@given(lines(), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_only_frames_with_a_right_crc_are_taken(line, sizes):
    pieces, place, turn = [], 0, 0
    while place < len(line):
        size = sizes[turn % len(sizes)]
        pieces.append(line[place : place + size])
        place, turn = place + size, turn + 1
    assert parse(pieces) == slow_parse(line)


@given(st.binary(max_size=400))
def test_noise_is_read_as_its_definition_says(line):
    assert parse([line]) == slow_parse(line)


def mutated(rng, message):
    """A frame with some bytes changed, taken away or put in."""
    line = bytearray(message)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(line)))
        match int(rng.integers(4)):
            case 0:
                line[place] ^= 1 << int(rng.integers(8))
            case 1:
                line[place] = int(rng.integers(256))
            case 2:
                del line[place]
            case _:
                line.insert(place, int(rng.integers(256)))
        if not line:
            break
    return bytes(line)


def test_a_hundred_thousand_spoilt_frames():
    """CRC-16 lets through one in 65,536 of those that are wrong; no more than that, and the frames
    between them all come through."""
    rng = np.random.default_rng(1)
    parser = FrameParser()
    wrong = 0
    for number in range(FRAMES):
        body = rng.bytes(int(rng.integers(0, 24)))
        sent = Frame(type=FrameType.RESULT, sequence=number % 256, body=body)
        message = encode_frame(sent)
        spoilt = rng.bytes(len(message)) if number % 4 == 0 else mutated(rng, message)
        # A change may undo the one before it, or touch the zeros around the frame only.
        wrong += any(frame != sent for frame in parser.feed(spoilt))
        parser.feed(b"\0")
        assert parser.feed(encode_frame(sent)) == [sent]
    # 1.5 expected; a Poisson variable is above 8 once in 20,000 times.
    assert wrong <= 8
    assert parser.dropped > FRAMES / 2
