# SPDX-License-Identifier: Apache-2.0
"""Structures in bytes: sizes, places, packing; the same for device images, frames and registers."""

import functools
from collections.abc import Iterator
from typing import Any

from amaranth import Shape
from amaranth.lib import data

__all__ = ["byte_span", "field_spans", "pack", "size_of", "span_text", "to_bits", "unpack"]


@functools.cache
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


@functools.cache
def _places(layout: type[data.Struct]) -> dict[str, tuple[int, int, bool]]:
    """Lowest bit, width and sign of every field: Amaranth's own constants take too long for every
    frame of a fast line."""
    return {
        name: (field.offset, field.width, Shape.cast(field.shape).signed)
        for name, field in data.Layout.cast(layout)
    }


def to_bits(layout: type[data.Struct], **fields: Any) -> int:
    """Value of a structure, first field lowest; fields that are not given are 0."""
    places = _places(layout)
    bits = 0
    for name, value in fields.items():
        if name not in places or not isinstance(value, int):
            return int(layout.const(fields).as_bits())
        offset, width, _ = places[name]
        bits |= (value & (1 << width) - 1) << offset
    return bits


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
    bits = int.from_bytes(raw, "little")
    fields = {}
    for name, (offset, width, is_signed) in _places(layout).items():
        value = bits >> offset & (1 << width) - 1
        fields[name] = value - (is_signed and value >> width - 1) * (1 << width)
    return fields
