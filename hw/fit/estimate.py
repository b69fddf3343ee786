# SPDX-License-Identifier: Apache-2.0
"""Resources and clock of a design before it is built; cycles come from `hw.times.schedule`.

Block RAMs are counted as the tools map memories, and come out right or nearly so. Tables and
flip-flops are sums of what each part needs, from the widths of its registers and adders, with
factors fitted to builds of the shipped networks: read them as +-15 %. Reports show them beside what
came out.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hw.boards.board import Board
from hw.design.design import Design, LayerDesign, ceil_div, index_bits
from hw.fit.memory_estimate import memory_parts
from hw.fit.step_estimate import step_parts
from hw.flow.report import Resources, sum_resources
from hw.formats.write_target import write_targets
from hw.link.packets import buffer_depth
from hw.parts.replay_buffer import entry_layout
from hw.parts.row_memory import column_bits
from hw.parts.spike_word import spike_time_beat, spike_word
from hw.vendor.block_ram import BLOCK_RAMS
from model.description import Network
from model.description import Readout as Rule

__all__ = [
    "Estimate",
    "Shortage",
    "bandwidth_share",
    "estimate",
    "memory_blocks",
    "row_memory_blocks",
    "weight_bits",
]

# Memories of fewer bits become flip-flops or distributed RAM.
_SMALLEST = {"ice40": 128, "ecp5": 1024, "gowin": 512}
# Registers, loader and counters; link and UART; clock, reset and pins; boot from the flash.
_FIXED = {
    "ice40": {
        "accelerator": Resources(luts=690, flip_flops=360),
        "link": Resources(luts=1040, flip_flops=440),
        "board": Resources(luts=50, flip_flops=20),
        "boot": Resources(luts=120, flip_flops=95),
    },
    "ecp5": {
        "accelerator": Resources(luts=770, flip_flops=370),
        "link": Resources(luts=1130, flip_flops=480),
        "board": Resources(luts=30, flip_flops=25),
        "boot": Resources(luts=160, flip_flops=95),
    },
}
# A Gowin chip has the same tables.
_FIXED["gowin"] = _FIXED["ecp5"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shortage:
    """What a chip has too little of for a design.

    Parameters
    ----------
    need, limit
        What the design needs, and what there is.
    of
        Of what, in the plural.
    crowded
        The chip has more; the limit is what can be placed and routed.
    """

    need: int
    limit: int
    of: str
    crowded: bool = False

    @property
    def excess(self) -> float:
        """Need over limit; infinite where there is nothing."""
        return self.need / self.limit if self.limit else float("inf")

    def __str__(self) -> str:
        text = f"{self.need} {self.of} of {self.limit}"
        return f"{text} that can be placed" if self.crowded else text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a design is expected to need on a board.

    Parameters
    ----------
    parts
        Resources by part, with the names that build reports use; ``packing`` is what place and
        route adds to the netlist.
    available
        What the chip has.
    """

    parts: dict[str, Resources]
    available: Resources

    @property
    def total(self) -> Resources:
        """All parts together."""
        return sum_resources(self.parts)

    @property
    def shortage(self) -> Shortage | None:
        """What the chip has too little of, the worst first; None if the design fits."""
        need, have = self.total, self.available
        short = [
            Shortage(need=wanted, limit=limit, of=noun)
            for noun, wanted, limit in (
                ("LUTs", need.luts, have.luts),
                ("flip-flops", need.flip_flops, have.flip_flops),
                ("block RAMs", need.ram_blocks, have.ram_blocks),
                ("SPRAM blocks", need.spram_blocks, have.spram_blocks),
                ("multipliers", need.dsp_blocks, have.dsp_blocks),
            )
            if wanted > limit
        ]
        return max(short, key=lambda each: each.excess, default=None)


def memory_blocks(*, depth: int, width: int, family: str) -> int:
    """Block RAMs that a memory with one read and one write port takes.

    Parameters
    ----------
    depth, width
        Words, and bits of one.
    family
        Of the chip, as in `hw.boards.board.Board`.

    Returns
    -------
    int
        0 if it becomes flip-flops or distributed RAM.
    """
    if depth * width < _SMALLEST[family]:
        return 0
    block = BLOCK_RAMS[family]
    return min(ceil_div(depth, block.depth(bits)) * ceil_div(width, bits) for bits in block.widths)


