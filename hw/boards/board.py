# SPDX-License-Identifier: Apache-2.0
"""What a board is to the build: a chip with its capacity, a clock, a PLL, links, and a flash."""

import dataclasses
from collections.abc import Callable

from amaranth.build import Platform

__all__ = ["Board", "Programmer"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Programmer:
    """Command lines that bring files onto a board.

    In each, ``{file}`` stands for the file and ``{offset}`` for an address in the flash, in
    hexadecimal with ``0x``.

    Parameters
    ----------
    load
        Bitstream into the chip until power goes; empty: only through the flash.
    flash
        Bitstream to where the chip takes it from at power-up.
    data
        Any file into the board's SPI flash at an address; empty: the tool only writes from address
        0 on, as ``flash`` does.
    """

    load: tuple[str, ...]
    flash: tuple[str, ...]
    data: tuple[str, ...]

    @property
    def tool(self) -> str:
        """Name of the program."""
        return self.flash[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Board:
    """Pins, clock and capacity of one board; no gateware.

    Parameters
    ----------
    name
        Name on the command line.
    title
        Name in print.
    chip
        FPGA with its package.
    device
        FPGA without it.
    family
        ``"ice40"``, ``"ecp5"`` or ``"gowin"``: which tools build for it.
    platform
        Makes a fresh Amaranth platform (a platform object builds once).
    clock_hz
        Frequency of the platform's default clock.
    pll
        PLL cell that the clock pin can feed: ``"SB_PLL40_PAD"``, ``"EHXPLLL"`` or ``"rPLL"``.
    uart
        Name and number of the platform's UART resource.
    uart_through
        What joins the UART and the host's USB, in words.
    spi
        Name and number of the platform's resource for an SPI link, in which the board is the
        peripheral; None: it has none.
    flash
        Name and number of the platform's SPI flash resource, one data pin each way.
    flash_bytes
        Size of that flash.
    flash_clock
        ``"pin"``, or ``"USRMCLK"`` where only that cell of an ECP5 reaches the clock.
    programmer
        How files come onto the board.
    usb_ids
        USB vendor and product of the serial port; other devices may have the same.
    luts, flip_flops
        4-input look-up tables (iCE40: logic cells) and flip-flops of the chip.
    ram_blocks, ram_bits
        Block RAMs of the chip, and bits of one.
    ram_port_bits
        Bits that one port of a block RAM reads in a cycle.
    dsp_blocks
        Multipliers.
    spram_blocks
        256 kbit single-port RAMs of 16 bits a cycle (UP5K).
    target_mhz
        Highest clock that the build tries when it picks one itself.
    series_target_mhz
        The same for a design with a Legendre memory, whose multiplier is its longest path.
    bitstream_suffix
        File name ending of a bitstream.
    tools
        Programs that a build runs, in order: synthesis, place and route, packing.
    notes
        What a user of the board should know, a paragraph each.
    tested_by
        Who ran it on the board itself, with date and revision. Empty: nobody has, it builds.
    """

    name: str
    title: str
    chip: str
    device: str
    family: str
    platform: Callable[[], Platform]
    clock_hz: float
    pll: str
    uart: tuple[str, int]
    uart_through: str
    spi: tuple[str, int] | None = None
    flash: tuple[str, int]
    flash_bytes: int
    flash_clock: str = "pin"
    programmer: Programmer
    usb_ids: tuple[tuple[int, int], ...] = ()
    luts: int
    flip_flops: int
    ram_blocks: int
    ram_bits: int
    ram_port_bits: int
    spram_blocks: int
    dsp_blocks: int
    target_mhz: float
    series_target_mhz: float
    bitstream_suffix: str
    tools: tuple[str, ...]
    notes: tuple[str, ...] = ()
    tested_by: tuple[str, ...] = ()

    @property
    def weight_bits_per_cycle(self) -> int:
        """Memory bits that the chip can read in one cycle, one port of every block."""
        return self.ram_blocks * self.ram_port_bits + 16 * self.spram_blocks

    @property
    def memory_bits(self) -> int:
        """Bits of all memories of the chip."""
        return self.ram_blocks * self.ram_bits + (self.spram_blocks << 18)

    @property
    def memory_text(self) -> str:
        """Memories of the chip in words."""
        blocks = f"{self.ram_blocks} block RAMs of {self.ram_bits // 1024} kbit"
        return f"{blocks}, {self.spram_blocks} SPRAM of 256 kbit" if self.spram_blocks else blocks
