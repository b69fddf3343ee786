# SPDX-License-Identifier: Apache-2.0
"""Frames to send: their CRC."""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.packets import FRAME_CRC
from hw.parts.byte_beat import ByteBeat

__all__ = ["FrameSender"]


class FrameSender(wiring.Component):
    """Appends the CRC-16 to header and body, most significant byte first.

    No byte waits inside; the CRC takes 2 cycles.

    Members
    -------
    i : In(stream of ByteBeat)
        Header and body.
    o : Out(stream of ByteBeat)
        The same and the CRC.
    """

    i: In(stream.Signature(ByteBeat))
    o: Out(stream.Signature(ByteBeat))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        sent = Signal()
        check = FRAME_CRC(data_width=8).create()
        m.submodules.crc = ResetInserter(sent)(check)  # costs less than its start input
        m.d.comb += check.data.eq(self.i.p.data)
        with m.FSM():
            with m.State("FRAME"):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid),
                    self.o.p.data.eq(self.i.p.data),
                    self.i.ready.eq(self.o.ready),
                    check.valid.eq(self.i.valid & self.o.ready),
                ]
                with m.If(self.i.valid & self.o.ready & self.i.p.last):
                    m.next = "HIGH"
            with m.State("HIGH"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(check.crc[8:])]
                with m.If(self.o.ready):
                    m.next = "LOW"
            with m.State("LOW"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(check.crc[:8]),
                    self.o.p.last.eq(1),
                    sent.eq(self.o.ready),
                ]
                with m.If(self.o.ready):
                    m.next = "FRAME"
        return m
