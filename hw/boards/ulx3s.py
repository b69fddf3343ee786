# SPDX-License-Identifier: Apache-2.0
"""What the ULX3S variants share: 25 MHz oscillator, UART through its FTDI chip, ECP5 cells.

One file a variant names the chip: ``ulx3s_25f.py``, ``ulx3s_85f.py``.
"""

from amaranth.build import Platform

from hw.boards.board import Board

__all__ = ["ulx3s"]


def ulx3s(
    *,
    name: str,
    title: str,
    chip: str,
    platform: type[Platform],
    luts: int,
    ram_blocks: int,
    dsp_blocks: int,
) -> Board:
    """Make the board of one variant; the arguments are those in which variants differ."""
    return Board(
        name=name,
        title=title,
        chip=chip,
        family="ecp5",
        platform=platform,
        clock_hz=25e6,
        pll="EHXPLLL",
        uart=("uart", 0),
        luts=luts,
        flip_flops=luts,
        ram_blocks=ram_blocks,
        ram_bits=18432,
        ram_port_bits=36,
        spram_blocks=0,
        dsp_blocks=dsp_blocks,
        target_mhz=101.25,
        bitstream_suffix=".bit",
        tools=("yosys", "nextpnr-ecp5", "ecppack"),
    )
