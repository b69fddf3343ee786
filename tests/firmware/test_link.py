# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.link import (
    Frame,
    FrameParser,
    cobs_decode,
    cobs_encode,
    crc16,
    encode_frame,
)
from hw.formats.structures import pack, unpack
from hw.link.packets import (
    FRAME_CRC,
    FrameHeader,
    FrameType,
    ResultEntry,
    body_limit,
    buffer_depth,
    packet_rows,
)
from tests.hw.designs import two_layers

MESSAGES = st.one_of(
    st.binary(max_size=700),
    st.builds(
        lambda a, n, b: a + b"x" * n + b,
        st.binary(max_size=3),
        st.integers(250, 260),
        st.binary(max_size=3),
    ),
)
FRAMES = st.builds(
    Frame,
    type=st.one_of(st.sampled_from([FrameType.READ, FrameType.RESULT]), st.just(0x55)),
    sequence=st.integers(0, 255),
    body=MESSAGES,
)


@given(MESSAGES)
def test_cobs_there_and_back(message):
    code = cobs_encode(message)
    assert 0 not in code
    assert cobs_decode(code) == message
    assert len(code) <= len(message) + 1 + len(message) // 254


@given(st.binary(max_size=300))
def test_any_code_is_decoded_or_refused(code):
    try:
        message = cobs_decode(code)
    except ValueError:
        return
    # A last full block may be followed by an empty one or not; both mean the same.
    assert cobs_decode(cobs_encode(message)) == message


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (bytes(range(1, 255)) + b"\xff", b"\xff" + bytes(range(1, 255)) + b"\x02\xff"),
    ],
)
def test_cobs_as_published(message, code):
    assert cobs_encode(message) == code
    assert cobs_decode(code) == message


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (b"\x02\0", "COBS code must not contain a zero"),
        (b"\x05ab", "COBS block must have 4 bytes, not 2"),
    ],
)
def test_codes_that_cannot_be(code, text):
    with pytest.raises(ValueError) as error:
        cobs_decode(code)
    assert str(error.value) == text


@given(st.binary(max_size=100))
def test_crc_is_that_of_the_gateware(message):
    assert crc16(message) == FRAME_CRC(data_width=8).compute(message)


def test_crc_check_value():
    assert crc16(b"123456789") == 0x29B1


@given(st.lists(FRAMES, max_size=4), st.lists(st.integers(1, 50), min_size=1))
def test_frames_come_out_however_the_bytes_are_cut(frames, cuts):
    line = b"".join(encode_frame(frame) for frame in frames)
    parser, out, place, turn = FrameParser(), [], 0, 0
    while place < len(line):
        size = cuts[turn % len(cuts)]
        out += parser.feed(line[place : place + size])
        place, turn = place + size, turn + 1
    assert out == frames
    assert parser.dropped == 0


@given(FRAMES, st.binary(max_size=400), FRAMES)
def test_garbage_between_frames_is_harmless(first, garbage, second):
    parser = FrameParser()
    out = parser.feed(encode_frame(first) + garbage + encode_frame(second))
    assert out[0] == first
    assert out[-1] == second


@given(st.data(), FRAMES, FRAMES)
def test_an_altered_frame_is_dropped_and_the_next_arrives(data, frame, following):
    line = bytearray(encode_frame(frame))
    place = data.draw(st.integers(1, len(line) - 2))
    line[place] ^= data.draw(st.integers(1, 255))
    parser = FrameParser()
    out = parser.feed(bytes(line) + encode_frame(following))
    assert out[-1] == following
    assert frame not in out[:-1]
    assert parser.dropped >= 1


def test_an_endless_line_without_frames_is_forgotten():
    parser = FrameParser()
    for _ in range(100):
        assert parser.feed(b"x" * 2000) == []
    frame = Frame(type=FrameType.DONE, sequence=3)
    assert parser.feed(encode_frame(frame)) == [frame]


def test_bodies_that_are_too_long():
    with pytest.raises(ValueError) as error:
        encode_frame(Frame(type=FrameType.SAMPLE, sequence=0, body=bytes(65536)))
    assert str(error.value) == "Body must have at most 65535 bytes, not 65536"


def test_structures_are_packed_lowest_byte_first():
    raw = pack(FrameHeader, type=FrameType.SAMPLE.value, sequence=7, length=0x1234)
    assert raw == b"\x20\x07\x34\x12"
    assert unpack(FrameHeader, raw) == {"type": 0x20, "sequence": 7, "length": 0x1234}
    assert unpack(ResultEntry, b"\xff\xff\xfe\xff\xff\xff") == {"step": 0xFFFF, "score": -2}
    with pytest.raises(ValueError) as error:
        unpack(FrameHeader, b"\0")
    assert str(error.value) == "FrameHeader must have 4 bytes, not 1"


@pytest.mark.parametrize(("pixels", "depth"), [(12, 1024), (784, 1024), (1018, 1024), (1019, 2048)])
def test_buffer_has_room_for_a_sample(pixels, depth):
    design = two_layers(sizes=(pixels, 10, 4))
    assert buffer_depth(design) == depth
    assert body_limit(design) == depth - 6 >= pixels


def test_packets_are_listed():
    rows = {row[1]: row for row in packet_rows()}
    assert rows["WRITE"][:4] == ("0x02", "WRITE", "address [0], value [1..4]", "DONE")
    assert rows["LOAD_DATA"][2] == "remaining [0..3], bytes of the image [4...]"
    assert set(rows) == set(FrameType.__members__)
