# SPDX-License-Identifier: Apache-2.0
"""A stepwise layer: spike words in, the sums of P neurons in each step out."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.lanes.lane_array import LaneArray, layer_latency
from hw.parts.spike_word import spike_word
from hw.parts.step_shapes import STEP_END, step_sums_layout

__all__ = ["StepLayer"]


class StepLayer(wiring.Component):
    """Adds up the weights of one step's spikes for one block of P neurons after the other.

    The words of a step come once for each block. One word a cycle; the last word of a block's
    step is taken only while `room` is 1. The pipeline behind, a `hw.lanes.lane_array.LaneArray`,
    never stalls. The lanes need no cycle to be cleared: the first word of a step takes the place of
    the sum before.

    A word reads memory row ``member * rows_per_member + block * groups + group``; the member is
    counted from the words that are ``last``. Where weights are drawn, a weight is +1 if its sign
    bit is 1, or if its undecided bit and the random bit of its input are both 1; no word is taken
    until the random bits of the member are there.

    Parameters
    ----------
    design, layer
        Sizes.
    initial
        Rows of the weight memory at power-up, see `hw.parts.row_memory.RowMemory`.

    Members
    -------
    i : In(stream of spike_word)
        Words, each step once for each block.
    blocks, members : In
        In use.
    room : In(1)
        The sums of a further block can be taken.
    end : Out(STEP_END)
        The end of a block's step is being taken.
    sums : Out(step_sums_layout)
        Seen ``latency`` cycles after the word that ends the step was taken.
    random_ready : In(1), random_group : Out, random_release : Out(1), random_bits : In(S)
        As in `hw.stepwise.sampler.Sampler`; only where weights are drawn.
    write_enable, write_row, write_data : In
        Store a row of the weight memory; only while no samples are in flight.
    """

    def __init__(self, *, design: Design, layer: int, initial: Sequence[int] | None = None) -> None:
        self._initial = initial
        self._design = design
        self._index = layer
        this = design.layers[layer]
        random = {
            "random_ready": In(1),
            "random_group": Out(index_bits(this.groups)),
            "random_release": Out(1),
            "random_bits": In(this.inputs_per_cycle),
        }
        super().__init__(
            {
                "i": In(stream.Signature(spike_word(design, layer))),
                "blocks": In(range(this.blocks + 1)),
                "members": In(range(design.members + 1)),
                "room": In(1),
                "end": Out(STEP_END),
                "sums": Out(step_sums_layout(design, layer)),
                **(random if this.sampled else {}),
                "write_enable": In(1),
                "write_row": In(index_bits(this.rows)),
                "write_data": In(this.row_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the taking of a word to its sums."""
        return layer_latency(self._design.layers[self._index])

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        this = self._design.layers[self._index]
        m.submodules.array = array = LaneArray(
            layer=this,
            is_spram=self._design.is_spram(self._index),
            tag=data.StructLayout({"end_of_step": 1, "last": 1}),
            initial=self._initial,
        )
        m.d.comb += [
            array.write_enable.eq(self.write_enable),
            array.write_row.eq(self.write_row),
            array.write_data.eq(self.write_data),
        ]

        moved, is_ready = Signal(), Signal(init=1)
        if this.sampled:
            m.d.comb += is_ready.eq(self.random_ready)
        final_block = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(is_ready & (~self.i.p.end_of_step | self.room)),
            moved.eq(self.i.valid & self.i.ready),
            self.end.valid.eq(moved & self.i.p.end_of_step),
            self.end.final_block.eq(final_block),
            self.end.last.eq(self.i.p.last),
        ]

        # Which rows next. Steps end in blocks two cycles apart or more, so that what is compared
        # here is settled when it is asked for.
        member_row = Signal(index_bits(this.rows))
        block_row = member_row
        ends_pass = Signal()
        m.d.comb += ends_pass.eq(self.end.valid & final_block & self.i.p.last)
        if this.members > 1:
            member, final_member = Signal(range(this.members)), Signal()
            next_row = Signal.like(member_row)
            m.d.sync += final_member.eq(member + 1 == self.members)
            m.d.comb += next_row.eq(Mux(final_member, 0, member_row + this.rows_per_member))
            with m.If(ends_pass):
                m.d.sync += [
                    member.eq(Mux(final_member, 0, member + 1)),
                    member_row.eq(next_row),
                ]
        else:
            next_row = member_row
        if this.blocks > 1:
            block, block_row = Signal(index_bits(this.blocks)), Signal.like(member_row)
            m.d.sync += final_block.eq(block + 1 == self.blocks)
            with m.If(self.end.valid):
                m.d.sync += [block.eq(block + 1), block_row.eq(block_row + this.groups)]
                with m.If(final_block):
                    m.d.sync += [
                        block.eq(0),
                        block_row.eq(Mux(self.i.p.last, next_row, member_row)),
                    ]

        first = Signal(init=1)
        with m.If(moved):
            m.d.sync += first.eq(self.i.p.end_of_step)
        m.d.comb += [
            array.base.eq(block_row),
            array.place.eq(self.i.p.group),
            array.control.eq(first & moved),
            array.spikes.eq(self.i.p.spikes),
            array.moves.eq(moved),
            array.tag.end_of_step.eq(self.end.valid),
            array.tag.last.eq(self.i.p.last),
            self.sums.valid.eq(array.tag_after.end_of_step),
            self.sums.last.eq(array.tag_after.last),
            self.sums.sums.eq(array.sums),
        ]
        if this.input_bits > 1:
            m.d.comb += array.plane.eq(self.i.p.plane)
        if this.input_signed:
            m.d.comb += array.negative.eq(self.i.p.plane == this.input_bits - 1)
        if this.sampled:
            m.d.comb += [
                self.random_group.eq(self.i.p.group),
                self.random_release.eq(ends_pass),
                array.random_bits.eq(self.random_bits),
            ]
        return m
