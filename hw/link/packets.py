# SPDX-License-Identifier: Apache-2.0
"""Frames between host and gateware: the only definition, used by both sides.

On the wire a frame is ``0x00``, the COBS code of its bytes, ``0x00``. Its bytes are a
`FrameHeader`, the body, and the CRC-16 (IBM-3740, also called CCITT-FALSE) of both, most
significant byte first. Everything else is little endian. A reply carries the sequence number of
its request; a frame with a wrong CRC or length has no effect and no reply.
"""

import dataclasses

from amaranth import signed
from amaranth.lib import crc, data, enum

from hw.design.design import Design
from hw.formats.image_layout import max_image_bytes
from hw.formats.structures import field_spans, size_of, span_text

__all__ = [
    "CRC_BYTES",
    "CommitteeEntry",
    "FRAME_CRC",
    "HEADER_BYTES",
    "PACKETS",
    "SILENT",
    "EventEntry",
    "FrameHeader",
    "FrameType",
    "LoadBegin",
    "LoadData",
    "Packet",
    "ReadRequest",
    "Refusal",
    "RefusalReason",
    "ResultEnd",
    "ResultEntry",
    "SampleBegin",
    "SampleData",
    "WriteRequest",
    "body_limit",
    "buffer_depth",
    "check_link",
    "image_length_bits",
    "packet_rows",
    "reply_depth",
    "sample_window",
]

#: CRC of frames.
FRAME_CRC = crc.catalog.CRC16_IBM_3740
#: Bytes of that CRC.
CRC_BYTES = 2
#: Step of an output neuron that did not spike.
SILENT = 0xFFFF


class FrameType(enum.Enum, shape=8):
    """First byte of a frame; replies have bit 7 set."""

    READ = 0x01
    WRITE = 0x02
    PROBE = 0x03
    LOAD_BEGIN = 0x10
    LOAD_DATA = 0x11
    LOAD_END = 0x12
    SAMPLE = 0x20
    SAMPLE_BEGIN = 0x21
    SAMPLE_DATA = 0x22
    DONE = 0x80
    WORDS = 0x81
    RESULT = 0xA0
    RUNNING = 0xA1
    REFUSED = 0xFF


class RefusalReason(enum.Enum, shape=8):
    """Why a request was refused. After a refusal everything is as it was before the request."""

    #: No request has this type.
    TYPE = 1
    #: The body has the wrong size for its type.
    SIZE = 2
    #: A sample, but no network is active.
    NO_NETWORK = 3
    #: A sample of another number of pixels than the network has.
    SAMPLE_SIZE = 4
    #: An image longer than any that this gateware takes, or than was announced.
    IMAGE_SIZE = 5
    #: Data of a load or of a sample that leave something out.
    GAP = 6
    #: The loader refused the image; the detail is `hw.formats.image_layout.LoadError`.
    IMAGE = 7
    #: The end of a load of which bytes are missing.
    INCOMPLETE = 8
    #: A sample is in the accelerator, and a sample of events or another choice of members would
    #: lose it.
    BUSY = 9
    #: More members than the network has or the gateware was built for, or none; or answers after
    #: every step of more than one.
    MEMBERS = 10
    #: A sample, but members are drawn and no seed has been chosen; or the seed 0.
    SEED = 11
    #: A register was written with a value that it cannot take.
    VALUE = 12


class FrameHeader(data.Struct):
    """``type`` (`FrameType`), ``sequence`` (chosen by the host), ``length`` of the body."""

    type: 8
    sequence: 8
    length: 16


class ReadRequest(data.Struct):
    """Read ``words`` registers from a byte ``address`` on; addresses wrap around."""

    address: 8
    words: 8


class WriteRequest(data.Struct):
    """Write the register at a byte ``address``."""

    address: 8
    value: 32


class LoadBegin(data.Struct):
    """Forget the network and expect an image of ``length`` bytes."""

    length: 32


class LoadData(data.Struct):
    """``remaining`` bytes of the image, those that follow here included. Bytes that are there
    already are acknowledged and ignored."""

    remaining: 32


class SampleBegin(data.Struct):
    """Expect a sample of so many ``events``, at least 1; one that is not whole is forgotten."""

    events: 32


class SampleData(data.Struct):
    """``remaining`` events of the sample, those that follow here included. Events that are there
    already are acknowledged and ignored."""

    remaining: 32


class EventEntry(data.Struct):
    """An event of a camera: ``time`` in us since the sample began, ``x``, ``y``, ``polarity``.
    ``present`` is 0 in the one entry of a sample without events."""

    time: 32
    x: 14
    y: 14
    polarity: 1
    present: 1
    zero: 2


class Refusal(data.Struct):
    """``reason`` (`RefusalReason`) and ``detail`` (`hw.formats.image_layout.LoadError`)."""

    reason: 8
    detail: 8


class ResultEntry(data.Struct):
    """What one output neuron did: ``step`` of its spike (0xFFFF: none) and ``score``."""

    step: 16
    score: signed(32)


class CommitteeEntry(data.Struct):
    """What one output neuron of a stepwise design did: ``votes`` (members that would have chosen
    it) and ``score`` (sum over the members)."""

    votes: 16
    score: signed(32)


class ResultEnd(data.Struct):
    """``winner`` is the class; ``cycles`` from the first pixel to the last record, waiting for the
    link left out (`hw.loading.latency_counter`), or 0 if another sample was in the accelerator."""

    winner: 16
    cycles: 32


