# SPDX-License-Identifier: Apache-2.0
"""Bits out of an SPI flash of the 25 series, from an address on."""

import math

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.flash.layout import ADDRESS_BITS

__all__ = ["FlashPins", "FlashReader"]

# Release from power-down, which the tools of iCE40 leave a flash in; and read.
_WAKE, _READ = 0xAB, 0x03
# Bits of a slot header are told apart.
_PLACE_BITS = 8
# Every 25-series flash reads with 0x03 at this clock, also behind slow pins.
_MAX_HZ = 25e6
# What the slowest of them need to wake up; deselecting takes less.
_PAUSE_SECONDS = 50e-6
# Where the clock is not known.
_FASTEST_HZ = 50_000_000


class FlashPins(wiring.Signature):
    """Pins of a flash, as its master drives them.

    Members
    -------
    cs : Out(1)
        0 selects.
    sck, copi : Out(1)
        Clock, idle 0; data to the flash, which takes them when the clock rises.
    cipo : In(1)
        Data from the flash, which it changes when the clock falls.
    """

    def __init__(self) -> None:
        super().__init__({"cs": Out(1, init=1), "sck": Out(1), "copi": Out(1), "cipo": In(1)})


class FlashReader(wiring.Component):
    """Wakes the flash, or reads from it, as long as it is selected.

    From the rise of `select` on: a pause of `pause` cycles in which the flash is not selected, the
    command (`period` cycles for each of 8 bits, or of 32 for a read), then a bit every `period`
    cycles. SPI mode 0; a bit is taken a whole `period` after the edge that made the flash send it.

    Parameters
    ----------
    clock_hz
        Clock, which gives pause and period; 0 if not known, then at most 50 MHz.

    Members
    -------
    pins : Out(FlashPins)
        The flash.
    select : In(1)
        1: read; 0 ends it in the next cycle.
    wake : In(1)
        Only wake the flash; stable until `is_awake`.
    address : In(24)
        First byte; stable while selected.
    is_awake : Out(1)
        The command to wake is out; a read may follow at once.
    valid : Out(1), bit : Out(1)
        A bit, in this cycle alone; the highest of each byte comes first.
    place : Out
        Its number, from 0, modulo a power of two of at least 256.
    """

    def __init__(self, *, clock_hz: int = 0) -> None:
        clock_hz = clock_hz or _FASTEST_HZ
        self._half = math.ceil(clock_hz / (2 * _MAX_HZ))
        # A power of two: few gates.
        self._pause_bits = ceil_log2(math.ceil(clock_hz * _PAUSE_SECONDS))
        super().__init__(
            {
                "pins": Out(FlashPins()),
                "select": In(1),
                "wake": In(1),
                "address": In(ADDRESS_BITS),
                "is_awake": Out(1),
                "valid": Out(1),
                "bit": Out(1),
                "place": Out(max(_PLACE_BITS, self._pause_bits)),
            }
        )

    @property
    def period(self) -> int:
        """Cycles of the flash's clock."""
        return 2 * self._half

    @property
    def pause(self) -> int:
        """Cycles before a command."""
        return 1 << self._pause_bits

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        pins, count = self.pins, self.place
        # Command and address, in the order of the line; built from few signals, it is few gates.
        line = Mux(self.wake, _WAKE, _READ)[::-1]
        line = [*line, *self.address[::-1]]
        with m.Switch(count[:5]):
            for number, bit in enumerate(line):
                with m.Case(number):
                    m.d.comb += pins.copi.eq(bit)

        due = Const(1)  # half a period is over
        if self._half > 1:
            phase = Signal(range(self._half))
            due = phase == self._half - 1
            m.d.sync += phase.eq(Mux(due | pins.cs, 0, phase + 1))
        falls = Signal()  # the end of a bit
        is_reading = Signal()  # the command is out
        m.d.comb += [
            falls.eq(pins.sck & due),
            self.is_awake.eq(self.wake & falls & count[:3].all()),
            self.valid.eq(is_reading & falls),
            self.bit.eq(pins.cipo),
        ]
        # Count: cycles of the pause, bits of the command, bits that are read.
        with m.If(pins.cs | falls):
            m.d.sync += count.eq(count + 1)
        with m.If(due & ~pins.cs):
            m.d.sync += pins.sck.eq(~pins.sck)
        with m.If(pins.cs & count[: self._pause_bits].all()):
            m.d.sync += [pins.cs.eq(0), count.eq(0)]
        with m.If(falls & ~is_reading & count[:5].all()):
            m.d.sync += [is_reading.eq(1), count.eq(0)]
        with m.If(~self.select | self.is_awake):
            m.d.sync += [pins.cs.eq(1), pins.sck.eq(0), is_reading.eq(0), count.eq(0)]
        return m
