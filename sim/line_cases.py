# SPDX-License-Identifier: Apache-2.0
"""Lines full of faults: good frames, mutated ones, and noise, from a seed."""

import dataclasses
import random
from collections.abc import Callable

from firmware.link import Frame, cobs_encode, crc16, encode_frame
from hw.formats.structures import pack
from hw.link.packets import CRC_BYTES, FrameHeader, FrameType

__all__ = [
    "LineItem",
    "drop_bytes",
    "flip_bits",
    "line_items",
    "noise",
    "reorder_bytes",
    "repeat_bytes",
]

_KINDS = [*FrameType]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LineItem:
    """Part of a line.

    Parameters
    ----------
    kind
        What was done to it.
    line
        Its bytes.
    messages
        Headers with bodies that were sent in it, before something was done.
    """

    kind: str
    line: bytes
    messages: tuple[bytes, ...] = ()


def flip_bits(rng: random.Random, line: bytes, most: int = 8) -> bytes:
    """The bytes with 1 to ``most`` bits flipped, sometimes all within 16 neighbours."""
    flipped = bytearray(line)
    bits = 8 * len(line)
    start, span = (rng.randrange(bits), 16) if rng.random() < 0.3 else (0, bits)
    for _ in range(rng.randint(1, most)):
        place = (start + rng.randrange(span)) % bits
        flipped[place // 8] ^= 1 << place % 8
    return bytes(flipped)


def drop_bytes(rng: random.Random, line: bytes) -> bytes:
    """The bytes without a run of 1 to 4, at 1 to 3 places."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(line)) if line else 0
        line = line[:place] + line[place + rng.randint(1, 4) :]
    return line


def repeat_bytes(rng: random.Random, line: bytes) -> bytes:
    """The bytes with a run of 1 to 16 of them sent twice, at 1 to 3 places."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(line))
        stop = place + rng.randint(1, 16)
        line = line[:stop] + line[place:]
    return line


def reorder_bytes(rng: random.Random, line: bytes) -> bytes:
    """The bytes with two neighbouring runs of 1 to 16 exchanged, at 1 to 3 places."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(line))
        middle = place + rng.randint(1, 16)
        stop = middle + rng.randint(1, 16)
        line = line[:place] + line[middle:stop] + line[place:middle] + line[stop:]
    return line


def noise(rng: random.Random, most: int = 80) -> bytes:
    """Random bytes: any, or few values, or those that look like COBS codes."""
    size = rng.randint(1, most)
    style = rng.randrange(3)
    if style == 0:
        return rng.randbytes(size)
    if style == 1:
        return bytes(rng.choices([0, 1, 2, 0xFE, 0xFF], k=size))
    return bytes(rng.randint(0, 12) for _ in range(size))


def _body(rng: random.Random, depth: int) -> bytes:
    """Mostly short; now and then as long as a block of COBS, or about as long as the ring."""
    draw = rng.random()
    if draw < 0.9:
        size = rng.randint(0, 40)
    elif draw < 0.98:
        size = 254 * rng.randint(1, 3) - rng.randint(0, 10)
    else:
        size = depth - rng.randint(0, 12)
    density = rng.choice([0.0, 0.1, 0.9])
    return bytes(0 if rng.random() < density else rng.randint(0, 255) for _ in range(size))


def _message(rng: random.Random, depth: int) -> bytes:
    kind = rng.choice(_KINDS).value if rng.random() < 0.8 else rng.randrange(256)
    body = _body(rng, depth)
    return pack(FrameHeader, type=kind, sequence=rng.randrange(256), length=len(body)) + body


def _coded(message: bytes, check: bytes | None = None) -> bytes:
    """A message on the line; with other check bytes than its CRC if given."""
    check = crc16(message).to_bytes(CRC_BYTES, "big") if check is None else check
    return b"\0" + cobs_encode(message + check) + b"\0"


def line_items(count: int, *, seed: int, depth: int) -> list[LineItem]:
    """Parts of a line, one frame each or noise; the last one is good.

    Parameters
    ----------
    count
        How many.
    seed
        Of all that is random.
    depth
        Bytes of the ring that receives them; some frames just fit, some do not.
    """
    rng = random.Random(seed)
    changes: dict[str, Callable[[random.Random, bytes], bytes]] = {
        "bits flipped": flip_bits,
        "bytes dropped": drop_bytes,
        "bytes repeated": repeat_bytes,
        "bytes reordered": reorder_bytes,
        "cut": lambda rng, line: line[: rng.randrange(len(line))],
        "begun late": lambda rng, line: line[rng.randrange(1, len(line)) :],
        "zeros missing": lambda rng, line: line.strip(b"\0"),
    }
    # Four in ten only the CRC can find.
    kinds = ["good"] * 4 + ["wrong crc"] * 8 + ["wrong length", "two spliced", "noise"] + [*changes]
    items = []
    for _ in range(count - 1):
        kind = rng.choice(kinds)
        message = _message(rng, depth)
        messages: tuple[bytes, ...] = (message,)
        line = _coded(message)
        if kind in changes:
            line = changes[kind](rng, line)
        elif kind == "wrong crc":
            line = _coded(message, rng.randbytes(CRC_BYTES))
            messages = ()
        elif kind == "wrong length":
            size = len(message) + rng.choice([-2, -1, 1, 2, 256, depth, 0x8000])
            line = _coded(message[:2] + (size % 65536).to_bytes(2, "little") + message[4:])
            messages = ()
        elif kind == "two spliced":
            other = _message(rng, depth)
            second = _coded(other)
            line = line[: rng.randrange(len(line))] + second[rng.randrange(len(second)) :]
            messages = (message, other)
        elif kind == "noise":
            line, messages = noise(rng), ()
        items.append(LineItem(kind=kind, line=line, messages=messages))
    last = encode_frame(Frame(type=FrameType.READ, sequence=1, body=b"\0\x01"))
    message = pack(FrameHeader, type=1, sequence=1, length=2) + b"\0\x01"
    return [*items, LineItem(kind="good", line=last, messages=(message,))]
