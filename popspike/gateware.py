# SPDX-License-Identifier: Apache-2.0
"""Which gateware a command means when it names a board, or none."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hw.design.design import CapacityError, Design
from model.description import Network

__all__ = ["DEFAULT_BOARD", "OptionalBoard", "choose_design"]

#: Board whose gateware is taken if none is named and the networks fit it.
DEFAULT_BOARD = "icebreaker"

OptionalBoard = Annotated[
    str | None,
    typer.Option(
        "--board",
        "-b",
        help="Board whose gateware is meant, a name from `popspike boards`. Default: "
        "icebreaker, or its fold for any chip if the networks are too large for it.",
    ),
]


def choose_design(
    networks: Sequence[Network], board: str | None, *, members: int | None = None
) -> tuple[Design, str]:
    """Return the design that shall hold the networks, and for what it is made, in words.

    Parameters
    ----------
    networks
        The networks.
    board
        Name of a board; None: the one that is meant by default.
    members
        Most members, as `hw.fit.fold.default_design` takes them.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    CapacityError
        If a board was named that cannot hold the networks.
    """
    from hw.fit.fold import default_design

    if board is not None:
        return default_design(networks, board, members=members), board
    try:
        return default_design(networks, DEFAULT_BOARD, members=members), DEFAULT_BOARD
    except CapacityError:
        return default_design(networks, None, members=members), "any chip"
