# SPDX-License-Identifier: Apache-2.0
"""A layer: spike words in, potentials of P neurons at the end of each step out."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.lanes.lane_array import LaneArray, layer_latency
from hw.parts.spike_word import spike_word

__all__ = ["Layer", "observation_layout"]


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

    A pass takes ``planes`` cycles, in which the start values are read from the first rows of the
    block, and then one cycle a word. The last word of a pass is taken only while `room` is 1. The
    pipeline behind, a `hw.lanes.lane_array.LaneArray`, never stalls.

    Parameters
    ----------
    design, layer
        Sizes.
    initial
        Rows of the weight memory at power-up, see `hw.parts.row_memory.RowMemory`.

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

    def __init__(self, *, design: Design, layer: int, initial: Sequence[int] | None = None) -> None:
        self._initial = initial
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
        stage = data.StructLayout(
            {
                "start": 1,
                "end_of_step": 1,
                "last": 1,
                "block": index_bits(this.blocks),
                "step": self._design.step_bits,
            }
        )
        m.submodules.array = array = LaneArray(
            layer=this,
            is_spram=self._design.is_spram(self._index),
            tag=stage,
            initial=self._initial,
        )
        m.d.comb += [
            array.write_enable.eq(self.write_enable),
            array.write_row.eq(self.write_row),
            array.write_data.eq(self.write_data),
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
        moved = Signal()
        m.d.comb += [
            moved.eq(self.i.valid & self.i.ready),
            array.base.eq(Mux(load, block_row, block_row + this.planes)),
            array.place.eq(Mux(load, plane, self.i.p.group)),
            array.control.eq(load << plane),
            array.spikes.eq(self.i.p.spikes),
            array.moves.eq(moved),
            array.tag.start.eq(load & (plane == 0)),
            array.tag.end_of_step.eq(moved & self.i.p.end_of_step),
            array.tag.last.eq(self.i.p.last),
            array.tag.block.eq(block),
            array.tag.step.eq(self.i.p.step),
            self.observation.valid.eq(array.tag_after.end_of_step),
            self.observation.start.eq(array.tag_after.start),
            self.observation.last.eq(array.tag_after.last),
            self.observation.block.eq(array.tag_after.block),
            self.observation.step.eq(array.tag_after.step),
            self.observation.potentials.eq(array.sums),
        ]
        return m
