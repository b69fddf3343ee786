# SPDX-License-Identifier: Apache-2.0
"""Boards in the command line, and the network that is chosen for one."""

import pytest

from hw.boards import BOARDS
from hw.fit.estimate import estimate
from model import zoo
from popspike.fitting import fits, largest_fit, reason_text
from tests.popspike.conftest import Command

# What the memories of the chips have room for, worked out by hand from data sheets: weight bits
# that are stored at most.
_MEMORY_BITS = {
    "icebreaker": 30 * 4096 + 4 * 262144,
    "ulx3s-12f": 32 * 18432,
    "ulx3s-85f": 208 * 18432,
    "tang-nano-9k": 26 * 18432,
}


def test_boards_in_words(popspike: Command) -> None:
    text = popspike("boards").out
    assert all(name in text for name in (*BOARDS, "virtual"))
    assert "GW2AR-18C" in text


def test_facts_of_the_boards(popspike: Command) -> None:
    rows = {row["name"]: row for row in popspike("boards", "--json").json()}
    assert list(rows) == [*BOARDS, "virtual"]
    for name, board in BOARDS.items():
        row = rows[name]
        assert row["clock_mhz"] * 1e6 == board.clock_hz
        assert row["largest_network"] in zoo.names()
        assert row["largest_network"] in row["why"]
        # Nobody has reported anything yet.
        assert row["tested_by"] == []
    assert rows["icebreaker"]["memory_kbit"] == 30 * 4 + 4 * 256
    assert rows["tang-nano-9k"] == popspike("boards", "tang-nano-9k", "--json").json()


def test_one_board_in_words(popspike: Command) -> None:
    text = popspike("boards", "pico-ice").out
    assert "dfu-util" in text
    assert "1209:b1c0" in text


def test_a_board_that_is_not_there(popspike: Command) -> None:
    assert "Board must be one of icebreaker, " in popspike("boards", "arty").error()


@pytest.mark.parametrize("board", _MEMORY_BITS)
def test_the_largest_network_fits_and_no_larger_one_does(board: str) -> None:
    chosen, larger = largest_fit(board)
    assert chosen.design is not None
    assert estimate(chosen.design, BOARDS[board]).shortage is None
    assert chosen.weight_bits <= _MEMORY_BITS[board]
    sizes = [each.weight_bits for each in fits(board)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == len(zoo.names())
    assert all(each.weight_bits >= chosen.weight_bits for each in larger)
    text = reason_text(chosen, larger)
    assert all(each.shortage and f"{each.name} (" in text for each in larger)


def test_largest_goes_with_no_other_choice(popspike: Command) -> None:
    answer = popspike("build", "largest", "-b", "tang-nano-9k", "--resident")
    assert "Network must be named with --members or --resident, not 'largest'" in answer.error()
