# SPDX-License-Identifier: Apache-2.0
"""iCEBreaker: iCE40 UP5K, 12 MHz oscillator, UART through its FTDI chip."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from hw.boards.board import Board

__all__ = ["ICEBREAKER"]

ICEBREAKER = Board(
    name="icebreaker",
    title="iCEBreaker",
    chip="iCE40UP5K-SG48",
    family="ice40",
    platform=ICEBreakerPlatform,
    clock_hz=12e6,
    pll="SB_PLL40_PAD",
    uart=("uart", 0),
    luts=5280,
    flip_flops=5280,
    ram_blocks=30,
    ram_bits=4096,
    ram_port_bits=16,
    spram_blocks=4,
    dsp_blocks=8,
    target_mhz=30.0,
    bitstream_suffix=".bin",
    tools=("yosys", "nextpnr-ice40", "icepack"),
)
