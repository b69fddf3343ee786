# SPDX-License-Identifier: Apache-2.0
"""Bytes of a frame to beats of pixels."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.parts.byte_beat import ByteBeat
from hw.parts.spike_word import pixel_beat

__all__ = ["SampleFeeder"]


class SampleFeeder(wiring.Component):
    """Gathers G pixels to a beat; the last beat of a sample is filled up with pixels of value 0.

    A beat leaves together with its last byte, or as many cycles later as pixels are filled up.

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
        kept = Signal(8 * (count - 1))  # the pixels before this one, shifted in from the top
        padding = Signal()  # the last byte was taken; zeros follow
        pixel = Signal(8)
        ends = Signal()
        arrives = Signal()
        m.d.comb += [
            ends.eq(place == count - 1),
            arrives.eq(self.i.valid | padding),
            self.o.valid.eq(arrives & ends),
            self.o.p.pixels.eq(Cat(kept, pixel)),
            self.o.p.last.eq(self.i.p.last | padding),
            self.i.ready.eq(~padding & (self.o.ready | ~ends)),
        ]
        with m.If(~padding):
            m.d.comb += pixel.eq(self.i.p.data)
        with m.If(arrives & (self.o.ready | ~ends)):
            m.d.sync += [kept.eq(Cat(kept, pixel) >> 8), place.eq(place + 1)]
            with m.If(ends):
                m.d.sync += [place.eq(0), padding.eq(0)]
            with m.Elif(self.i.valid & self.i.p.last):
                m.d.sync += padding.eq(1)
        return m
