# SPDX-License-Identifier: Apache-2.0
"""Pixels to spike words, step by step: the rate code."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.spike_word import pixel_beat, spike_word

__all__ = ["RateEncoder", "scan_cycles"]

# Beats from the reading of an accumulator to its next: memory, register, sum.
_SPACING = 4


def scan_cycles(beats: int) -> int:
    """Cycles that the beats of a sample take in one step, if every word is taken at once."""
    return max(beats, _SPACING)


class RateEncoder(wiring.Component):
    """Keeps the pixels of a sample and adds each to its accumulator in every step.

    As ``model/encoding.py`` says of `RateEncoding`: an accumulator of 8 bits starts at ``phase *
    pixel mod 256``, gains the pixel's value in each step, and spikes when it overflows.

    ::

        pixels > memory --+
                          +--> value, accumulator --> sum --> word
        accumulators -----+          ^                 |
              ^                      start value       |
              +----------------------------------------+

    A beat is a group of S pixels, so that its word is ready-made. A beat goes through in 4 cycles,
    one beat a cycle, `scan_cycles` a step; where a word waits, everything waits. Beats without
    spikes send no word, but the last of each step always does. A sample is played ``passes``
    times, the first word offered 5 cycles after the last beat was taken if that has no spike
    before it; no gap between steps, passes, and samples that are there in time (two banks).

    Parameters
    ----------
    design
        Sizes; a beat has as many pixels as a word has inputs.

    Members
    -------
    i : In(stream of pixel_beat)
        Samples.
    o : Out(stream of spike_word)
        Words of every step.
    steps, passes : In
        T, and how often a sample is played, each at least 1.
    phase : In(8)
        Difference between the start values of neighbouring pixels.
    is_first_pass : Out(1)
        Of the word that is offered.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "i": In(stream.Signature(pixel_beat(design))),
                "o": Out(stream.Signature(spike_word(design, 0))),
                "steps": In(range(design.steps + 1)),
                "passes": In(range(design.members + 1)),
                "phase": In(8),
                "is_first_pass": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        count, groups = design.pixels_per_cycle, design.layers[0].groups
        bits = index_bits(groups)
        bytes_shape = data.ArrayLayout(unsigned(8), count)

        m.submodules.pixels = pixels = memory.Memory(shape=8 * count, depth=2 << bits, init=[])
        m.submodules.accumulators = kept = memory.Memory(shape=8 * count, depth=groups, init=[])
        pixels_write, pixels_read = pixels.write_port(), pixels.read_port()
        kept_write, kept_read = kept.write_port(), kept.read_port()
        full = Signal(2)
        last_rows = [Signal(bits, name=f"last_row{bank}") for bank in range(2)]

        # Samples into the memory.
        write_bank, write_row = Signal(), Signal(bits)
        store = Signal()
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(write_bank, 1)),
            store.eq(self.i.valid & self.i.ready),
            pixels_write.en.eq(store),
            pixels_write.addr.eq(Cat(write_row, write_bank)),
            pixels_write.data.eq(self.i.p.pixels.as_value()),
        ]
        with m.If(store):
            m.d.sync += write_row.eq(write_row + 1)
            with m.If(self.i.p.last):
                m.d.sync += [
                    write_row.eq(0),
                    write_bank.eq(~write_bank),
                    full.bit_select(write_bank, 1).eq(1),
                    *(
                        last_row.eq(Mux(write_bank == bank, write_row, last_row))
                        for bank, last_row in enumerate(last_rows)
                    ),
                ]

        # Which row next.
        advance, active = Signal(), Signal()
        read_bank = Signal()
        row = Signal(max(bits, index_bits(_SPACING)))
        last_row = Signal(bits)
        step = Signal.like(self.steps)
        played = Signal.like(self.passes)
        final_step, final_pass = Signal.like(self.steps), Signal.like(self.passes)
        m.d.sync += [final_step.eq(self.steps - 1), final_pass.eq(self.passes - 1)]
        stage = data.StructLayout(
            {
                "valid": 1,
                "row": bits,
                "start": 8,
                "is_first_step": 1,
                "is_first_pass": 1,
                "end_of_step": 1,
                "last": 1,
            }
        )
        stages = [Signal(stage, name=f"stage{number}") for number in range(4)]
        read, summed = stages[1], stages[3]
        start, stride = Signal(8), Signal(8)
        m.d.sync += stride.eq(self.phase * count)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            active.eq(full.bit_select(read_bank, 1)),
            last_row.eq(Mux(read_bank, last_rows[1], last_rows[0])),
            stages[0].valid.eq(active & (row <= last_row)),
            stages[0].row.eq(row),
            stages[0].start.eq(start),
            stages[0].is_first_step.eq(step == 0),
            stages[0].is_first_pass.eq(played == 0),
            stages[0].end_of_step.eq(row == last_row),
            stages[0].last.eq((row == last_row) & (step == final_step)),
            pixels_read.en.eq(advance),
            pixels_read.addr.eq(Cat(row[:bits], read_bank)),
            kept_read.en.eq(advance),
            kept_read.addr.eq(row),
        ]
        with m.If(advance & active):
            m.d.sync += [row.eq(row + 1), start.eq(start + stride)]
            with m.If((row >= last_row) & (row >= _SPACING - 1)):
                m.d.sync += [row.eq(0), start.eq(0), step.eq(step + 1)]
                with m.If(step == final_step):
                    m.d.sync += [step.eq(0), played.eq(played + 1)]
                    with m.If(played == final_pass):
                        m.d.sync += [
                            played.eq(0),
                            full.bit_select(read_bank, 1).eq(0),
                            read_bank.eq(~read_bank),
                        ]

        # Value and accumulator to sum and word.
        values, sums = Signal(bytes_shape), []
        offsets = Signal(bytes_shape)
        accumulators = Signal(bytes_shape)
        for place in range(count):
            m.d.sync += offsets[place].eq(self.phase * place)
            total = Signal(9, name=f"total{place}")
            sums.append(total)
            with m.If(advance):
                m.d.sync += [
                    accumulators[place].eq(kept_read.data[8 * place : 8 * place + 8]),
                    total.eq(accumulators[place] + values[place]),
                ]
                with m.If(read.is_first_step):
                    m.d.sync += accumulators[place].eq(read.start + offsets[place])
        spikes = Signal(count)
        m.d.comb += [
            spikes.eq(Cat(total[8] for total in sums)),
            kept_write.en.eq(advance & summed.valid),
            kept_write.addr.eq(summed.row),
            kept_write.data.eq(Cat(total[:8] for total in sums)),
        ]
        with m.If(advance):
            m.d.sync += [
                *(after.eq(before) for before, after in zip(stages, stages[1:], strict=False)),
                values.eq(pixels_read.data),
                self.o.valid.eq(summed.valid & (spikes.any() | summed.end_of_step)),
                self.o.p.group.eq(summed.row),
                self.o.p.spikes.eq(spikes),
                self.o.p.end_of_step.eq(summed.end_of_step),
                self.o.p.last.eq(summed.last),
                self.is_first_pass.eq(summed.is_first_pass),
            ]
        return m
