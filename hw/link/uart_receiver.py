# SPDX-License-Identifier: Apache-2.0
"""Serial line to bytes."""

import math

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["UartReceiver", "check_divisor", "divisor_for"]


def check_divisor(divisor: object) -> int:
    """Return the divisor, or raise if it is not an integer in 2..65535."""
    if not isinstance(divisor, int) or not 2 <= divisor < 1 << 16:
        raise TypeError(f"Divisor must be an integer in 2..65535, not {divisor!r}")
    return divisor


def divisor_for(clock_hz: float, baud: int) -> int:
    """Clock cycles a bit that come nearest to a speed.

    Raises
    ------
    ValueError
        If the clock is too slow or too fast for it.
    """
    least, most = math.ceil(clock_hz / ((1 << 16) - 1)), int(clock_hz / 2)
    if not least <= baud <= most:
        raise ValueError(
            f"Bits a second must be in {least}..{most} with a clock of {clock_hz / 1e6:g} MHz, "
            f"not {baud!r}"
        )
    return round(clock_hz / baud)


class UartReceiver(wiring.Component):
    """Receives 8 data bits, no parity, 1 stop bit, lowest bit first, idle 1.

    A bit is sampled once, in its middle. A start bit that is gone in its middle is ignored. After
    a missing stop bit the line must become 1 before the next byte begins.

    Parameters
    ----------
    divisor
        Clock cycles a bit while nobody chooses others, 2..65535; the most that can be chosen.

    Members
    -------
    cycles : In(range(divisor + 1))
        Clock cycles a bit, at least 2. A byte that is on the line when they change is lost.
    rx : In(1)
        The line; asynchronous.
    o : Out(stream of 8 bits)
        Bytes. One that is not taken before the next is complete is lost.
    line_error : Out(1)
        A byte without stop bit was dropped.
    overrun : Out(1)
        A byte was lost because nobody took the one before.

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
                "rx": In(1, init=1),
                "o": Out(stream.Signature(8)),
                "line_error": Out(1),
                "overrun": Out(1),
            }
        )

    @property
    def divisor(self) -> int:
        """Most clock cycles a bit."""
        return self._divisor

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        line, before = Signal(init=1), Signal()
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.d.sync += before.eq(line)

        # Within a bit from 1 on. Should a change leave it beyond the end, it comes round.
        timer = Signal.like(self.cycles, init=1)
        bits = Signal(range(11))  # bits still to sample, start and stop bit included
        shift = Signal(8)
        m.d.sync += timer.eq(timer + 1)
        with m.If(timer == self.cycles):
            m.d.sync += timer.eq(1)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(bits == 0):
            m.d.sync += timer.eq(1)
            with m.If(before & ~line):
                m.d.sync += bits.eq(10)
        with m.Elif(timer == self.cycles[1:]):
            m.d.sync += bits.eq(bits - 1)
            with m.If(bits == 10):
                with m.If(line):
                    m.d.sync += bits.eq(0)
            with m.Elif(bits == 1):
                m.d.comb += [
                    self.line_error.eq(~line),
                    self.overrun.eq(line & self.o.valid & ~self.o.ready),
                ]
                with m.If(line & (~self.o.valid | self.o.ready)):
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(shift)]
            with m.Else():
                m.d.sync += shift.eq(Cat(shift[1:], line))
        return m
