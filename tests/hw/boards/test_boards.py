# SPDX-License-Identifier: Apache-2.0
"""The list of boards."""

import importlib.util
import re
from pathlib import Path

import pytest

from hw.boards import BOARDS, UnknownBoardError, find_board
from hw.flash.layout import FlashMap
from hw.vendor.pll import PLL_KINDS


def pins(platform, resource):
    return {io.name for io in platform.lookup(*resource).ios}


def test_unknown_board_lists_the_known_ones():
    text = (
        "Board must be one of icebreaker, pico-ice, ulx3s-12f, ulx3s-25f, ulx3s-45f, ulx3s-85f, "
        "icepi-zero, tang-nano-9k, tang-nano-20k, not 'nexys'"
    )
    with pytest.raises(UnknownBoardError, match=f"^{re.escape(text)}$"):
        find_board("nexys")


def load_template():
    """The board in the template for the next one."""
    path = Path(__file__).parents[3] / "docs" / "board_template.py"
    spec = importlib.util.spec_from_file_location("board_template", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MY_BOARD


ALL = [*BOARDS.values(), load_template()]
each_board = pytest.mark.parametrize("board", ALL, ids=lambda board: board.name)


def test_boards_go_by_their_names():
    assert all(board.name == name for name, board in BOARDS.items())
    # Files and pages are named after them.
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in BOARDS)


@each_board
def test_board_matches_its_platform(board):
    platform = board.platform()
    assert platform.default_clk_frequency == board.clock_hz
    part = platform.part if board.family == "gowin" else platform.device
    assert part.upper() in board.chip.upper()
    assert board.pll in PLL_KINDS
    assert {"rx", "tx"} <= pins(platform, board.uart)
    wanted = {"cs", "copi", "cipo"} | ({"clk"} if board.flash_clock == "pin" else set())
    assert wanted <= pins(platform, board.flash)
    if board.spi is not None:
        assert pins(platform, board.spi) == {"cs", "clk", "copi", "cipo"}


@each_board
def test_bitstream_and_networks_fit_the_flash(board):
    layout = FlashMap()
    assert board.flash_bytes >= layout.first_slot + layout.slots * layout.slot_bytes


@each_board
def test_commands_of_the_programmer_name_the_file(board):
    programmer = board.programmer
    assert "{file}" in programmer.flash
    assert not programmer.load or "{file}" in programmer.load
    assert not programmer.data or {"{file}", "{offset}"} <= set(programmer.data)


def test_weight_bandwidth_counts_one_port_of_every_memory():
    assert find_board("icebreaker").weight_bits_per_cycle == 544
    assert find_board("ulx3s-25f").weight_bits_per_cycle == 2016
