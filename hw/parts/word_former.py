# SPDX-License-Identifier: Apache-2.0
"""Beats of spike times to words, one a cycle, in the order of their inputs."""

from amaranth import Array, Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.spike_word import spike_time_beat

__all__ = ["ENTRY", "WordFormer", "formed_word"]

#: Transfers of beats or words of samples.
ENTRY = data.StructLayout({"valid": 1, "ready": 1, "last": 1})


def formed_word(design: Design, layer: int) -> data.StructLayout:
    """A word before it is sorted: ``valid``, ``end`` (the sample is over, with a word or without),
    ``step``, ``group``, ``spikes``."""
    this = design.layers[layer]
    return data.StructLayout(
        {
            "valid": 1,
            "end": 1,
            "step": design.step_bits,
            "group": index_bits(this.groups),
            "spikes": this.inputs_per_cycle,
        }
    )


class WordFormer(wiring.Component):
    """Puts the spikes of one step among S neighbouring inputs into a word.

    Beats wait in two places, so that `i.ready` is a flip-flop; the first of them moves on to the
    former when that is free, a cycle after it came at the earliest. A beat occupies the former for
    max(1, number of words in it) cycles. A beat without spikes that is not the last moves on to
    nowhere, whether the former is free or not. A word is given a cycle after it was formed.

    Parameters
    ----------
    design
        Sizes.
    layer
        The layer that the words are for.

    Members
    -------
    i : In(stream of spike_time_beat)
        Spike times in input order.
    hold : In(1)
        Form nothing.
    formed : Out(formed_word)
        Words.
    end : Out(1)
        The sample's last word is being formed.
    entry : Out(ENTRY)
        Transfers to the former. Ready and not valid: a cycle that a source without gaps would
        have spared.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
        self._design = design
        self._layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(spike_time_beat(design, layer))),
                "hold": In(1),
                "formed": Out(formed_word(design, layer)),
                "end": Out(1),
                "entry": Out(ENTRY),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        layer, step_bits = self._design.layers[self._layer], self._design.step_bits
        width = layer.inputs_per_cycle
        count = self._design.times_per_cycle(self._layer)
        subgroups = count // width

        # Two places for beats.
        waiting = Signal(spike_time_beat(self._design, self._layer))
        spare = Signal.like(waiting)
        is_waiting, is_spare = Signal(), Signal()
        leave = Signal()
        m.d.comb += self.i.ready.eq(~is_spare)
        with m.If(~is_waiting | leave):
            m.d.sync += is_spare.eq(0)
            with m.If(is_spare):
                m.d.sync += [waiting.eq(spare), is_waiting.eq(1)]
            with m.Else():
                m.d.sync += [waiting.eq(self.i.p), is_waiting.eq(self.i.valid)]
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [spare.eq(self.i.p), is_spare.eq(1)]
        waiting_base = Signal(unsigned(index_bits(layer.groups) + 1))
        with m.If(leave):
            m.d.sync += waiting_base.eq(waiting_base + subgroups)
            with m.If(waiting.last):
                m.d.sync += waiting_base.eq(0)

        # Former: one word a cycle out of the beat in hand. A word has a leader: the first input
        # of its group that spikes in its step; `same` tells which later ones belong to it.
        times = list(zip(waiting.fires, waiting.steps, strict=True))
        leaders = Signal(count)
        new_leaders = Signal(count)
        steps = [Signal(step_bits, name=f"step{k}") for k in range(count)]
        same: dict[tuple[int, int], Signal] = {}
        load = Signal()
        for later in range(count):
            begin = later - later % width
            follows = []
            for earlier in range(begin, later):
                (fires, at), (fires_too, at_too) = times[earlier], times[later]
                equal = Signal(name=f"equal{earlier}_{later}")
                m.d.comb += equal.eq(fires & fires_too & (at == at_too))
                follows.append(equal)
                same[earlier, later] = Signal(name=f"same{earlier}_{later}")
                with m.If(load):
                    m.d.sync += same[earlier, later].eq(equal)
            m.d.comb += new_leaders[later].eq(times[later][0] & ~Cat(follows).any())
            with m.If(load):
                m.d.sync += steps[later].eq(times[later][1])

        present, more, first_of = [], [], []
        step_of, spikes_of = [], []
        for j in range(subgroups):
            places = range(j * width, (j + 1) * width)
            part = leaders[j * width : (j + 1) * width]
            first = Signal(width, name=f"first{j}")
            m.d.comb += first.eq(part & (~part + 1))
            first_of.append(first)
            present.append(part.any())
            more.append((part & (part - 1)[:width]).any())
            here = Signal(step_bits, name=f"step_of{j}")
            spikes = Signal(width, name=f"spikes_of{j}")
            for place in reversed(places):
                with m.If(leaders[place]):
                    later = range(place + 1, places.stop)
                    before = Const(0, place - places.start)
                    m.d.comb += [
                        here.eq(steps[place]),
                        spikes.eq(Cat(before, Const(1, 1), *(same[place, k] for k in later))),
                    ]
            step_of.append(here)
            spikes_of.append(spikes)
        subgroup = Signal(index_bits(subgroups))
        for j in reversed(range(subgroups)):
            with m.If(present[j]):
                m.d.comb += subgroup.eq(j)
        remaining = Signal(count)
        for j in range(subgroups):
            part = slice(j * width, (j + 1) * width)
            taken = (subgroup == j) if subgroups > 1 else Const(1, 1)
            m.d.comb += remaining[part].eq(leaders[part] & ~(first_of[j] & taken.replicate(width)))
        occupied, is_last = Signal(), Signal()
        base = Signal.like(waiting_base)
        present_bits = Cat(present)
        is_done = Signal()  # no word is left after this one
        can_form = Signal()
        done = Signal()
        without_spikes = Signal()
        m.d.comb += [
            is_done.eq(~Cat(more).any() & ~(present_bits & (present_bits - 1)[:subgroups]).any()),
            can_form.eq(occupied & ~self.hold),
            done.eq(can_form & is_done),
            self.end.eq(done & is_last),
            without_spikes.eq(~waiting.fires.any() & ~waiting.last),
            load.eq(~occupied | done),
            leave.eq(is_waiting & (load | without_spikes)),
        ]
        with m.If(load):
            m.d.sync += [
                occupied.eq(is_waiting & ~without_spikes),
                leaders.eq(new_leaders),
                is_last.eq(waiting.last),
                base.eq(waiting_base),
            ]
        with m.Elif(can_form):
            m.d.sync += leaders.eq(remaining)
        # Beats without spikes that come late would have moved on beside words that are done.
        spared = Signal(range(count + 1))
        with m.If(self.end | (load & leave & ~without_spikes)):
            m.d.sync += spared.eq(0)
        with m.Elif(load & leave & (spared != 0)):
            m.d.sync += spared.eq(spared - 1)
        with m.Elif(~load & ~leave):
            # Of the words of one beat.
            m.d.sync += spared.eq(spared + 1)
        m.d.comb += [
            self.entry.valid.eq(is_waiting & (~without_spikes | (spared == 0))),
            self.entry.ready.eq(load),
            self.entry.last.eq(waiting.last),
        ]
        m.d.sync += [
            self.formed.valid.eq(can_form & leaders.any()),
            self.formed.end.eq(self.end),
            self.formed.step.eq(Array(step_of)[subgroup]),
            # Group numbers of real inputs fit; beats of padding never spike.
            self.formed.group.eq(base + subgroup),
            self.formed.spikes.eq(Array(spikes_of)[subgroup]),
        ]
        return m
