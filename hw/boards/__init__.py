# SPDX-License-Identifier: Apache-2.0
"""Boards, one file each: pins, clock, chip. `find_board` looks one up by name."""

from hw.boards.board import Board, Programmer
from hw.boards.icebreaker import ICEBREAKER
from hw.boards.icepi_zero import ICEPI_ZERO
from hw.boards.pico_ice import PICO_ICE
from hw.boards.tang_nano_9k import TANG_NANO_9K
from hw.boards.tang_nano_20k import TANG_NANO_20K
from hw.boards.ulx3s_12f import ULX3S_12F
from hw.boards.ulx3s_25f import ULX3S_25F
from hw.boards.ulx3s_45f import ULX3S_45F
from hw.boards.ulx3s_85f import ULX3S_85F

__all__ = ["BOARDS", "Board", "Programmer", "UnknownBoardError", "find_board"]

#: Every board that bitstreams are built for, by name.
BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        ICEBREAKER,
        PICO_ICE,
        ULX3S_12F,
        ULX3S_25F,
        ULX3S_45F,
        ULX3S_85F,
        ICEPI_ZERO,
        TANG_NANO_9K,
        TANG_NANO_20K,
    )
}


class UnknownBoardError(ValueError):
    """A board name that is not in `BOARDS`; the text lists the known ones."""


def find_board(name: str) -> Board:
    """Look a board up by its command-line name.

    Raises
    ------
    UnknownBoardError
        Listing the known names.
    """
    try:
        return BOARDS[name]
    except KeyError:
        raise UnknownBoardError(f"Board must be one of {', '.join(BOARDS)}, not {name!r}") from None
