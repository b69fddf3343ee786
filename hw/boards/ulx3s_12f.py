# SPDX-License-Identifier: Apache-2.0
"""ULX3S with the LFE5U-12F."""

from amaranth_boards.ulx3s import ULX3S_12F_Platform

from hw.boards.chips import LFE5U_12F
from hw.boards.ulx3s import ulx3s

__all__ = ["ULX3S_12F"]

ULX3S_12F = ulx3s(
    size="12f",
    platform=ULX3S_12F_Platform,
    notes=(
        "The die is that of the 25F, and place and route may use any part of it. Capacity here is "
        "what the data sheet promises of a 12F; networks that need more are refused.",
    ),
    **LFE5U_12F,
)
