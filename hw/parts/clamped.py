# SPDX-License-Identifier: Apache-2.0
"""Saturation of numbers."""

from amaranth import Cat, Mux, Shape, Value
from amaranth.hdl import ValueLike

__all__ = ["clamped"]


def clamped(value: ValueLike, shape: Shape) -> Value:
    """The value, or the nearest that the shape holds; of an unsigned value only the upper bound
    is at stake."""
    value = Value.cast(value)
    kept = shape.width - 1 if shape.signed else shape.width
    if len(value) <= shape.width:
        return value
    above, sign = value[kept:], value[-1]
    if not shape.signed:
        return value[:kept] | above.any().replicate(kept)
    fits = above == sign.replicate(len(above))
    return Cat(Mux(fits, value[:kept], ~sign.replicate(kept)), sign).as_signed()