#: Bytes of the header.
HEADER_BYTES = size_of(FrameHeader)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Packet:
    """One kind of frame.

    Parameters
    ----------
    type
        Its type.
    body
        Structures of the body, in order.
    more
        What follows them.
    reply
        Type of the reply to a request, none for a reply.
    meaning
        One line.
    """

    type: FrameType
    body: tuple[type[data.Struct], ...] = ()
    more: str = ""
    reply: FrameType | None = None
    meaning: str


def _bits_text(layout: type[data.Struct]) -> str:
    """Fields with their bits, lowest first."""
    fields = data.Layout.cast(layout)
    return ", ".join(f"{name} ({field.width})" for name, field in fields)


#: All kinds of frames.
PACKETS = (
    Packet(
        type=FrameType.READ,
        body=(ReadRequest,),
        reply=FrameType.WORDS,
        meaning="read registers",
    ),
    Packet(
        type=FrameType.WRITE,
        body=(WriteRequest,),
        reply=FrameType.DONE,
        meaning="write a register",
    ),
    Packet(
        type=FrameType.PROBE,
        more="any bytes",
        reply=FrameType.DONE,
        meaning="nothing: a test of the line",
    ),
    Packet(
        type=FrameType.LOAD_BEGIN,
        body=(LoadBegin,),
        reply=FrameType.DONE,
        meaning="begin to load a device image; the network in use is forgotten",
    ),
    Packet(
        type=FrameType.LOAD_DATA,
        body=(LoadData,),
        more="bytes of the image",
        reply=FrameType.DONE,
        meaning="next part of the image",
    ),
    Packet(
        type=FrameType.LOAD_END,
        reply=FrameType.DONE,
        meaning="ask whether the image was whole and its network is active",
    ),
    Packet(
        type=FrameType.SAMPLE,
        more="one byte a pixel",
        reply=FrameType.RESULT,
        meaning="classify",
    ),
    Packet(
        type=FrameType.SAMPLE_BEGIN,
        body=(SampleBegin,),
        reply=FrameType.DONE,
        meaning="begin to send a sample of events",
    ),
    Packet(
        type=FrameType.SAMPLE_DATA,
        body=(SampleData,),
        more=f"{size_of(EventEntry)} bytes an event: {_bits_text(EventEntry)}",
        reply=FrameType.DONE,
        meaning="next part of the sample; the last part is answered by RESULT",
    ),
    Packet(type=FrameType.DONE, meaning="the request was carried out"),
    Packet(type=FrameType.WORDS, more="registers, 4 bytes each", meaning="answer to read"),
    Packet(
        type=FrameType.RESULT,
        body=(ResultEntry, ResultEnd),
        meaning="one entry a class, then the end",
    ),
    Packet(
        type=FrameType.RESULT,
        body=(CommitteeEntry, ResultEnd),
        meaning="the same of a stepwise design",
    ),
    Packet(
        type=FrameType.RUNNING,
        body=(CommitteeEntry, ResultEnd),
        meaning="answer after a step but the last, before the result; cycles so far",
    ),
    Packet(type=FrameType.REFUSED, body=(Refusal,), meaning="nothing was changed; says why"),
)


def buffer_depth(design: Design) -> int:
    """Bytes of the receive buffer: a power of two, at least 1024, with room for an image."""
    sample = design.sample_values if design.sample_input == "pixels" else 0
    frame = HEADER_BYTES + sample + CRC_BYTES
    return max(1024, 1 << (frame - 1).bit_length())


def reply_depth(design: Design) -> int:
    """Bytes of a send buffer that holds any result whole: a power of two, at least 512. Longer
    replies (registers, read many at a time) come faster than a line takes them."""
    frame = HEADER_BYTES + size_of(ResultEntry) * design.classes + size_of(ResultEnd) + CRC_BYTES
    # The codes of blocks, zeros before and behind, and the room that the encoder keeps free.
    line = frame + frame // 254 + 1 + 2 + 8
    return max(512, 1 << (line - 1).bit_length())


def sample_window(design: Design, values: int) -> int:
    """Sample frames of so many bytes that may be under way, so that the receive buffer never runs
    over.

    One more than the buffer has room for, as that which is answered next is leaving it; not so of
    series, whose bytes leave it as they are computed.
    """
    room = buffer_depth(design) // (HEADER_BYTES + values + CRC_BYTES)
    return max(1, room if design.memory is not None else room + 1)


def body_limit(design: Design) -> int:
    """Largest body that the gateware takes."""
    return buffer_depth(design) - HEADER_BYTES - CRC_BYTES


def image_length_bits(design: Design) -> int:
    """Bits of the longest image that may be announced."""
    return max_image_bytes(design).bit_length()


def check_link(design: Design) -> Design:
    """Return the design, or raise if its samples are spike words."""
    if design.sample_input == "words":
        raise ValueError(
            f"Sample input of a design with a link must be pixels or events, "
            f"not {design.sample_input!r}"
        )
    return design


def packet_rows() -> list[tuple[str, str, str, str, str]]:
    """Rows of a table: type, name, body with byte offsets, reply, meaning."""
    rows = []
    for packet in PACKETS:
        parts, start = [], 0
        for layout in packet.body:
            for name, span in field_spans(layout):
                here = range(start + span.start, start + span.stop)
                parts.append(f"{name} [{span_text(here)}]")
            start += size_of(layout)
        if packet.more:
            parts.append(f"{packet.more} [{start}...]" if start else packet.more)
        rows.append(
            (
                f"0x{packet.type.value:02X}",
                packet.type.name,
                ", ".join(parts),
                packet.reply.name if packet.reply else "",
                packet.meaning,
            )
        )
    return rows
