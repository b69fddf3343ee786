# SPDX-License-Identifier: Apache-2.0
"""Consistent overhead byte stuffing (Cheshire and Baker 1999), sending side."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.ring import UNCHECKED
from hw.parts.byte_beat import ByteBeat

__all__ = ["CobsEncoder"]

_LONGEST_BLOCK = 0xFF


class CobsEncoder(wiring.Component):
    """Puts frames on a line: ``0x00``, the code of the frame, ``0x00``.

    A block's length stands before its bytes but is known after them, so bytes wait in a ring
    memory; the length is written into the place that was kept free for it.

    ::

        ... | sent | blocks that are whole | length? | bytes of the open block | free ...
                   ^ read                  ^ slot                              ^ write

    One byte a cycle in, and 4 cycles more a frame; at most a byte in 2 cycles out.

    Parameters
    ----------
    depth
        Bytes of the ring, a power of two of at least 512: a block of 255 bytes is held back, and
        another can leave meanwhile.
    whole_frames
        A frame leaves only when all of it is here, or as much as the memory holds: for lines that
        send zeros, which end a frame, where no byte is ready in time. Then the first byte of a
        frame leaves 4 cycles after its last one came in, and the others follow without a gap.

    Members
    -------
    i : In(stream of ByteBeat)
        Frames.
    o : Out(stream of 8 bits)
        Bytes of the line.
    quiet : Out(1)
        No frame has begun to come in, and all bytes have left.

    Raises
    ------
    ValueError
        If the depth is not a power of two of at least 512.
    """

    i: In(stream.Signature(ByteBeat))
    o: Out(stream.Signature(8))
    quiet: Out(1)

    def __init__(self, *, depth: int = 512, whole_frames: bool = False) -> None:
        if depth < 512 or depth & (depth - 1):
            raise ValueError(f"Depth must be a power of two of at least 512, not {depth!r}")
        self._depth = depth
        self._whole_frames = whole_frames
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        depth = self._depth
        m.submodules.ring = ring = memory.Memory(shape=8, depth=depth, init=[], attrs=UNCHECKED)
        port, read_port = ring.write_port(), ring.read_port()

        write, slot, read = (Signal(range(depth), name=name) for name in ("write", "slot", "read"))
        count = Signal(8, init=1)  # length of the open block, its own place included
        room = Signal()
        filled = Signal(range(depth))
        m.d.comb += [
            filled.eq(write - read),
            port.addr.eq(write),
        ]
        # Seven bytes may follow; four do, as this comes a cycle late.
        full = Signal()
        m.d.comb += full.eq(filled[3:] == depth // 8 - 1)
        m.d.sync += room.eq(~full)

        def delimit() -> None:
            """Write a zero."""
            m.d.comb += [port.en.eq(1), port.data.eq(0)]
            m.d.sync += write.eq(write + 1)

        def open_block() -> None:
            """Keep a place for the length of the block that begins."""
            m.d.sync += [slot.eq(write), write.eq(write + 1), count.eq(1)]

        def close_block() -> None:
            """Write the length of the open block into its place."""
            m.d.comb += [port.en.eq(1), port.addr.eq(slot), port.data.eq(count)]

        fetched = Signal()
        delimited = Signal()  # the zero behind a frame is being written
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.quiet.eq(~self.i.valid & ~fetched & (read == slot))
                with m.If(self.i.valid & room):
                    delimit()
                    m.next = "OPEN"
            with m.State("OPEN"):
                open_block()
                m.next = "BLOCK"
            with m.State("BLOCK"):
                with m.If(count == _LONGEST_BLOCK):
                    close_block()
                    open_block()
                with m.Elif(room):
                    m.d.comb += self.i.ready.eq(1)
                    with m.If(self.i.valid):
                        with m.If(self.i.p.data == 0):
                            close_block()
                            open_block()
                        with m.Else():
                            m.d.comb += [port.en.eq(1), port.data.eq(self.i.p.data)]
                            m.d.sync += [write.eq(write + 1), count.eq(count + 1)]
                        with m.If(self.i.p.last):
                            m.next = "CLOSE"
            with m.State("CLOSE"):
                close_block()
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                delimit()
                m.d.comb += delimited.eq(1)
                m.d.sync += slot.eq(write + 1)
                m.next = "IDLE"

        # Bytes before it may leave.
        limit = Signal.like(slot)
        m.d.comb += limit.eq(slot)
        if self._whole_frames:
            ended, too_long = Signal.like(slot), Signal()
            m.d.comb += limit.eq(Mux(too_long, slot, ended))
            with m.If(delimited):
                m.d.sync += [ended.eq(write + 1), too_long.eq(0)]
            with m.Elif(full & (read == ended)):
                # The frame that comes in has the memory for itself, and fills it.
                m.d.sync += too_long.eq(1)
        m.d.comb += [
            read_port.addr.eq(read),
            self.o.payload.eq(read_port.data),
            self.o.valid.eq(fetched),
        ]
        with m.If(~fetched):
            m.d.sync += fetched.eq(read != limit)
        with m.Elif(self.o.ready):
            m.d.sync += [fetched.eq(0), read.eq(read + 1)]
        return m
