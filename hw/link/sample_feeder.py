# SPDX-License-Identifier: Apache-2.0
"""Bytes of a frame to beats of pixels."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.byte_beat import ByteBeat
from hw.design import Design
from hw.spike_word import pixel_beat

__all__ = ["SampleFeeder"]


class SampleFeeder(wiring.Component):
    """Gathers G pixels to a beat; the last beat of a sample is filled up with pixels of value 0.

    No byte waits inside when G is 1; otherwise a beat leaves together with its last byte.

    Parameters
    ----------
    design
        Gives G, its ``pixels_per_cycle``.

    Members
    -------
    i : In(stream of ByteBeat)
        Pixels.
    o : Out(stream of pixel_beat)
        Beats.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "i": In(stream.Signature(ByteBeat)),
                "o": Out(stream.Signature(pixel_beat(design))),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        count = self._design.pixels_per_cycle
        place = Signal(range(count))
        kept = Signal(data.ArrayLayout(8, count))
        complete = Signal()
        m.d.comb += [
            complete.eq((place == count - 1) | self.i.p.last),
            self.o.valid.eq(self.i.valid & complete),
            self.i.ready.eq(self.o.ready | ~complete),
            self.o.p.last.eq(self.i.p.last),
        ]
        for index in range(count):
            m.d.comb += self.o.p.pixels[index].eq(Mux(place == index, self.i.p.data, kept[index]))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [place.eq(place + 1), kept.eq(self.o.p.pixels)]
            with m.If(complete):
                m.d.sync += [place.eq(0), kept.eq(0)]
        return m
