# SPDX-License-Identifier: Apache-2.0
"""ULX3S with the LFE5U-25F."""

from amaranth_boards.ulx3s import ULX3S_25F_Platform

from hw.boards.ulx3s import ulx3s

__all__ = ["ULX3S_25F"]

ULX3S_25F = ulx3s(
    name="ulx3s-25f",
    title="ULX3S 25F",
    chip="LFE5U-25F-6BG381C",
    platform=ULX3S_25F_Platform,
    luts=24288,
    ram_blocks=56,
    dsp_blocks=28,
)
