# SPDX-License-Identifier: Apache-2.0
"""Pixels to spike times, through a loadable table."""

from amaranth import Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design import Design
from hw.spike_word import pixel_beat, spike_time_beat

__all__ = ["IntensityTable"]


class IntensityTable(wiring.Component):
    """Looks up the spike step of G pixels a cycle.

    One copy of the 256-entry table for each of the G pixels of a beat. A beat accepted in one
    cycle is offered in the next; a beat leaves every cycle while the output is taken.

    Parameters
    ----------
    design
        Gives G and the number of steps.

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

    def __init__(self, *, design: Design) -> None:
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
        return 1

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        occupied = Signal()
        last = Signal()
        advance = Signal()
        m.d.comb += [
            advance.eq(~occupied | self.o.ready),
            self.i.ready.eq(advance),
            self.o.valid.eq(occupied),
            self.o.p.last.eq(last),
        ]
        with m.If(advance):
            m.d.sync += [occupied.eq(self.i.valid), last.eq(self.i.p.last)]
        for pixel in range(design.pixels_per_cycle):
            table = memory.Memory(
                shape=self._entry, depth=256, init=[], attrs={"ram_style": "block"}
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
                self.o.p.fires[pixel].eq(read.data.fires),
                self.o.p.steps[pixel].eq(read.data.step),
            ]
        return m
