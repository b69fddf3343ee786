# SPDX-License-Identifier: Apache-2.0
"""The head of the network that stands in the memories at power-up."""

from amaranth import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.byte_beat import ByteBeat

__all__ = ["ResidentHead"]


class ResidentHead(wiring.Component):
    """Gives the loader the head (`hw.formats.contents.Contents.head`) once after a reset.

    Not if memories have been written since power-up: they keep what was loaded, and the head is not
    that network's. A byte every 2 cycles at most.

    Parameters
    ----------
    head
        The bytes.

    Members
    -------
    is_spoiled : In(1)
        Another image has been begun since power-up.
    drop : In(1)
        The host loads a network, or wants none: stop.
    running, failed : In(1)
        A network is active; an image was refused.
    ends : In(1)
        The byte that the loader takes next is the last.
    o : Out(stream of ByteBeat)
        The head.
    is_feeding : Out(1)
        The loader must take its bytes from here, and leave out rows.
    """

    def __init__(self, *, head: bytes) -> None:
        self._head = head
        super().__init__(
            {
                "is_spoiled": In(1),
                "drop": In(1),
                "running": In(1),
                "failed": In(1),
                "ends": In(1),
                "o": Out(stream.Signature(ByteBeat)),
                "is_feeding": Out(1, init=1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # A block RAM, so that a patch finds it.
        m.submodules.resident_head = rom = memory.Memory(
            shape=8, depth=len(self._head), init=self._head, attrs={"ram_style": "block"}
        )
        read = rom.read_port()
        place = Signal(range(len(self._head)))
        is_read = Signal()
        taken = Signal()
        m.d.comb += [
            read.addr.eq(place),
            self.o.valid.eq(is_read & self.is_feeding),
            self.o.p.data.eq(read.data),
            self.o.p.last.eq(self.ends),
            taken.eq(self.o.valid & self.o.ready),
        ]
        m.d.sync += is_read.eq(~taken)
        with m.If(taken):
            m.d.sync += place.eq(place + 1)
        with m.If(self.is_spoiled | self.drop | self.running | self.failed):
            m.d.sync += self.is_feeding.eq(0)
        return m
