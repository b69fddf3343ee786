# SPDX-License-Identifier: Apache-2.0
"""A board around a design: clock generator, reset, and UART pins."""

from amaranth import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal
from amaranth.build import Platform
from amaranth.lib.io import Buffer
from amaranth.lib.wiring import Component

from hw.boards.board import Board
from hw.pll import PllSetting
from hw.vendor.clock_generator import ClockGenerator

__all__ = ["OnBoard"]


class OnBoard(Elaboratable):
    """Top of a bitstream.

    Parameters
    ----------
    board
        Names the pins.
    setting
        PLL setting that makes the system clock.
    inner
        Component with ports ``rx`` (In(1), UART line, idle 1, asynchronous) and ``tx`` (Out(1)),
        in domain ``sync``.
    """

    def __init__(self, *, board: Board, setting: PllSetting, inner: Component) -> None:
        self._board = board
        self._setting = setting
        self._inner = inner

    def elaborate(self, platform: Platform) -> Module:
        """Return the gateware; pins are requested from the board's platform."""
        m = Module()
        m.submodules.clock = clock = ClockGenerator(
            setting=self._setting,
            clock_port=platform.request(platform.default_clk, dir="-"),
        )
        m.domains += ClockDomain("sync")
        m.d.comb += [ClockSignal("sync").eq(clock.clk), ResetSignal("sync").eq(clock.rst)]

        name, number = self._board.uart
        uart = platform.request(name, number, dir={"rx": "-", "tx": "-", "rts": "-", "dtr": "-"})
        m.submodules.rx = rx = Buffer("i", uart.rx)
        m.submodules.tx = tx = Buffer("o", uart.tx)
        m.submodules.design = self._inner
        m.d.comb += [self._inner.rx.eq(rx.i), tx.o.eq(self._inner.tx)]
        return m