def row_memory_blocks(*, rows: int, row_bits: int, family: str) -> int:
    """Block RAMs of a `hw.parts.row_memory.RowMemory`; see `memory_blocks`."""
    column = column_bits(rows=rows, row_bits=row_bits)
    columns = [min(column, row_bits - first) for first in range(0, row_bits, column)]
    return sum(memory_blocks(depth=rows, width=bits, family=family) for bits in columns)


def _lanes(layer: LayerDesign, family: str) -> Resources:
    """Popcounts and membranes of a layer, with the row register."""
    bits, width = layer.potential_bits, layer.inputs_per_cycle
    # Carry chain; sums of pairs of inputs; the digit that is loaded, or the first sum of a step,
    # which iCE40 has room for in the tables of the chain.
    adder = bits + max(3, layer.input_bits) if width == 1 else bits + 4 * ceil_div(width, 2)
    # The sum of a word of a bit plane, shifted.
    shifted = width.bit_length() + layer.input_bits if layer.input_bits > 1 else 0
    shifter = 0 if width == 1 else 2 * shifted
    digit = bits if family != "ice40" else 0
    staged = 0 if width == 1 else 2 * width
    drawn = width if layer.sampled else 0
    return Resources(
        luts=layer.lanes * (adder + shifter + digit + drawn),
        flip_flops=layer.lanes * (bits + width + staged + shifted),
    )


def _encoder(design: Design, family: str) -> Resources:
    """Lanes that make the memory's inputs, and what is kept of the hidden neurons."""
    this = design.encoder.layer
    kept = memory_blocks(
        depth=2 << index_bits(design.layers[1].groups),
        width=entry_layout(design, 1).size,
        family=family,
    )
    return _lanes(this, family) + Resources(
        luts=200,
        flip_flops=200,
        ram_blocks=kept + row_memory_blocks(rows=this.rows, row_bits=this.row_bits, family=family),
    )


def _store(design: Design, layer: int, family: str) -> Resources:
    """Sorting store in front of a layer."""
    this = design.layers[layer]
    pointer = index_bits(design.max_words(layer))
    word = index_bits(this.groups) + this.inputs_per_cycle + pointer + 1
    beat = spike_time_beat(design, layer).size
    banks = design.store_banks
    head = (2 if banks == 2 else 1) * pointer + 2
    heads = banks * memory_blocks(depth=design.steps, width=head, family=family)
    head_bits = banks * design.steps * head
    small = head_bits if not heads and family == "ice40" else 0
    return Resources(
        luts=60 + 2 * word + 2 * beat + small,
        flip_flops=30 + 2 * word + beat + small,
        ram_blocks=heads + memory_blocks(depth=banks << pointer, width=word, family=family),
    )


