# SPDX-License-Identifier: Apache-2.0
"""Capacity of a Legendre memory in gateware, with the widths that follow from it. Pure Python."""

import dataclasses
from collections.abc import Sequence

from hw.design.layer_design import CapacityError, index_bits
from model.description import LegendreMemory, MemoryWidths

__all__ = ["MemoryDesign"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryDesign(MemoryWidths):
    """What a Legendre memory can hold, and how it calculates.

    Parameters
    ----------
    order, channels
        Largest q, and largest number of channels.
    coefficient_bits, fraction_bits, guard_bits, emission_bits
        C, F, G and b of `model.legendre.LegendreMemory`, fixed in the gateware.
    reads
        Largest R, a power of two.
    input_shift
        E of the gateware. A network of a smaller one, E', gets an input scale that is
        ``2^(E - E')`` times as large, which comes to the same.
    scale_bits
        Width of the input scale.
    values
        Most values of a series: steps times channels.
    input_bits
        Width of an input: a byte less another one, or the sum of an encoder.
    """

    order: int
    channels: int
    coefficient_bits: int
    fraction_bits: int
    guard_bits: int
    emission_bits: int
    reads: int
    input_shift: int
    scale_bits: int
    values: int
    input_bits: int = 9

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), int(field.name != "guard_bits")
            if not isinstance(value, int) or value < least:
                rule = "a positive integer" if least else "an integer of 0 or more"
                raise TypeError(f"{field.name} must be {rule}, not {value!r}")
        if self.reads & (self.reads - 1):
            raise ValueError(f"reads must be a power of two, not {self.reads}")
        if self.scale_bits > 32:
            raise ValueError(f"scale_bits must be at most 32, not {self.scale_bits}")
        if self.order < 2:
            raise ValueError(f"order must be at least 2, not {self.order}")

    @classmethod
    def for_memories(
        cls, memories: Sequence[LegendreMemory], *, values: int, input_bits: int = 9
    ) -> "MemoryDesign":
        """Smallest design that holds each of the memories, all of the same C, F, G and b."""
        fixed = ("coefficient_bits", "fraction_bits", "guard_bits", "emission_bits")
        widths = {tuple(getattr(memory, name) for name in fixed) for memory in memories}
        if len(widths) > 1:
            raise ValueError(
                "Memories of one gateware must have the same bits of coefficients, fraction, guard "
                f"and emission, not {sorted(widths)}"
            )
        shift = max(memory.input_shift for memory in memories)
        scales = (memory.input_scale << shift - memory.input_shift for memory in memories)
        return cls(
            order=max(memory.order for memory in memories),
            channels=max(memory.channels for memory in memories),
            reads=max(memory.reads for memory in memories),
            input_shift=shift,
            scale_bits=max(scale.bit_length() for scale in scales),
            values=values,
            input_bits=input_bits,
            **dict(zip(fixed, widths.pop(), strict=True)),
        )

    @property
    def shift_bits(self) -> int:
        """Width of an emission shift."""
        return index_bits(self.state_bits)

    @property
    def product_bits(self) -> int:
        """Width of twice an input times its scale."""
        return 1 + self.input_bits + self.scale_bits

    @property
    def term_bits(self) -> int:
        """Width of ``(2i + 1) * u * input_scale`` for i up to the order."""
        return self.input_bits + self.scale_bits + (2 * self.order + 1).bit_length()

    @property
    def value_cycles(self) -> int:
        """Cycles of an input value of a memory of the largest order; see `cycles`."""
        return self.cycles(self.order)

    def cycles(self, order: int) -> int:
        """Cycles from one input value to the next in a memory of order q: ``2 q + 21`` for inputs
        of 9 bits."""
        return 2 * order + self.input_bits + 12

    def scale(self, memory: LegendreMemory) -> int:
        """Input scale of a memory in this gateware."""
        return memory.input_scale << max(0, self.input_shift - memory.input_shift)

    def check(self, memory: LegendreMemory) -> None:
        """Refuse a memory that does not fit.

        Raises
        ------
        CapacityError
            Naming the first field that does not fit.
        """
        for noun in ("coefficient_bits", "fraction_bits", "guard_bits", "emission_bits"):
            wanted, found = getattr(self, noun), getattr(memory, noun)
            if wanted != found:
                raise CapacityError(f"{_words(noun)} of the memory must be {wanted}, not {found}")
        for noun in ("order", "channels", "reads", "input_shift"):
            limit, found = getattr(self, noun), getattr(memory, noun)
            if found > limit:
                raise CapacityError(
                    f"{_words(noun)} of the memory must be at most {limit}, not {found}"
                )
        if self.scale(memory) >> self.scale_bits:
            most = (1 << self.scale_bits) - 1 >> self.input_shift - memory.input_shift
            raise CapacityError(
                f"Input scale of the memory must be at most {most}, not {memory.input_scale}"
            )


def _words(noun: str) -> str:
    return noun.replace("_", " ").capitalize()
