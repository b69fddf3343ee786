# SPDX-License-Identifier: Apache-2.0
"""The list of boards."""

import re

import pytest

from hw.boards import BOARDS, UnknownBoardError, find_board
from hw.pll import PLL_KINDS


def test_unknown_board_lists_the_known_ones():
    text = "Board must be one of icebreaker, ulx3s-25f, ulx3s-85f, tang-nano-9k, not 'nexys'"
    with pytest.raises(UnknownBoardError, match=f"^{re.escape(text)}$"):
        find_board("nexys")


@pytest.mark.parametrize("name", BOARDS)
def test_board_matches_its_platform(name):
    board = find_board(name)
    platform = board.platform()
    assert board.name == name
    assert platform.default_clk_frequency == board.clock_hz
    assert platform.device.upper() in board.chip.upper()
    assert board.pll in PLL_KINDS
    resource = platform.lookup(*board.uart)
    assert {"rx", "tx"} <= {io.name for io in resource.ios}


def test_weight_bandwidth_counts_one_port_of_every_memory():
    assert find_board("icebreaker").weight_bits_per_cycle == 544
    assert find_board("ulx3s-25f").weight_bits_per_cycle == 2016
