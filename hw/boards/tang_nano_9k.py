# SPDX-License-Identifier: Apache-2.0
"""Tang Nano 9K: GW1NR-9C, 27 MHz oscillator, UART through its BL702."""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from hw.boards.board import Board
from hw.boards.gowin import HimbaechelPlatform

__all__ = ["TANG_NANO_9K"]


class _Platform(HimbaechelPlatform, TangNano9kPlatform):
    chip_family = "GW1N-9C"


TANG_NANO_9K = Board(
    name="tang-nano-9k",
    title="Tang Nano 9K",
    chip="GW1NR-LV9QN88PC6/I5",
    family="gowin",
    platform=_Platform,
    clock_hz=27e6,
    pll="rPLL",
    uart=("uart", 0),
    luts=8640,
    flip_flops=6480,
    ram_blocks=26,
    ram_bits=18432,
    ram_port_bits=36,
    spram_blocks=0,
    dsp_blocks=20,
    target_mhz=54.0,
    bitstream_suffix=".fs",
    tools=("yosys", "nextpnr-himbaechel", "gowin_pack"),
)
