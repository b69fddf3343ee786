# SPDX-License-Identifier: Apache-2.0
"""Icepi Zero 1.3: LFE5U-25F, 50 MHz oscillator, UART through its FTDI chip."""

from amaranth_boards.icepi_zero import IcepiZero1_3Platform

from hw.boards.board import Board, Programmer
from hw.boards.chips import LFE5U_25F

__all__ = ["ICEPI_ZERO"]

_CALL = ("openFPGALoader", "-b", "icepi-zero")

ICEPI_ZERO = Board(
    name="icepi-zero",
    title="Icepi Zero",
    chip="LFE5U-25F-6BG256C",
    platform=IcepiZero1_3Platform,
    clock_hz=50e6,
    uart=("uart", 0),
    uart_through="FT231X",
    flash=("spi_flash_1x", 0),
    flash_bytes=16 << 20,
    flash_clock="USRMCLK",
    programmer=Programmer(
        load=(*_CALL, "{file}"),
        flash=(*_CALL, "-f", "{file}"),
        data=(*_CALL, "-f", "-o", "{offset}", "--file-type", "raw", "{file}"),
    ),
    usb_ids=((0x0403, 0x6015),),
    target_mhz=100.0,
    series_target_mhz=62.5,
    notes=("Pins are those of revision 1.3.",),
    **LFE5U_25F,
)
