# SPDX-License-Identifier: Apache-2.0
"""iCEBreaker: iCE40 UP5K, 12 MHz oscillator, UART through its FTDI chip."""

from amaranth.build import Attrs, Platform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.resources import SPIResource

from hw.boards.board import Board, Programmer
from hw.boards.chips import UP5K

__all__ = ["ICEBREAKER"]


def _platform() -> Platform:
    platform = ICEBreakerPlatform()
    # The order of SPI on a PMOD: select, to the board, from it, clock.
    platform.add_resources(
        [
            SPIResource(
                0,
                cs_n="1",
                copi="2",
                cipo="3",
                clk="4",
                conn=("pmod", 0),
                role="peripheral",
                attrs=Attrs(IO_STANDARD="SB_LVCMOS"),
            )
        ]
    )
    return platform


ICEBREAKER = Board(
    name="icebreaker",
    title="iCEBreaker",
    chip="iCE40UP5K-SG48",
    platform=_platform,
    clock_hz=12e6,
    uart=("uart", 0),
    uart_through="FT2232H, second port",
    spi=("spi", 0),
    flash=("spi_flash_1x", 0),
    flash_bytes=16 << 20,
    programmer=Programmer(
        load=(),
        flash=("iceprog", "{file}"),
        data=("iceprog", "-o", "{offset}", "{file}"),
    ),
    usb_ids=((0x0403, 0x6010),),
    target_mhz=30.0,
    series_target_mhz=27.375,
    notes=(
        "An SPI link (`--link spi`) is on PMOD 1A: pin 1 select, 2 to the board, 3 from the board, "
        "4 clock.",
    ),
    **UP5K,
)
