# SPDX-License-Identifier: Apache-2.0
"""ULX3S with the LFE5U-85F."""

from amaranth_boards.ulx3s import ULX3S_85F_Platform

from hw.boards.ulx3s import ulx3s

__all__ = ["ULX3S_85F"]

ULX3S_85F = ulx3s(
    name="ulx3s-85f",
    title="ULX3S 85F",
    chip="LFE5U-85F-6BG381C",
    platform=ULX3S_85F_Platform,
    luts=83640,
    ram_blocks=208,
    dsp_blocks=156,
)