def _core(design: Design, family: str) -> dict[str, Resources]:
    parts: dict[str, Resources] = {}
    if design.has_table:
        # Kept in a block RAM however small it is.
        table = max(1, memory_blocks(depth=256, width=design.step_bits + 1, family=family))
        parts["table"] = Resources(
            luts=15 * design.pixels_per_cycle,
            flip_flops=5,
            ram_blocks=table * design.pixels_per_cycle,
        )
    for index, this in enumerate(design.layers):
        sorts = design.has_table if index == 0 else not design.is_stepwise
        if sorts:
            parts[f"store{index}"] = _store(design, index, family)
        if this.blocks > 1 and not design.is_stepwise:
            word = spike_word(design, index).size
            depth = 2 << index_bits(design.max_words(index) + design.steps)
            blocks = memory_blocks(depth=depth, width=word, family=family)
            parts[f"replay{index}"] = Resources(luts=75, flip_flops=55, ram_blocks=blocks)
        control = 6 * index_bits(this.rows) + 4 * this.planes
        lanes = _lanes(this, family) + Resources(luts=control, flip_flops=control)
        if design.is_spram(index):
            memory = Resources(spram_blocks=ceil_div(this.row_bits, 16))
        else:
            memory = Resources(
                ram_blocks=row_memory_blocks(rows=this.rows, row_bits=this.row_bits, family=family)
            )
        parts[f"layer{index}"] = lanes + memory
        if index < len(design.layers) - 1 and not design.is_stepwise:
            entry = 1 + design.step_bits
            parts[f"times{index}"] = Resources(
                luts=2 * this.lanes * entry + 60, flip_flops=2 * this.lanes * entry + 25
            )
    if design.is_stepwise:
        if design.memory is not None:
            parts |= memory_parts(
                design,
                family,
                lambda rows, bits: row_memory_blocks(rows=rows, row_bits=bits, family=family),
            )
            if design.encoder is not None:
                parts["series"] += _encoder(design, family)
        parts |= step_parts(
            design, lambda depth, width: memory_blocks(depth=depth, width=width, family=family)
        )
    else:
        last = design.layers[-1]
        entry = 1 + design.step_bits + design.score_bits
        summed = design.score_bits if Rule.SUMMED_POTENTIAL in design.readouts else 0
        parts["readout"] = Resources(
            luts=last.lanes * (entry + design.score_bits + summed) + 6 * entry,
            flip_flops=2 * last.lanes * entry + 2 * entry,
        )
    row = 8 * max(target.row_bytes for target in write_targets(design))
    parts["core"] = Resources(luts=100, flip_flops=row + 30)
    return parts


def estimate(design: Design, board: Board, *, flash: bool = True) -> Estimate:
    """Return what a design is expected to need on a board, link included.

    Parameters
    ----------
    design
        Capacity and fold.
    board
        Gives the chip.
    flash
        It boots from the flash.
    """
    parts = _core(design, board.family)
    buffers = memory_blocks(depth=buffer_depth(design), width=8, family=board.family)
    buffers += memory_blocks(depth=256, width=8, family=board.family)
    fixed = dict(_FIXED[board.family])
    if not flash:
        del fixed["boot"]
    if board.family == "ice40":
        # Flip-flops that no table feeds take a cell of their own.
        flip_flops = sum_resources(parts).flip_flops
        # A stepwise core has more of them, between the stages of its neurons.
        fixed["packing"] = Resources(luts=flip_flops * (50 if design.is_stepwise else 39) // 100)
    else:
        # Ends of carry chains.
        fixed["packing"] = Resources(luts=5 * sum(layer.lanes for layer in design.layers))
    if design.is_stepwise:
        # Choice of members and seed; thresholds to load.
        fixed["accelerator"] = fixed["accelerator"] + Resources(luts=110, flip_flops=50)
    fixed["link"] = fixed["link"] + Resources(ram_blocks=buffers)
    return Estimate(
        parts={**parts, **fixed},
        available=Resources(
            luts=board.luts,
            flip_flops=board.flip_flops,
            ram_blocks=board.ram_blocks,
            spram_blocks=board.spram_blocks,
            dsp_blocks=board.dsp_blocks,
        ),
    )


def weight_bits(network: Network, spike_steps: Sequence[np.ndarray]) -> float:
    """Mean number of weight bits that a sample needs: its spikes times the neurons they reach.

    Parameters
    ----------
    network
        Sizes.
    spike_steps
        Spike step of each input, then of each neuron of each layer, T where silent, as
        `hw.schedule.schedule` takes them.
    """
    return float(
        sum(
            (np.asarray(steps) < network.steps).sum(axis=1).mean() * layer.neurons
            for steps, layer in zip(spike_steps, network.layers, strict=False)
        )
    )


def bandwidth_share(*, bits: float, cycles: float, board: Board) -> float:
    """Part of the chip's memory bandwidth that weights use: 1.0 is the bound of any design.

    Parameters
    ----------
    bits
        Weight bits that a sample needs, `weight_bits`.
    cycles
        Cycles a sample.
    board
        Gives the bits that all memories of the chip can read in a cycle, one port each.
    """
    return bits / (cycles * board.weight_bits_per_cycle)
