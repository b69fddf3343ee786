# SPDX-License-Identifier: Apache-2.0
"""Spike words of a sample, or of a step, played several times."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.spike_word import spike_word

__all__ = ["ReplayBuffer", "entry_layout"]


def entry_layout(design: Design, layer: int) -> data.StructLayout:
    """What is stored of a group's words in a step: a `spike_word` without ``plane``; ``spikes``
    are those of all planes, the lowest plane lowest."""
    members = dict(spike_word(design, layer).members)
    if members.pop("plane", None) is not None:
        this = design.layers[layer]
        members["spikes"] = this.inputs_per_cycle * this.input_bits
    return data.StructLayout(members)


class ReplayBuffer(wiring.Component):
    """Stores the words of a sample and plays them ``passes`` times; two banks.

    A word taken in one cycle costs one cycle; playing starts 3 cycles after the last word was
    taken, a word a cycle, without a gap between passes, nor between samples if the next one is
    already stored.

    Words of bit planes of the same group follow each other; they are stored as one entry, and
    played as the planes with set bits, the lowest first. What ended a step ends it in the last
    plane that is set; a group without set bits is played only if it ended one, as a word without
    spikes.

    Single-spike designs play a sample once for each block of neurons. Stepwise designs play a
    sample once for each member; with ``per_step``, the words of each step once for each block, so
    that "sample" reads "step" above.

    Parameters
    ----------
    design, layer
        The layer that the words go to.
    per_step
        Words of a step are played, not those of a sample.

    Members
    -------
    i, o : streams of spike_word
        Stored words, played words.
    passes : In(range(1, most + 1))
        How often a sample is played.
    reserve : In(1), room : Out(1)
        Only with ``per_step``: another step's words are under way; there is room for a further
        one, so that none of its words is held up.
    """

    def __init__(self, *, design: Design, layer: int, per_step: bool = False) -> None:
        self._design = design
        self._layer = layer
        self._per_step = per_step
        this = design.layers[layer]
        per_member = design.is_stepwise and not per_step
        most = design.members if per_member else this.blocks
        super().__init__(
            {
                "i": In(stream.Signature(spike_word(design, layer))),
                "o": Out(stream.Signature(spike_word(design, layer))),
                "passes": In(range(most + 1)),
                **({"reserve": In(1), "room": Out(1)} if per_step else {}),
            }
        )

    @property
    def depth(self) -> int:
        """Entries of a bank."""
        if self._per_step:
            return self._design.layers[self._layer].groups
        if self._design.is_stepwise:
            return self._design.sample_words
        # Room for a word for each step without spikes, too: every_step words are sent.
        return self._design.max_words(self._layer) + self._design.steps

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        bits = index_bits(self.depth)
        layout = entry_layout(self._design, self._layer)
        ends_of = ("end_of_step", "last")
        stored = data.StructLayout(
            {
                name: field.shape
                for name, field in layout
                # Of the words of a step the last one ends it, and with it perhaps the sample.
                if not (self._per_step and name in ends_of)
            }
        )
        m.submodules.entries = entries = memory.Memory(shape=stored, depth=2 << bits, init=[])
        write, read = entries.write_port(), entries.read_port()
        full = Signal(2)
        lengths = Array(Signal(bits, name=f"last_index{bank}") for bank in range(2))
        lasts = Array(Signal(name=f"last{bank}") for bank in range(2))  # the step ends a sample
        planes = self._design.layers[self._layer].input_bits

        write_bank, write_index = Signal(), Signal(bits)
        store = Signal()
        # A cycle between the memory that a word comes from and the one it goes to; planes of a
        # group are gathered here.
        kept = Signal(layout)
        keeps, kept_bank, kept_index = Signal(), Signal(), Signal(bits)
        joins, complete = Signal(), Signal()
        ends, kept_ends = (
            (self.i.p.end_of_step, kept.end_of_step)
            if self._per_step
            else (self.i.p.last, kept.last)
        )
        placed: Value = self.i.p.spikes
        if planes == 1:
            m.d.comb += complete.eq(keeps)
        else:
            chosen = (self.i.p.plane == plane for plane in range(planes))
            placed = Cat(self.i.p.spikes & here.replicate(len(placed)) for here in chosen)
            m.d.comb += [
                joins.eq(keeps & ~kept.end_of_step & (self.i.p.group == kept.group)),
                complete.eq(keeps & (kept.end_of_step | store & ~joins)),
            ]
        with m.If(complete):
            m.d.sync += keeps.eq(0)
        with m.If(store):
            m.d.sync += [
                keeps.eq(1),
                *(kept[name].eq(self.i.p[name]) for name in layout.members if name != "spikes"),
                kept.spikes.eq(placed | Mux(joins, kept.spikes, 0)),
            ]
            with m.If(~joins):
                m.d.sync += [
                    kept_bank.eq(write_bank),
                    kept_index.eq(write_index),
                    write_index.eq(write_index + 1),
                ]
            with m.If(ends):
                m.d.sync += [
                    write_index.eq(0),
                    lengths[write_bank].eq(Mux(joins, kept_index, write_index)),
                    lasts[write_bank].eq(self.i.p.last),
                    write_bank.eq(~write_bank),
                ]
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(write_bank, 1)),
            store.eq(self.i.valid & self.i.ready),
            write.en.eq(complete),
            write.addr.eq(Cat(kept_index, kept_bank)),
            *(write.data[name].eq(kept[name]) for name in stored.members),
        ]
        with m.If(complete & kept_ends):
            m.d.sync += full.bit_select(kept_bank, 1).eq(1)

        read_bank, read_index = Signal(), Signal(bits)
        played = Signal.like(self.passes)
        final_pass = Signal.like(self.passes)
        m.d.sync += final_pass.eq(self.passes - 1)
        occupied = Signal()
        is_last, is_sample_last = Signal(), Signal()
        fetch = Signal()
        end_of_pass = Signal()
        is_final = self._play(m, read.data, taken=occupied & self.o.ready, fetch=fetch)
        m.d.comb += [
            fetch.eq(full.bit_select(read_bank, 1) & (~occupied | self.o.ready & is_final)),
            end_of_pass.eq(read_index == lengths[read_bank]),
            read.en.eq(fetch),
            read.addr.eq(Cat(read_index, read_bank)),
            self.o.valid.eq(occupied),
        ]
        if self._per_step:
            end_of_step, last = is_last, is_sample_last
        else:
            end_of_step, last = read.data.end_of_step, is_last
        m.d.comb += [
            self.o.p.end_of_step.eq(end_of_step & is_final),
            self.o.p.last.eq(last & is_final),
        ]
        freed = Signal()
        with m.If(fetch):
            m.d.sync += [
                occupied.eq(1),
                is_last.eq(end_of_pass),
                is_sample_last.eq(end_of_pass & lasts[read_bank]),
                read_index.eq(read_index + 1),
            ]
            with m.If(end_of_pass):
                m.d.sync += [read_index.eq(0), played.eq(played + 1)]
                with m.If(played == final_pass):
                    m.d.comb += freed.eq(1)
                    m.d.sync += [
                        played.eq(0),
                        full.bit_select(read_bank, 1).eq(0),
                        read_bank.eq(~read_bank),
                    ]
        with m.Elif(self.o.ready & is_final):
            m.d.sync += occupied.eq(0)
        if self._per_step:
            held = Signal(range(3))
            m.d.comb += self.room.eq(held != 2)
            m.d.sync += held.eq(held + self.reserve - freed)
        return m

    def _play(self, m: Module, entry: data.View, *, taken: Value, fetch: Value) -> Value:
        """Offer the planes of an entry; returns whether the one that is offered is its last."""
        word = self.o.p
        for name in entry.shape().members:
            if name not in ("spikes", "end_of_step", "last"):
                m.d.comb += word[name].eq(entry[name])
        width, planes = len(word.spikes), len(entry.spikes) // len(word.spikes)
        if planes == 1:
            m.d.comb += word.spikes.eq(entry.spikes)
            return Const(1, 1)
        parts = [entry.spikes[plane * width :][:width] for plane in range(planes)]
        left, sent, lowest = Signal(planes), Signal(planes), Signal(planes)
        m.d.comb += [
            left.eq(Cat(part.any() for part in parts) & ~sent),
            lowest.eq(left & -left),
        ]
        with m.If(taken):
            m.d.sync += sent.eq(sent | lowest)
        with m.If(fetch):
            m.d.sync += sent.eq(0)
        for plane, part in enumerate(parts):
            with m.If(lowest[plane]):
                m.d.comb += [word.spikes.eq(part), word.plane.eq(plane)]
        return (left & (left - 1))[:planes] == 0
