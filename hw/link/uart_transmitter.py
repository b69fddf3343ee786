# SPDX-License-Identifier: Apache-2.0
"""Bytes to serial line."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.uart_receiver import check_divisor

__all__ = ["UartTransmitter"]


class UartTransmitter(wiring.Component):
    """Sends 8 data bits, no parity, 1 stop bit, lowest bit first, idle 1.

    A byte takes ``10 * cycles`` clock cycles; the next is taken in the last of them. On an idle
    line it may wait for as many as ``cycles``.

    Parameters
    ----------
    divisor
        Clock cycles a bit while nobody chooses others, 2..65535; the most that can be chosen.

    Members
    -------
    cycles : In(range(divisor + 1))
        Clock cycles a bit, at least 2; to be changed while the line is quiet.
    i : In(stream of 8 bits)
        Bytes.
    tx : Out(1)
        The line.
    quiet : Out(1)
        Nothing is being sent; of the last byte the stop bit may be.

    Raises
    ------
    TypeError
        If the divisor is not an integer in 2..65535.
    """

    def __init__(self, *, divisor: int) -> None:
        self._divisor = check_divisor(divisor)
        super().__init__(
            {
                "cycles": In(range(divisor + 1), init=divisor),
                "i": In(stream.Signature(8)),
                "tx": Out(1, init=1),
                "quiet": Out(1),
            }
        )

    @property
    def divisor(self) -> int:
        """Most clock cycles a bit."""
        return self._divisor

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # Within a bit from 1 on. Should a change leave it beyond the end, it comes round.
        timer = Signal.like(self.cycles, init=1)
        ends = Signal()
        # Bits on the line and behind it; a lone 1 is the stop bit, and then the idle line.
        shift = Signal(10, init=1)
        m.d.comb += [
            self.tx.eq(shift[0]),
            self.quiet.eq(shift == 1),
            ends.eq(timer == self.cycles),
            self.i.ready.eq(ends & self.quiet),
        ]
        m.d.sync += timer.eq(timer + 1)
        with m.If(ends):
            m.d.sync += timer.eq(1)
            with m.If(~self.quiet):
                m.d.sync += shift.eq(shift >> 1)
            with m.Elif(self.i.valid):
                m.d.sync += shift.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1)))
        return m
