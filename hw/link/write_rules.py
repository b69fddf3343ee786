# SPDX-License-Identifier: Apache-2.0
"""Which values a board takes in the registers that are not the accelerator's."""

from amaranth import Const, Value

from hw.formats.register_map import BootWord, LinkWord, register_address

__all__ = ["at_most", "boots", "changes_speed", "is_out_of_range"]


def at_most(value: Value, limit: int) -> Value:
    """Whether an unsigned value is at most a constant, in fewer cells than a subtraction."""
    found: Value = Const(1)
    for place, bit in enumerate(value):
        found = ~bit | found if limit >> place & 1 else ~bit & found
    return found if limit >> len(value) == 0 else Const(1)


def boots(address: Value) -> Value:
    """Whether a word address is that of the ``boot`` register."""
    return address == register_address("boot") // 4


def changes_speed(address: Value) -> Value:
    """Whether a word address is that of the ``link`` register."""
    return address == register_address("link") // 4


def is_out_of_range(address: Value, value: Value, *, divisor: int, slots: int) -> Value:
    """Whether a register takes no such value.

    Parameters
    ----------
    address
        Word address of the register.
    value
        What is to be written, 32 bits.
    divisor, slots
        As of `hw.link.frame_processor.FrameProcessor`.
    """
    cycles, slot = LinkWord(value).divisor, BootWord(value).slot
    # Cycles a bit are 2 or more.
    takes_cycles = at_most(cycles, divisor) & cycles[1:].any() if divisor else Const(0)
    takes_slot = at_most(slot, slots - 1) if slots else Const(0)
    return (changes_speed(address) & ~takes_cycles) | (boots(address) & ~takes_slot)
