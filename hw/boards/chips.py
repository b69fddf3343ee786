# SPDX-License-Identifier: Apache-2.0
"""Chips of the boards: capacity from data sheets, PLL, tools. Fields as `hw.boards.board.Board`."""

from typing import Any

__all__ = ["GW1NR_9", "GW2AR_18", "LFE5U_12F", "LFE5U_25F", "LFE5U_45F", "LFE5U_85F", "UP5K"]

#: iCE40 UltraPlus 5K.
UP5K: dict[str, Any] = {
    "device": "iCE40UP5K",
    "family": "ice40",
    "pll": "SB_PLL40_PAD",
    "luts": 5280,
    "flip_flops": 5280,
    "ram_blocks": 30,
    "ram_bits": 4096,
    "ram_port_bits": 16,
    "spram_blocks": 4,
    "dsp_blocks": 8,
    "bitstream_suffix": ".bin",
    "tools": ("yosys", "nextpnr-ice40", "icepack"),
}


def _ecp5(device: str, *, luts: int, ram_blocks: int, dsp_blocks: int) -> dict[str, Any]:
    return {
        "device": device,
        "family": "ecp5",
        "pll": "EHXPLLL",
        "luts": luts,
        "flip_flops": luts,
        "ram_blocks": ram_blocks,
        "ram_bits": 18432,
        "ram_port_bits": 36,
        "spram_blocks": 0,
        "dsp_blocks": dsp_blocks,
        "bitstream_suffix": ".bit",
        "tools": ("yosys", "nextpnr-ecp5", "ecppack"),
    }


#: What Lattice sells as the 12F is the die of the 25F with another identity, and the open tools
#: place in all of it. Only this much of it is in the data sheet.
LFE5U_12F = _ecp5("LFE5U-12F", luts=12000, ram_blocks=32, dsp_blocks=28)
LFE5U_25F = _ecp5("LFE5U-25F", luts=24288, ram_blocks=56, dsp_blocks=28)
LFE5U_45F = _ecp5("LFE5U-45F", luts=43848, ram_blocks=108, dsp_blocks=72)
LFE5U_85F = _ecp5("LFE5U-85F", luts=83640, ram_blocks=208, dsp_blocks=156)


def _gowin(
    device: str, *, luts: int, flip_flops: int, ram_blocks: int, dsp_blocks: int
) -> dict[str, Any]:
    return {
        "device": device,
        "family": "gowin",
        "pll": "rPLL",
        "luts": luts,
        "flip_flops": flip_flops,
        "ram_blocks": ram_blocks,
        "ram_bits": 18432,
        "ram_port_bits": 36,
        "spram_blocks": 0,
        "dsp_blocks": dsp_blocks,
        "bitstream_suffix": ".fs",
        "tools": ("yosys", "nextpnr-himbaechel", "gowin_pack"),
    }


#: LittleBee 9 with PSRAM in the package.
GW1NR_9 = _gowin("GW1NR-9C", luts=8640, flip_flops=6480, ram_blocks=26, dsp_blocks=20)
#: Arora 18 with SDRAM in the package.
GW2AR_18 = _gowin("GW2AR-18C", luts=20736, flip_flops=15552, ram_blocks=46, dsp_blocks=48)
