# SPDX-License-Identifier: Apache-2.0
"""Potentials to spike times: the fire stage of a hidden single-spike layer."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, ceil_div, index_bits
from hw.parts.spike_word import spike_time_beat
from hw.single_spike.layer import observation_layout

__all__ = ["SpikeTimes"]


class SpikeTimes(wiring.Component):
    """Notes the first step at which each of P neurons has reached its threshold.

    After the last step of a pass the times are copied (so that the next pass can begin) and
    leave G a cycle, in neuron order, starting 2 cycles after the last observation. A pass of a
    block takes ceil(P / G) beats.

    Parameters
    ----------
    design, layer
        The layer that fires; G is its ``times_per_cycle``.

    Members
    -------
    observation : In(observation_layout)
        From the layer.
    reserve : In(1)
        A pass ends; its outcome arrives with the observation.
    room : Out(1)
        The outcome of a further pass can be taken.
    neurons, blocks : In
        Neurons and blocks in use; lanes beyond never fire.
    o : Out(stream of spike_time_beat of the next layer)
        Spike times.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
        self._design = design
        self._index = layer
        this = design.layers[layer]
        super().__init__(
            {
                "observation": In(observation_layout(design, layer)),
                "reserve": In(1),
                "room": Out(1),
                "neurons": In(range(this.neurons + 1)),
                "blocks": In(range(this.blocks + 1)),
                "o": Out(stream.Signature(spike_time_beat(design, layer + 1))),
            }
        )

    @property
    def beats(self) -> int:
        """Beats of a block."""
        this = self._design.layers[self._index]
        return ceil_div(this.lanes, this.fold.times_per_cycle)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        this = self._design.layers[self._index]
        count = this.fold.times_per_cycle
        entry = data.StructLayout({"fires": 1, "step": self._design.step_bits})
        seen = self.observation

        times = [Signal(entry, name=f"time{lane}") for lane in range(this.lanes)]
        for lane, time in enumerate(times):
            with m.If(seen.start):
                m.d.sync += time.fires.eq(0)
            with m.Elif(seen.valid & ~time.fires):
                # The step is noted until the potential has reached 0, its sign bit thus 0.
                m.d.sync += [
                    time.fires.eq(seen.potentials[lane] >= 0),
                    time.step.eq(seen.step),
                ]

        copy = Signal()
        reserved = Signal()
        active = Signal()
        copies = Signal(data.ArrayLayout(entry, this.lanes))
        beat = Signal(index_bits(self.beats))
        block = Signal(range(this.blocks + 1))
        left = Signal(range(this.neurons + 1))
        begun = Signal()
        final_block = Signal.like(block)
        m.d.sync += final_block.eq(self.blocks - 1)
        m.d.sync += copy.eq(seen.valid & seen.last)
        with m.If(self.reserve):
            m.d.sync += reserved.eq(1)
        m.d.comb += self.room.eq(~reserved)
        remaining = Signal.like(left)
        m.d.comb += remaining.eq(self.neurons)
        with m.If(begun):
            m.d.comb += remaining.eq(left)
        with m.If(copy):
            m.d.sync += [copies.eq(Cat(*times)), active.eq(1)]
        end_of_block = Signal()
        m.d.comb += [
            end_of_block.eq(beat == self.beats - 1),
            self.o.valid.eq(active),
            self.o.p.last.eq(end_of_block & (block == final_block)),
        ]
        for place in range(count):
            m.d.comb += [
                self.o.p.fires[place].eq(copies[place].fires & (remaining > place)),
                self.o.p.steps[place].eq(copies[place].step),
            ]
        with m.If(active & self.o.ready):
            m.d.sync += [
                copies.eq(copies.as_value() >> (count * entry.size)),
                beat.eq(beat + 1),
                begun.eq(1),
                left.eq(remaining - count),
            ]
            with m.If(remaining < count):
                m.d.sync += left.eq(0)
            with m.If(end_of_block):
                m.d.sync += [beat.eq(0), active.eq(0), reserved.eq(0), block.eq(block + 1)]
                with m.If(self.o.p.last):
                    m.d.sync += [block.eq(0), begun.eq(0)]
        return m
