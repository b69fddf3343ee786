# SPDX-License-Identifier: Apache-2.0
"""ULX3S with the LFE5U-85F."""

from amaranth_boards.ulx3s import ULX3S_85F_Platform

from hw.boards.chips import LFE5U_85F
from hw.boards.ulx3s import ulx3s

__all__ = ["ULX3S_85F"]

ULX3S_85F = ulx3s(size="85f", platform=ULX3S_85F_Platform, **LFE5U_85F)
