# SPDX-License-Identifier: Apache-2.0
"""What the ULX3S variants share: 25 MHz oscillator, UART through its FTDI chip, flash.

One file a variant names the chip: ``ulx3s_12f.py`` and so on.
"""

from typing import Any

from amaranth.build import Platform

from hw.boards.board import Board, Programmer

__all__ = ["ulx3s"]


def ulx3s(
    *, size: str, platform: type[Platform], notes: tuple[str, ...] = (), **chip: Any
) -> Board:
    """Make the board of one variant.

    Parameters
    ----------
    size
        ``"12f"``, ``"25f"``, ``"45f"`` or ``"85f"``.
    platform
        Its platform.
    notes
        As of `hw.boards.board.Board`, beside those of all variants.
    chip
        Its entry in `hw.boards.chips`.
    """
    call = ("openFPGALoader", "-b", "ulx3s")
    return Board(
        name=f"ulx3s-{size}",
        title=f"ULX3S {size.upper()}",
        chip=f"LFE5U-{size.upper()}-6BG381C",
        platform=platform,
        clock_hz=25e6,
        uart=("uart", 0),
        uart_through="FT231X",
        flash=("spi_flash", 0),
        flash_bytes=16 << 20,
        flash_clock="USRMCLK",
        programmer=Programmer(
            load=(*call, "{file}"),
            flash=(*call, "-f", "{file}"),
            data=(*call, "-f", "-o", "{offset}", "--file-type", "raw", "{file}"),
        ),
        usb_ids=((0x0403, 0x6015),),
        target_mhz=100.0,
        series_target_mhz=62.5,
        notes=(*notes, "Early boards have a flash of 4 MiB; that is enough for all slots."),
        **chip,
    )
