# SPDX-License-Identifier: Apache-2.0
"""Bytes of a frame to events of a camera."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.formats.structures import size_of
from hw.link.packets import EventEntry
from hw.parts.byte_beat import ByteBeat
from hw.parts.spike_word import event_beat

__all__ = ["EventFeeder"]


class EventFeeder(wiring.Component):
    """Puts events together from their bytes; an event leaves together with its last byte.

    Parameters
    ----------
    design
        Its samples are events.

    Members
    -------
    begin : In(1)
        The next byte is the first of an event.
    i : In(stream of ByteBeat)
        Bytes of `hw.link.packets.EventEntry`; ``last`` with the last event of a sample.
    o : Out(stream of event_beat)
        Events.
    ends : Out(1)
        The byte that is offered is the last of an event.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "begin": In(1),
                "i": In(stream.Signature(ByteBeat)),
                "o": Out(stream.Signature(event_beat(design))),
                "ends": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        size = size_of(EventEntry)
        place = Signal(range(size))
        kept = Signal(8 * (size - 1))  # the bytes before this one, shifted in from the top
        entry = Signal(EventEntry)
        m.d.comb += [
            entry.eq(Cat(kept, self.i.p.data)),
            self.ends.eq(place == size - 1),
            self.o.valid.eq(self.i.valid & self.ends),
            self.i.ready.eq(self.o.ready | ~self.ends),
            self.o.p.time.eq(entry.time),
            # A host sends no event from outside the sensor.
            self.o.p.x.eq(entry.x),
            self.o.p.y.eq(entry.y),
            self.o.p.polarity.eq(entry.polarity),
            self.o.p.present.eq(entry.present),
            self.o.p.last.eq(self.i.p.last),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [kept.eq(Cat(kept, self.i.p.data) >> 8), place.eq(place + 1)]
            with m.If(self.ends):
                m.d.sync += place.eq(0)
        with m.If(self.begin):
            m.d.sync += place.eq(0)
        return m
