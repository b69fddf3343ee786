# SPDX-License-Identifier: Apache-2.0
"""A sample's spike words, played once for each block of neurons."""

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

    Parameters
    ----------
    design, layer
        The layer that the words go to.

    Members
    -------
    i, o : streams of spike_word
        Stored words, played words.
    passes : In(range(1, blocks + 1))
        How often a sample is played.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
        self._design = design
        self._layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(spike_word(design, layer))),
                "o": Out(stream.Signature(spike_word(design, layer))),
                "passes": In(range(design.layers[layer].blocks + 1)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # Room for a word for each step without spikes, too: every_step words are sent.
        depth = self._design.max_words(self._layer) + self._design.steps
        bits = index_bits(depth)
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
        with m.If(store):
            m.d.sync += write_index.eq(write_index + 1)
            with m.If(self.i.p.last):
                m.d.sync += [
                    write_index.eq(0),
                    lengths[write_bank].eq(write_index),
                    write_bank.eq(~write_bank),
                ]
        with m.If(keeps & kept.last):
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
            # Known before the memory says so.
            self.o.p.last.eq(is_last),
        ]
        with m.If(fetch):
            m.d.sync += [occupied.eq(1), is_last.eq(end_of_pass), read_index.eq(read_index + 1)]
            with m.If(end_of_pass):
                m.d.sync += [read_index.eq(0), played.eq(played + 1)]
                with m.If(played == final_pass):
                    m.d.sync += [
                        played.eq(0),
                        full.bit_select(read_bank, 1).eq(0),
                        read_bank.eq(~read_bank),
                    ]
        with m.Elif(self.o.ready):
            m.d.sync += occupied.eq(0)
        return m
