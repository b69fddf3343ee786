# SPDX-License-Identifier: Apache-2.0
"""Structures in bytes: sizes, places, packing; the same for device images, frames and registers."""

from collections.abc import Iterator
from typing import Any

from amaranth.lib import data

__all__ = ["byte_span", "field_spans", "pack", "size_of", "span_text", "to_bits", "unpack"]


def size_of(layout: type[data.Struct]) -> int:
    """Bytes of a structure."""
    return data.Layout.cast(layout).size // 8


def byte_span(layout: type[data.Struct], field: str) -> range:
    """Offsets of the bytes that a field of a structure has bits in, lowest first."""
    place = data.Layout.cast(layout)[field]
    return range(place.offset // 8, -(-(place.offset + place.width) // 8))


def field_spans(layout: type[data.Struct]) -> Iterator[tuple[str, range]]:
    """Name and byte offsets of every field, in order."""
    for field, _ in data.Layout.cast(layout):
        yield field, byte_span(layout, field)


def span_text(span: range) -> str:
    """Byte offsets for a table: ``4`` or ``4..7``."""
    return f"{span.start}" if len(span) == 1 else f"{span.start}..{span.stop - 1}"


def to_bits(layout: type[data.Struct], **fields: Any) -> int:
    """Value of a structure, first field lowest; fields that are not given are 0."""
    return int(layout.const(fields).as_bits())


def pack(layout: type[data.Struct], **fields: Any) -> bytes:
    """Bytes of a structure."""
    return to_bits(layout, **fields).to_bytes(size_of(layout), "little")


def unpack(layout: type[data.Struct], raw: bytes) -> dict[str, int]:
    """Fields of a structure.

    Raises
    ------
    ValueError
        If the number of bytes is not that of the structure.
    """
    if len(raw) != size_of(layout):
        raise ValueError(f"{layout.__name__} must have {size_of(layout)} bytes, not {len(raw)}")
    fields = layout.from_bits(int.from_bytes(raw, "little"))
    return {name: int(fields[name]) for name, _ in data.Layout.cast(layout)}
