# SPDX-License-Identifier: Apache-2.0
"""Consistent overhead byte stuffing (Cheshire and Baker 1999), receiving side."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CobsDecoder", "DecodedByte"]


class DecodedByte(data.Struct):
    """``data``, or the ``end`` of a frame, which is ``cut`` if its last block is not whole."""

    data: 8
    end: 1
    cut: 1


class CobsDecoder(wiring.Component):
    """Takes the zeros out of a line's bytes and tells frames apart.

    Every ``0x00`` ends a frame; what follows is decoded afresh, whatever came before. Nothing is
    sent for a frame without bytes. No byte waits inside.

    Members
    -------
    i : In(stream of 8 bits)
        Bytes of the line.
    o : Out(stream of DecodedByte)
        Bytes of frames, and their ends.
    """

    i: In(stream.Signature(8))
    o: Out(stream.Signature(DecodedByte))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        left = Signal(8)  # bytes still to come in this block
        zero = Signal()  # a zero stands between this block and the next
        begun = Signal()
        emits = Signal()
        m.d.comb += [
            self.o.valid.eq(self.i.valid & emits),
            self.i.ready.eq(self.o.ready | ~emits),
        ]
        with m.If(self.i.payload == 0):
            m.d.comb += [emits.eq(begun), self.o.p.end.eq(1), self.o.p.cut.eq(left != 0)]
        with m.Elif(left == 0):
            m.d.comb += emits.eq(begun & zero)
        with m.Else():
            m.d.comb += [emits.eq(1), self.o.p.data.eq(self.i.payload)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [begun.eq(1), left.eq(left - 1)]
            with m.If(self.i.payload == 0):
                m.d.sync += [begun.eq(0), left.eq(0)]
            with m.Elif(left == 0):
                m.d.sync += [left.eq(self.i.payload - 1), zero.eq(self.i.payload != 0xFF)]
        return m
