# SPDX-License-Identifier: Apache-2.0
"""A board around a design: clock generator, reset, and the pins of link and flash."""

from amaranth import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal
from amaranth.build import Platform
from amaranth.lib.io import Buffer
from amaranth.lib.wiring import Component

from hw.boards.board import Board
from hw.vendor.clock_generator import ClockGenerator
from hw.vendor.flash_clock import FlashClock
from hw.vendor.pll import PllSetting

__all__ = ["NoPinsError", "OnBoard", "check_pins"]


class NoPinsError(ValueError):
    """A design with a link that the board has no pins for."""


def check_pins(board: Board, link: str) -> None:
    """Check that a board has pins for a kind of link.

    Raises
    ------
    NoPinsError
        If it has not.
    """
    if link == "spi" and board.spi is None:
        raise NoPinsError(f"Link of {board.name} must be uart, not spi: it has no pins for SPI")


class OnBoard(Elaboratable):
    """Top of a bitstream.

    Parameters
    ----------
    board
        Names the pins.
    setting
        PLL setting that makes the system clock.
    inner
        Component in domain ``sync`` with ports ``rx`` (In(1), UART line, idle 1, asynchronous) and
        ``tx`` (Out(1)), or with the ports of an SPI link, and perhaps with those of a flash, as
        `hw.board_top.BoardTop` has them.
        The board has pins for them, see `check_pins`.
    """

    def __init__(self, *, board: Board, setting: PllSetting, inner: Component) -> None:
        self._board = board
        self._setting = setting
        self._inner = inner
        self._ports = inner.signature.members

    def elaborate(self, platform: Platform) -> Module:
        """Return the gateware; pins are requested from the board's platform."""
        m = Module()
        m.submodules.clock = clock = ClockGenerator(
            setting=self._setting,
            clock_port=platform.request(platform.default_clk, dir="-"),
        )
        m.domains += ClockDomain("sync")
        m.d.comb += [ClockSignal("sync").eq(clock.clk), ResetSignal("sync").eq(clock.rst)]

        m.submodules.design = self._inner
        if "sck" in self._ports:
            self._add_spi(m, platform)
        else:
            self._add_uart(m, platform)
        if "flash_sck" in self._ports:
            self._add_flash(m, platform)
        return m

    def _add_uart(self, m: Module, platform: Platform) -> None:
        uart = _request(platform, self._board.uart)
        m.submodules.rx = rx = Buffer("i", uart.rx)
        m.submodules.tx = tx = Buffer("o", uart.tx)
        m.d.comb += [self._inner.rx.eq(rx.i), tx.o.eq(self._inner.tx)]

    def _add_spi(self, m: Module, platform: Platform) -> None:
        spi = _request(platform, self._board.spi)
        m.submodules.sck = sck = Buffer("i", spi.clk)
        m.submodules.cs = cs = Buffer("i", spi.cs)
        m.submodules.copi = copi = Buffer("i", spi.copi)
        m.submodules.cipo = cipo = Buffer("o", spi.cipo)
        m.d.comb += [
            self._inner.sck.eq(sck.i),
            # The buffer of a pin that is active low inverts.
            self._inner.cs.eq(~cs.i),
            self._inner.copi.eq(copi.i),
            cipo.o.eq(self._inner.cipo),
            cipo.oe.eq(self._inner.cipo_enable),
        ]

    def _add_flash(self, m: Module, platform: Platform) -> None:
        flash = _request(platform, self._board.flash)
        m.submodules.flash_cs = cs = Buffer("o", flash.cs)
        m.submodules.flash_copi = copi = Buffer("o", flash.copi)
        m.submodules.flash_cipo = cipo = Buffer("i", flash.cipo)
        m.submodules.flash_sck = sck = (
            FlashClock() if self._board.flash_clock == "USRMCLK" else Buffer("o", flash.clk)
        )
        m.d.comb += [
            cs.o.eq(~self._inner.flash_cs),
            copi.o.eq(self._inner.flash_copi),
            self._inner.flash_cipo.eq(cipo.i),
            sck.o.eq(self._inner.flash_sck),
        ]
        # A chip's idle pins could pull these to where the flash stops.
        for name in ("wp", "hold"):
            if hasattr(flash, name):
                m.submodules[f"flash_{name}"] = pin = Buffer("o", getattr(flash, name))
                m.d.comb += pin.o.eq(0)


def _request(platform: Platform, resource: tuple[str, int]) -> object:
    """Ports of a resource, without buffers."""
    name, number = resource
    ios = platform.lookup(name, number).ios
    return platform.request(name, number, dir={io.name: "-" for io in ios})
