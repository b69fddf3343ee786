# SPDX-License-Identifier: Apache-2.0
"""The speed of a serial line, and the way back to the one that every host knows."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.link.uart_receiver import check_divisor

__all__ = ["PATIENCE", "LineSpeed"]

#: Bad events in a row that bring the built speed back.
PATIENCE = 16


class LineSpeed(wiring.Component):
    """Keeps the clock cycles a bit that a host has chosen, as long as frames come through.

    `PATIENCE` bad events without a good frame between them bring the built speed back. A zero at
    that speed is longer than a byte at one that is faster by a tenth or more, so it misses its stop
    bit: a host that finds no answer sends so many zeros at the built speed, and the board is there
    again. Speeds nearer than that are not worth a change, and hosts choose none of them.

    Parameters
    ----------
    divisor
        Clock cycles a bit that the line is built for, 2..65535.

    Members
    -------
    chosen : In(range(divisor + 1)), choose : In(1)
        Clock cycles a bit from the next cycle on, 2..divisor.
    good, bad : In(1)
        A good frame came in; a bad one, or a byte without stop bit.
    cycles : Out(range(divisor + 1))
        Clock cycles a bit.
    """

    def __init__(self, *, divisor: int) -> None:
        self._divisor = check_divisor(divisor)
        super().__init__(
            {
                "chosen": In(range(divisor + 1)),
                "choose": In(1),
                "good": In(1),
                "bad": In(1),
                "cycles": Out(range(divisor + 1), init=divisor),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        count = Signal(range(PATIENCE))
        with m.If(self.good):
            m.d.sync += count.eq(0)
        with m.Elif(self.bad):
            m.d.sync += count.eq(count + 1)
            with m.If(count == PATIENCE - 1):
                m.d.sync += self.cycles.eq(self._divisor)
        with m.If(self.choose):
            m.d.sync += self.cycles.eq(self.chosen)
        return m
