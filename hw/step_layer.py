# SPDX-License-Identifier: Apache-2.0
"""A stepwise layer: spike words in, the sums of P neurons in each step out."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design import Design, index_bits
from hw.lane import Lane
from hw.layer import layer_latency
from hw.row_memory import RowMemory
from hw.spike_word import spike_word
from hw.step_shapes import STEP_END, step_sums_layout
from hw.vendor.spram import SpramRowMemory

__all__ = ["StepLayer"]


class StepLayer(wiring.Component):
    """Adds up the weights of one step's spikes for one block of P neurons after the other.

    ::

        words --> word --> row number --> weight memory --> row register --> P lanes
          n       n+1         n+2              n+3              n+4       n+4+lane latency

    The words of a step come once for each block. One word a cycle; the last word of a block's
    step is taken only while `room` is 1. The pipeline behind never stalls. The lanes need no
    cycle to be cleared: the first word of a step takes the place of the sum before.

    A word reads memory row ``member * rows_per_member + block * groups + group``; the member is
    counted from the words that are ``last``. Where weights are drawn, a weight is +1 if its sign
    bit is 1, or if its undecided bit and the random bit of its input are both 1; no word is taken
    until the random bits of the member are there.

    Parameters
    ----------
    design, layer
        Sizes.

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
        As in `hw.sampler.Sampler`; only where weights are drawn.
    write_enable, write_row, write_data : In
        Store a row of the weight memory; only while no samples are in flight.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
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
        width = this.inputs_per_cycle
        kind = SpramRowMemory if self._design.is_spram(self._index) else RowMemory
        m.submodules.memory = memory = kind(rows=this.rows, row_bits=this.row_bits)
        m.d.comb += [
            memory.write_enable.eq(self.write_enable),
            memory.write_row.eq(self.write_row),
            memory.write_data.eq(self.write_data),
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
        base, place = Signal.like(member_row), Signal(range(max(this.groups, 2)))
        m.d.sync += [
            base.eq(block_row),
            place.eq(self.i.p.group),
            memory.read_row.eq(base + place),
        ]

        # What travels beside the row.
        stage = data.StructLayout({"first": 1, "spikes": width, "end_of_step": 1, "last": 1})
        stages = [Signal(stage, name=f"stage{n}") for n in range(1, self.latency + 1)]
        first, has_moved = Signal(init=1), Signal()
        with m.If(moved):
            m.d.sync += first.eq(self.i.p.end_of_step)
        m.d.sync += [
            stages[0].first.eq(first & moved),
            stages[0].spikes.eq(self.i.p.spikes),
            has_moved.eq(moved),
            stages[0].end_of_step.eq(moved & self.i.p.end_of_step),
            stages[0].last.eq(self.i.p.last),
            *(after.eq(before) for before, after in zip(stages, stages[1:], strict=False)),
            # Here, as spikes come late out of a memory.
            stages[1].spikes.eq(stages[0].spikes & has_moved.replicate(width)),
        ]
        # The register behind the memory.
        row_register = Signal(this.sign_bits)
        weights: Value = row_register
        signs = memory.read_data[: this.sign_bits]
        if this.sampled:
            m.d.comb += [
                self.random_group.eq(self.i.p.group),
                self.random_release.eq(ends_pass),
            ]
            undecided = memory.read_data[this.sign_bits :]
            if width == 1:
                # Behind the register, where a lane's tables have inputs to spare.
                undecided_register, random = Signal.like(row_register), Signal()
                m.d.sync += [
                    row_register.eq(signs),
                    undecided_register.eq(undecided),
                    random.eq(self.random_bits),
                ]
                weights = row_register | undecided_register & random.replicate(this.lanes)
            else:
                drawn = undecided & self.random_bits.replicate(this.lanes)
                m.d.sync += row_register.eq(signs | drawn)
        else:
            m.d.sync += row_register.eq(signs)
        for number in range(this.lanes):
            m.submodules[f"lane{number}"] = lane = Lane(layer=this)
            m.d.comb += [
                lane.bits.eq(weights[number * width : (number + 1) * width]),
                lane.spikes.eq(stages[3].spikes),
                lane.clear.eq(stages[3].first),
                self.sums.sums[number].eq(lane.potential),
            ]
        m.d.comb += [
            self.sums.valid.eq(stages[-1].end_of_step),
            self.sums.last.eq(stages[-1].last),
        ]
        return m
