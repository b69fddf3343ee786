# SPDX-License-Identifier: Apache-2.0
"""Spike words of a sample, or of a step, played several times."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design import Design, index_bits
from hw.spike_word import spike_word

__all__ = ["ReplayBuffer"]


class ReplayBuffer(wiring.Component):
    """Stores the words of a sample and plays them ``passes`` times; two banks.

    A word taken in one cycle costs one cycle; playing starts 3 cycles after the last word was
    taken, a word a cycle, without a gap between passes, nor between samples if the next one is
    already stored.

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
        """Words of a bank."""
        if self._per_step:
            return self._design.layers[self._layer].step_words
        if self._design.is_stepwise:
            return self._design.sample_words
        # Room for a word for each step without spikes, too: every_step words are sent.
        return self._design.max_words(self._layer) + self._design.steps

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        bits = index_bits(self.depth)
        m.submodules.words = words = memory.Memory(
            shape=spike_word(self._design, self._layer), depth=2 << bits, init=[]
        )
        write, read = words.write_port(), words.read_port()
        full = Signal(2)
        lengths = Array(Signal(bits, name=f"last_index{bank}") for bank in range(2))

        write_bank, write_index = Signal(), Signal(bits)
        store = Signal()
        # A cycle between the memory that a word comes from and the one it goes to.
        kept = Signal(spike_word(self._design, self._layer))
        keeps, kept_bank, kept_index = Signal(), Signal(), Signal(bits)
        m.d.sync += [
            kept.eq(self.i.p),
            keeps.eq(store),
            kept_bank.eq(write_bank),
            kept_index.eq(write_index),
        ]
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(write_bank, 1)),
            store.eq(self.i.valid & self.i.ready),
            write.en.eq(keeps),
            write.addr.eq(Cat(kept_index, kept_bank)),
            write.data.eq(kept),
        ]
        ends, kept_ends = (
            (self.i.p.end_of_step, kept.end_of_step)
            if self._per_step
            else (self.i.p.last, kept.last)
        )
        with m.If(store):
            m.d.sync += write_index.eq(write_index + 1)
            with m.If(ends):
                m.d.sync += [
                    write_index.eq(0),
                    lengths[write_bank].eq(write_index),
                    write_bank.eq(~write_bank),
                ]
        with m.If(keeps & kept_ends):
            m.d.sync += full.bit_select(kept_bank, 1).eq(1)

        read_bank, read_index = Signal(), Signal(bits)
        played = Signal.like(self.passes)
        final_pass = Signal.like(self.passes)
        m.d.sync += final_pass.eq(self.passes - 1)
        occupied = Signal()
        is_last = Signal()
        fetch = Signal()
        end_of_pass = Signal()
        m.d.comb += [
            fetch.eq(full.bit_select(read_bank, 1) & (~occupied | self.o.ready)),
            end_of_pass.eq(read_index == lengths[read_bank]),
            read.en.eq(fetch),
            read.addr.eq(Cat(read_index, read_bank)),
            self.o.valid.eq(occupied),
            self.o.p.eq(read.data),
        ]
        # Known before the memory says so.
        if self._per_step:
            m.d.comb += self.o.p.end_of_step.eq(is_last)
        else:
            m.d.comb += self.o.p.last.eq(is_last)
        freed = Signal()
        with m.If(fetch):
            m.d.sync += [occupied.eq(1), is_last.eq(end_of_pass), read_index.eq(read_index + 1)]
            with m.If(end_of_pass):
                m.d.sync += [read_index.eq(0), played.eq(played + 1)]
                with m.If(played == final_pass):
                    m.d.comb += freed.eq(1)
                    m.d.sync += [
                        played.eq(0),
                        full.bit_select(read_bank, 1).eq(0),
                        read_bank.eq(~read_bank),
                    ]
        with m.Elif(self.o.ready):
            m.d.sync += occupied.eq(0)
        if self._per_step:
            held = Signal(range(3))
            m.d.comb += self.room.eq(held != 2)
            m.d.sync += held.eq(held + self.reserve - freed)
        return m
