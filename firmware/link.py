# SPDX-License-Identifier: Apache-2.0
"""Frames on the host's side: COBS, CRC-16, and a parser that nothing can upset.

The definitions stand in ``hw/link/packets.py``.
"""

import binascii
import dataclasses

from hw.formats.structures import pack, unpack
from hw.link.packets import CRC_BYTES, FRAME_CRC, HEADER_BYTES, FrameHeader, FrameType

__all__ = [
    "Frame",
    "FrameParser",
    "cobs_decode",
    "cobs_encode",
    "crc16",
    "encode_frame",
]

_LONGEST_BLOCK = 0xFF
_BODY_LIMIT = 0xFFFF
# More bytes than the code of the longest frame has; a line that never sends a zero is noise.
_LINE_LIMIT = 2 * _BODY_LIMIT


def crc16(message: bytes) -> int:
    """CRC-16/IBM-3740 of a message."""
    return binascii.crc_hqx(message, FRAME_CRC.initial_crc) ^ FRAME_CRC.xor_output


def cobs_encode(message: bytes) -> bytes:
    """Code of a message, without zeros (Cheshire and Baker 1999)."""
    code = bytearray()
    for part in message.split(b"\0"):
        while len(part) >= _LONGEST_BLOCK - 1:
            code += bytes([_LONGEST_BLOCK]) + part[: _LONGEST_BLOCK - 1]
            part = part[_LONGEST_BLOCK - 1 :]
        code += bytes([len(part) + 1]) + part
    return bytes(code)


def cobs_decode(code: bytes) -> bytes:
    """Message of a code.

    Raises
    ------
    ValueError
        If the code holds a zero or its last block is not whole.
    """
    if 0 in code:
        raise ValueError("COBS code must not contain a zero")
    message = bytearray()
    place = 0
    while place < len(code):
        size = code[place]
        block = code[place + 1 : place + size]
        if len(block) != size - 1:
            raise ValueError(f"COBS block must have {size - 1} bytes, not {len(block)}")
        message += block
        place += size
        if size != _LONGEST_BLOCK and place < len(code):
            message.append(0)
    return bytes(message)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame.

    Parameters
    ----------
    type
        Kind; a number that is no `FrameType` is kept as it is.
    sequence
        0..255.
    body
        At most 65535 bytes.
    """

    type: FrameType | int
    sequence: int
    body: bytes = b""


def encode_frame(frame: Frame) -> bytes:
    """Bytes of a frame on the line, with the zeros before and behind.

    Raises
    ------
    ValueError
        If the body is too long for its length field.
    """
    if len(frame.body) > _BODY_LIMIT:
        raise ValueError(f"Body must have at most {_BODY_LIMIT} bytes, not {len(frame.body)}")
    kind = frame.type.value if isinstance(frame.type, FrameType) else frame.type
    header = pack(FrameHeader, type=kind, sequence=frame.sequence, length=len(frame.body))
    message = header + frame.body
    return b"\0" + cobs_encode(message + crc16(message).to_bytes(CRC_BYTES, "big")) + b"\0"


class FrameParser:
    """Finds the frames among the bytes of a line.

    Whatever is not a whole frame with a right length and CRC is counted in ``dropped`` and
    otherwise ignored.
    """

    def __init__(self) -> None:
        self._code = bytearray()
        self.dropped = 0

    def feed(self, received: bytes) -> list[Frame]:
        """Take bytes of the line; return the frames that are complete now."""
        *ended, rest = received.split(b"\0")
        frames = []
        for part in ended:
            self._code += part
            if self._code:
                frame = _decode(bytes(self._code))
                if frame is None:
                    self.dropped += 1
                else:
                    frames.append(frame)
            self._code.clear()
        self._code += rest
        if len(self._code) > _LINE_LIMIT:
            self._code.clear()
            self.dropped += 1
        return frames


def _decode(code: bytes) -> Frame | None:
    try:
        message = cobs_decode(code)
    except ValueError:
        return None
    if len(message) < HEADER_BYTES + CRC_BYTES:
        return None
    whole, crc = message[:-CRC_BYTES], message[-CRC_BYTES:]
    header = unpack(FrameHeader, whole[:HEADER_BYTES])
    body = whole[HEADER_BYTES:]
    if len(body) != header["length"] or crc16(whole).to_bytes(CRC_BYTES, "big") != crc:
        return None
    try:
        kind: FrameType | int = FrameType(header["type"])
    except ValueError:
        kind = header["type"]
    return Frame(type=kind, sequence=header["sequence"], body=body)
