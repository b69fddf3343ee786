# SPDX-License-Identifier: Apache-2.0
"""Bytes to serial line."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.uart_receiver import check_divisor

__all__ = ["UartTransmitter"]


class UartTransmitter(wiring.Component):
    """Sends 8 data bits, no parity, 1 stop bit, lowest bit first, idle 1.

    A byte takes ``10 * divisor`` cycles; the next is taken in the last of them.

    Parameters
    ----------
    divisor
        Clock cycles a bit, at least 2.

    Members
    -------
    i : In(stream of 8 bits)
        Bytes.
    tx : Out(1)
        The line.

    Raises
    ------
    TypeError
        If the divisor is not an integer of at least 2.
    """

    def __init__(self, *, divisor: int) -> None:
        self._divisor = check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    @property
    def divisor(self) -> int:
        """Clock cycles a bit."""
        return self._divisor

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        timer = Signal(range(self._divisor))
        # Bits on the line and behind it; a lone 1 is the stop bit, and then the idle line.
        shift = Signal(10, init=1)
        idle = Signal()
        m.d.comb += [
            self.tx.eq(shift[0]),
            idle.eq((shift == 1) & (timer == 0)),
            self.i.ready.eq(idle),
        ]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(~idle):
            m.d.sync += [timer.eq(self._divisor - 1), shift.eq(shift >> 1)]
        with m.If(idle & self.i.valid):
            m.d.sync += [
                timer.eq(self._divisor - 1),
                shift.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))),
            ]
        return m
