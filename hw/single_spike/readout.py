# SPDX-License-Identifier: Apache-2.0
"""Potentials of the output neurons to a decision."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.spike_word import output_record
from hw.single_spike.layer import observation_layout
from model.description import Readout as Rule

__all__ = ["Readout"]


class Readout(wiring.Component):
    """Decides as ``model/golden.py`` says, and tells what every output neuron did.

    While a pass runs, each lane keeps the step of its first spike and its score: the potential at
    that spike, or after the last step if it stays silent (first spike, final potential), or the
    sum of the potential over all steps (summed potential). After the pass the lanes are copied,
    and one record a cycle leaves, starting 2 cycles after the last observation.

    Parameters
    ----------
    design
        The last layer is read.

    Members
    -------
    observation, reserve, room, neurons
        As in `hw.single_spike.spike_times.SpikeTimes`.
    rule : In
        Index into ``design.readouts``.
    stop : Out(1), stop_sample : Out(2)
        With ``early_stop``: the sample of that number (modulo 4) is decided. What is seen of it
        later is ignored.
    o : Out(stream of output_record)
        One record a neuron.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        layer = len(design.layers) - 1
        this = design.layers[layer]
        super().__init__(
            {
                "observation": In(observation_layout(design, layer)),
                "reserve": In(1),
                "room": Out(1),
                "neurons": In(range(this.neurons + 1)),
                "rule": In(range(len(design.readouts) + 1)),
                "stop": Out(1),
                "stop_sample": Out(2),
                "o": Out(stream.Signature(output_record(design))),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        this = design.layers[-1]
        entry = data.StructLayout(
            {"fired": 1, "step": design.step_bits, "score": signed(design.score_bits)}
        )
        seen = self.observation

        def chosen(rule: Rule) -> Signal:
            """Whether a readout is the one in use."""
            is_chosen = Signal(name=f"is_{rule.name.lower()}")
            if rule in design.readouts:
                m.d.comb += is_chosen.eq(self.rule == design.readouts.index(rule))
            return is_chosen

        first_spike = chosen(Rule.FIRST_SPIKE)
        summed = chosen(Rule.SUMMED_POTENTIAL)

        outcomes = [Signal(entry, name=f"outcome{lane}") for lane in range(this.lanes)]
        fresh = Signal()  # no step of this pass has been seen yet
        with m.If(seen.start):
            m.d.sync += fresh.eq(1)
        with m.Elif(seen.valid):
            m.d.sync += fresh.eq(0)
        decided = Signal()
        if design.early_stop:
            reached = Cat(potential >= 0 for potential in seen.potentials)
            m.d.comb += self.stop.eq(seen.valid & reached.any() & first_spike & ~decided)
            with m.If(seen.start):
                m.d.sync += decided.eq(0)
            with m.Elif(self.stop):
                m.d.sync += decided.eq(1)
            with m.If(seen.valid & seen.last):
                m.d.sync += self.stop_sample.eq(self.stop_sample + 1)
        for lane, outcome in enumerate(outcomes):
            potential = seen.potentials[lane]
            with m.If(seen.start):
                m.d.sync += [outcome.fired.eq(0), outcome.step.eq(0)]
            with m.Elif(seen.valid & ~outcome.fired & ~decided):
                with m.If((potential >= 0) & first_spike):
                    m.d.sync += [outcome.fired.eq(1), outcome.step.eq(seen.step)]
                with m.If(summed & ~fresh):
                    # score_bits leave room for the sum over all steps.
                    m.d.sync += outcome.score.eq(outcome.score + potential)
                with m.Else():
                    m.d.sync += outcome.score.eq(potential)

        copy = Signal()
        reserved = Signal()
        active = Signal()
        copies = Signal(data.ArrayLayout(entry, this.lanes))
        lane = Signal(index_bits(this.lanes))
        neuron = Signal.like(self.o.p.neuron)
        final_neuron = Signal.like(self.neurons)
        m.d.sync += final_neuron.eq(self.neurons - 1)
        begun = Signal()
        best = Signal(entry)
        best_neuron = Signal.like(neuron)
        m.d.sync += copy.eq(seen.valid & seen.last)
        with m.If(self.reserve):
            m.d.sync += reserved.eq(1)
        m.d.comb += self.room.eq(~reserved)
        with m.If(copy):
            m.d.sync += [copies.eq(Cat(*outcomes)), active.eq(1)]

        current = copies[0]
        better = Signal()
        same_step = Signal()
        m.d.comb += [
            same_step.eq((current.fired == best.fired) & (current.step == best.step)),
            better.eq(
                ~begun
                | (current.fired & ~best.fired)
                | (current.fired & (current.step < best.step))
                | (same_step & (current.score > best.score))
            ),
            self.o.valid.eq(active),
            self.o.p.neuron.eq(neuron),
            self.o.p.fired.eq(current.fired),
            self.o.p.step.eq(current.step),
            self.o.p.score.eq(current.score),
            self.o.p.winner.eq(best_neuron),
            self.o.p.last.eq(neuron == final_neuron),
        ]
        with m.If(better):
            m.d.comb += self.o.p.winner.eq(neuron)
        with m.If(active & self.o.ready):
            m.d.sync += [
                copies.eq(copies.as_value() >> entry.size),
                lane.eq(lane + 1),
                neuron.eq(neuron + 1),
                begun.eq(1),
            ]
            with m.If(better):
                m.d.sync += [best.eq(current), best_neuron.eq(neuron)]
            with m.If(self.o.p.last | (lane == this.lanes - 1)):
                m.d.sync += [lane.eq(0), active.eq(0), reserved.eq(0)]
            with m.If(self.o.p.last):
                m.d.sync += [neuron.eq(0), begun.eq(0)]
        return m
