# SPDX-License-Identifier: Apache-2.0
"""Resources of a Legendre memory before it is built; factors as in `hw.fit.estimate`."""

from collections.abc import Callable

from hw.design.design import Design, ceil_div, index_bits
from hw.flow.report import Resources

__all__ = ["memory_parts"]

# Widths of the factors of a multiplier of the chip; on Gowin products are made in tables, see
# `hw.flow.build`.
_FACTORS = {"ice40": 16, "ecp5": 18}


def memory_parts(
    design: Design, family: str, row_blocks: Callable[[int, int], int]
) -> dict[str, Resources]:
    """Parts of a design with a memory, named as in build reports.

    Parameters
    ----------
    design
        Capacity and fold.
    family
        Of the chip, as in `hw.boards.board.Board`.
    row_blocks
        Block RAMs of a `hw.parts.row_memory.RowMemory` of so many rows of so many bits.
    """
    memory = design.memory
    width, bits = memory.multiplicand_bits, memory.emission_bits
    inputs = memory.term_bits + memory.product_bits
    solver = Resources(
        luts=100 + 2 * inputs + 16 * width + 2 * memory.state_bits,
        flip_flops=60 + inputs + 11 * width,
        ram_blocks=row_blocks(memory.states, memory.state_bits)
        + row_blocks(memory.order, memory.coefficient_bits + 1)
        + row_blocks(memory.order, memory.forward_bits),
    )
    other = memory.coefficient_bits + 2
    if family in _FACTORS:
        factor = _FACTORS[family]
        solver += Resources(dsp_blocks=ceil_div(width, factor) * ceil_div(other, factor))
    else:
        solver += Resources(luts=width * other)
    fine = memory.state_bits + index_bits(2 * memory.reads)
    group = design.layers[0].inputs_per_cycle * bits
    reader = Resources(
        luts=120 + 4 * fine + 2 * group,
        flip_flops=60 + 3 * fine + group,
        ram_blocks=row_blocks(memory.states, memory.shift_bits),
    )
    parts = {"series": solver + reader}
    if design.evaluates:
        depth = len(design.layers)
        parts["marks"] = Resources(luts=25 * depth, flip_flops=12 * depth)
    return parts
