# SPDX-License-Identifier: Apache-2.0
"""Delay by registers."""

from amaranth import Module, Signal, Value
from amaranth.hdl import ValueLike

__all__ = ["delayed"]


def delayed(m: Module, value: ValueLike, name: str, cycles: int = 1) -> Value:
    """The value some cycles later.

    Parameters
    ----------
    m
        Gets the registers.
    value
        Any value; its shape is kept.
    name
        Of the registers, each with its number behind it.
    cycles
        How many registers.
    """
    value = Value.cast(value)
    for number in range(cycles):
        register = Signal(value.shape(), name=f"{name}_{number}")
        m.d.sync += register.eq(value)
        value = register
    return value
