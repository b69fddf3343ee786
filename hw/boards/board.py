# SPDX-License-Identifier: Apache-2.0
"""What a board is to the build: a chip with its capacity, a clock, a PLL, and UART pins."""

import dataclasses
from collections.abc import Callable

from amaranth.build import Platform

__all__ = ["Board"]


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
    bitstream_suffix
        File name ending of a bitstream.
    tools
        Programs that a build runs, in order: synthesis, place and route, packing.
    """

    name: str
    title: str
    chip: str
    family: str
    platform: Callable[[], Platform]
    clock_hz: float
    pll: str
    uart: tuple[str, int]
    luts: int
    flip_flops: int
    ram_blocks: int
    ram_bits: int
    ram_port_bits: int
    spram_blocks: int
    dsp_blocks: int
    target_mhz: float
    bitstream_suffix: str
    tools: tuple[str, ...]

    @property
    def weight_bits_per_cycle(self) -> int:
        """Memory bits that the chip can read in one cycle, one port of every block."""
        return self.ram_blocks * self.ram_port_bits + 16 * self.spram_blocks
