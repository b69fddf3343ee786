# SPDX-License-Identifier: Apache-2.0
"""Received frames: stored, checked, and only then handed on."""

from amaranth import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.cobs_decoder import DecodedByte
from hw.link.packets import CRC_BYTES, FRAME_CRC, HEADER_BYTES
from hw.link.ring import UNCHECKED
from hw.parts.byte_beat import ByteBeat

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Keeps a frame back until its length and its CRC have been found right.

    Bytes go into a ring memory. At the end of a good frame they are handed over; at the end of any
    other the ring is as it was before. Frames are received while earlier ones are read, as long
    as the ring has room; a frame that finds no room is lost.

    Parameters
    ----------
    depth
        Bytes of the ring, a power of two.

    Members
    -------
    i : In(stream of DecodedByte)
        What the line brings; always taken.
    o : Out(stream of ByteBeat)
        Header and body of good frames, at most a byte in 2 cycles.
    accepted : Out(1)
        A good frame is handed over.
    frame_error : Out(1)
        A frame was dropped because it was malformed or its CRC was wrong.
    overrun : Out(1)
        A frame was dropped because there was no room.

    Raises
    ------
    ValueError
        If the depth is not a power of two of at least 256.
    """

    def __init__(self, *, depth: int) -> None:
        if depth < 256 or depth & (depth - 1):
            raise ValueError(f"Depth must be a power of two of at least 256, not {depth!r}")
        self._depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(DecodedByte)),
                "o": Out(stream.Signature(ByteBeat)),
                "accepted": Out(1),
                "frame_error": Out(1),
                "overrun": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        depth = self._depth
        m.submodules.ring = ring = memory.Memory(shape=8, depth=depth, init=[], attrs=UNCHECKED)
        check = FRAME_CRC(data_width=8).create()
        # Its reset costs less than its start input.
        m.submodules.crc = ResetInserter(self.i.valid & self.i.p.end)(check)
        write_port, read_port = ring.write_port(), ring.read_port()

        # One bit more than an address, so that full and empty differ.
        write, whole, read = (
            Signal(range(2 * depth), name=name) for name in ("write", "whole", "read")
        )
        place = Signal(range(HEADER_BYTES + 1))  # stops behind the header
        left = Signal(range(2 * depth))  # body bytes to come; wraps below 0 for the CRC
        bad, full = Signal(), Signal()
        filled = Signal(range(2 * depth))
        byte = self.i.p.data
        m.d.comb += [
            self.i.ready.eq(1),
            filled.eq(write - read),
            write_port.addr.eq(write),
            write_port.data.eq(byte),
            check.data.eq(byte),
        ]
        with m.If(self.i.valid & ~self.i.p.end):
            m.d.comb += check.valid.eq(1)
            with m.If(filled[-1]):
                m.d.sync += full.eq(1)
            with m.Else():
                m.d.comb += write_port.en.eq(1)
                m.d.sync += write.eq(write + 1)
            with m.If(place == HEADER_BYTES):
                m.d.sync += left.eq(left - 1)
            with m.Else():
                m.d.sync += place.eq(place + 1)
            with m.If(place == HEADER_BYTES - 2):
                m.d.sync += left.eq(byte)
            with m.If(place == HEADER_BYTES - 1):
                m.d.sync += [left[8:].eq(byte), bad.eq((byte >> (len(left) - 8)) != 0)]
        with m.If(self.i.valid & self.i.p.end):
            m.d.sync += [place.eq(0), bad.eq(0), full.eq(0)]
            is_good = (
                ~bad
                & ~self.i.p.cut
                & (place == HEADER_BYTES)
                & (left == 2 * depth - CRC_BYTES)
                & check.match_detected
            )
            with m.If(full):
                m.d.comb += self.overrun.eq(1)
                m.d.sync += write.eq(whole)
            with m.Elif(is_good):
                m.d.comb += self.accepted.eq(1)
                m.d.sync += whole.eq(write)
            with m.Else():
                m.d.comb += self.frame_error.eq(1)
                m.d.sync += write.eq(whole)

        # Read side; the length in the header says where a frame ends.
        # A block RAM answers late in its cycle: the byte is kept for the next one.
        fetched, answered = Signal(), Signal()
        kept = Signal(8)
        m.d.sync += kept.eq(read_port.data)
        read_place = Signal.like(place)
        read_left = Signal(range(depth))
        m.d.comb += [
            read_port.addr.eq(read),
            self.o.p.data.eq(kept),
            self.o.valid.eq(fetched),
        ]
        with m.If(read_place == HEADER_BYTES):
            m.d.comb += self.o.p.last.eq(read_left == 1)
        with m.Elif(read_place == HEADER_BYTES - 1):
            m.d.comb += self.o.p.last.eq((read_left[:8] == 0) & (kept == 0))
        with m.If(~fetched):
            m.d.sync += [answered.eq(read != whole), fetched.eq(answered)]
        with m.Elif(self.o.ready):
            m.d.sync += [
                fetched.eq(0),
                answered.eq(0),
                read.eq(read + Mux(self.o.p.last, 1 + CRC_BYTES, 1)),
                read_left.eq(read_left - 1),
            ]
            with m.If(read_place != HEADER_BYTES):
                m.d.sync += read_place.eq(read_place + 1)
            with m.If(read_place == HEADER_BYTES - 2):
                m.d.sync += read_left.eq(kept)
            with m.If(read_place == HEADER_BYTES - 1):
                m.d.sync += read_left.eq(Cat(read_left[:8], kept))
            with m.If(self.o.p.last):
                m.d.sync += read_place.eq(0)
        return m
