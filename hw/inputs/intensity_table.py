# SPDX-License-Identifier: Apache-2.0
"""Pixels to spike times, through a loadable table."""

from collections.abc import Sequence

from amaranth import Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.parts.spike_word import pixel_beat, spike_time_beat

__all__ = ["IntensityTable", "table_entry", "table_entry_bits"]


def table_entry_bits(design: Design) -> int:
    """Bits of an entry as it is stored: the spike step, and above it whether there is one."""
    return design.step_bits + 1


def table_entry(row: int, design: Design) -> int:
    """Entry as it is stored, of a row of `hw.formats.write_target`: its step, or 0xFFFF for none.

    No step of a design has its highest bit set.
    """
    step = row & (1 << design.step_bits) - 1
    return step | (~row >> 15 & 1) << design.step_bits


class IntensityTable(wiring.Component):
    """Looks up the spike step of G pixels a cycle.

    One copy of the 256-entry table for each of the G pixels of a beat, with a register behind it,
    as block RAM answers late. A beat is offered two cycles after it was accepted; two beats are
    under way, and one leaves every cycle while the output is taken.

    Parameters
    ----------
    design
        Gives G and the number of steps.
    initial
        Rows at power-up as `hw.formats.write_target` describes them; None: nobody relies on them.

    Members
    -------
    i : In(stream of pixel_beat)
        Pixels.
    o : Out(stream of spike_time_beat)
        Spike times of the same pixels.
    write_valid : In(1)
        Store an entry; only while no samples are in flight.
    write_row : In(8)
        Intensity.
    write_data : In(struct of ``step`` and ``fires``)
        Spike step, and whether this intensity spikes at all.
    """

    def __init__(self, *, design: Design, initial: Sequence[int] | None = None) -> None:
        self._initial = initial
        self._design = design
        self._entry = data.StructLayout({"step": design.step_bits, "fires": 1})
        super().__init__(
            {
                "i": In(stream.Signature(pixel_beat(design))),
                "o": Out(stream.Signature(spike_time_beat(design, 0))),
                "write_valid": In(1),
                "write_row": In(8),
                "write_data": In(self._entry),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a beat's acceptance to its offer."""
        return 2

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        read_valid = Signal()
        read_last = Signal()
        advance = Signal()
        m.d.comb += [advance.eq(~self.o.valid | self.o.ready), self.i.ready.eq(advance)]
        with m.If(advance):
            m.d.sync += [
                read_valid.eq(self.i.valid),
                read_last.eq(self.i.p.last),
                self.o.valid.eq(read_valid),
                self.o.p.last.eq(read_last),
            ]
        entries = [table_entry(row, design) for row in self._initial or ()]
        for pixel in range(design.pixels_per_cycle):
            table = memory.Memory(
                shape=self._entry,
                depth=256,
                init=[self._entry.from_bits(entry) for entry in entries],
                attrs={"ram_style": "block"},
            )
            m.submodules[f"table{pixel}"] = table
            write = table.write_port()
            read = table.read_port()
            m.d.comb += [
                write.addr.eq(self.write_row),
                write.data.eq(self.write_data),
                write.en.eq(self.write_valid),
                read.addr.eq(self.i.p.pixels[pixel]),
                read.en.eq(advance),
            ]
            with m.If(advance):
                m.d.sync += [
                    self.o.p.fires[pixel].eq(read.data.fires),
                    self.o.p.steps[pixel].eq(read.data.step),
                ]
        return m
