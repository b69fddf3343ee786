# SPDX-License-Identifier: Apache-2.0
"""ULX3S with the LFE5U-45F."""

from amaranth_boards.ulx3s import ULX3S_45F_Platform

from hw.boards.chips import LFE5U_45F
from hw.boards.ulx3s import ulx3s

__all__ = ["ULX3S_45F"]

ULX3S_45F = ulx3s(size="45f", platform=ULX3S_45F_Platform, **LFE5U_45F)
