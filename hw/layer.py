# SPDX-License-Identifier: Apache-2.0
"""A layer: spike words in, potentials of P neurons at the end of each step out."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design import Design, LayerDesign, index_bits
from hw.lane import Lane, lane_latency
from hw.row_memory import RowMemory
from hw.spike_word import spike_word
from hw.vendor.spram import SpramRowMemory

__all__ = ["Layer", "layer_latency", "observation_layout"]


def layer_latency(layer: LayerDesign) -> int:
    """Cycles from the taking of a word to its observation: word, row number, memory, row, lane."""
    return 4 + lane_latency(layer)


def observation_layout(design: Design, layer: int) -> data.StructLayout:
    """What can be seen of the P neurons of a block.

    Members: ``valid`` (a step has ended), ``start`` (a new block begins; what was seen before
    belongs to the block before), ``last`` (with valid: the sample has no further words),
    ``block``, ``step``, ``potentials`` (P signed potentials after the step).
    """
    this = design.layers[layer]
    return data.StructLayout(
        {
            "valid": 1,
            "start": 1,
            "last": 1,
            "block": index_bits(this.blocks),
            "step": design.step_bits,
            "potentials": data.ArrayLayout(signed(this.potential_bits), this.lanes),
        }
    )


class Layer(wiring.Component):
    """Runs one block of P neurons over a sample's words, then the next block over the same words.

    ::

        words --> word --> row number --> weight memory --> row register --> P lanes
          n       n+1         n+2              n+3              n+4       n+4+lane latency

    A pass takes ``planes`` cycles, in which the start values are read from the first rows of the
    block, and then one cycle a word. The last word of a pass is taken only while `room` is 1. The
    pipeline behind never stalls.

    Parameters
    ----------
    design, layer
        Sizes.

    Members
    -------
    i : In(stream of spike_word)
        The sample's words, once for each block.
    blocks : In
        Blocks in use.
    room : In(1)
        The back end can take the outcome of a pass.
    reserve : Out(1)
        The last word of a pass has been taken.
    observation : Out(observation_layout)
        Seen ``latency`` cycles after a word was taken.
    write_enable, write_row, write_data : In
        Store a row of the weight memory; only while no samples are in flight.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
        self._design = design
        self._index = layer
        this = design.layers[layer]
        super().__init__(
            {
                "i": In(stream.Signature(spike_word(design, layer))),
                "blocks": In(range(this.blocks + 1)),
                "room": In(1),
                "reserve": Out(1),
                "observation": Out(observation_layout(design, layer)),
                "write_enable": In(1),
                "write_row": In(index_bits(this.rows)),
                "write_data": In(this.row_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the taking of a word to its observation."""
        return layer_latency(self._design.layers[self._index])

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        this = self._design.layers[self._index]
        is_spram = self._design.weight_memory == "spram" and self._index == 0
        kind = SpramRowMemory if is_spram else RowMemory
        m.submodules.memory = memory = kind(rows=this.rows, row_bits=this.row_bits)

        m.d.comb += [
            memory.write_enable.eq(self.write_enable),
            memory.write_row.eq(self.write_row),
            memory.write_data.eq(self.write_data),
        ]

        # Front end: which row next.
        block = Signal(index_bits(this.blocks))
        block_row = Signal(index_bits(this.rows))
        plane = Signal(index_bits(this.planes))
        # A pass takes two cycles or more, so that this is settled when it is asked for.
        final_block = Signal()
        m.d.sync += final_block.eq(block + 1 == self.blocks)
        take = Signal()
        load = Signal()
        m.d.comb += [
            self.i.ready.eq(take & (~self.i.p.last | self.room)),
            self.reserve.eq(self.i.valid & self.i.ready & self.i.p.last),
        ]
        with m.FSM():
            with m.State("LOAD"):
                m.d.comb += load.eq(self.i.valid)
                with m.If(load):
                    m.d.sync += plane.eq(plane + 1)
                    with m.If(plane == this.planes - 1):
                        m.d.sync += plane.eq(0)
                        m.next = "ACCUMULATE"
            with m.State("ACCUMULATE"):
                m.d.comb += take.eq(1)
                with m.If(self.reserve):
                    m.d.sync += [block.eq(block + 1), block_row.eq(block_row + this.rows_per_block)]
                    with m.If(final_block):
                        m.d.sync += [block.eq(0), block_row.eq(0)]
                    m.next = "LOAD"
        base, place = Signal.like(block_row), Signal(range(max(this.planes, this.groups)))
        m.d.sync += [base.eq(block_row + this.planes), place.eq(self.i.p.group)]
        with m.If(load):
            m.d.sync += [base.eq(block_row), place.eq(plane)]
        m.d.sync += memory.read_row.eq(base + place)

        # What travels beside the row.
        stage = data.StructLayout(
            {
                "load": this.planes,
                "spikes": this.inputs_per_cycle,
                "end_of_step": 1,
                "last": 1,
                "block": index_bits(this.blocks),
                "step": self._design.step_bits,
            }
        )
        stages = [Signal(stage, name=f"stage{n}") for n in range(1, self.latency + 1)]
        moved, has_moved = Signal(), Signal()
        m.d.comb += moved.eq(self.i.valid & self.i.ready)
        m.d.sync += [
            stages[0].load.eq(load << plane),
            stages[0].spikes.eq(self.i.p.spikes),
            has_moved.eq(moved),
            stages[0].end_of_step.eq(moved & self.i.p.end_of_step),
            stages[0].last.eq(self.i.p.last),
            stages[0].block.eq(block),
            stages[0].step.eq(self.i.p.step),
            *(after.eq(before) for before, after in zip(stages, stages[1:], strict=False)),
            # Here, as spikes come late out of a memory.
            stages[1].spikes.eq(stages[0].spikes & has_moved.replicate(this.inputs_per_cycle)),
        ]
        row_register = Signal(this.row_bits)
        m.d.sync += row_register.eq(memory.read_data)
        width = this.inputs_per_cycle
        for number in range(this.lanes):
            m.submodules[f"lane{number}"] = lane = Lane(layer=this)
            m.d.comb += [
                lane.bits.eq(row_register[number * width : (number + 1) * width]),
                lane.spikes.eq(stages[3].spikes),
                lane.load.eq(stages[3].load),
                self.observation.potentials[number].eq(lane.potential),
            ]
        m.d.comb += [
            self.observation.valid.eq(stages[-1].end_of_step),
            self.observation.start.eq(stages[-1].load[0]),
            self.observation.last.eq(stages[-1].last),
            self.observation.block.eq(stages[-1].block),
            self.observation.step.eq(stages[-1].step),
        ]
        return m
