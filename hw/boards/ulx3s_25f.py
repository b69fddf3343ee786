# SPDX-License-Identifier: Apache-2.0
"""ULX3S with the LFE5U-25F."""

from amaranth_boards.ulx3s import ULX3S_25F_Platform

from hw.boards.chips import LFE5U_25F
from hw.boards.ulx3s import ulx3s

__all__ = ["ULX3S_25F"]

ULX3S_25F = ulx3s(size="25f", platform=ULX3S_25F_Platform, **LFE5U_25F)
