# SPDX-License-Identifier: Apache-2.0
"""From networks and a board's name to the gateware that shall hold them."""

from collections.abc import Sequence

from hw.design import Design, Fold
from model.description import Network

__all__ = ["design_for"]


def design_for(networks: Sequence[Network], board: str) -> Design:
    """Return the smallest design with the board's default fold that holds all the networks.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    """
    from hw.boards import find_board

    find_board(board)
    last = networks[0].layers[-1].neurons
    hidden = len(networks[0].layers) - 1
    if board == "icebreaker":
        folds = [Fold(lanes=64)] * hidden + [Fold(lanes=last)]
        return Design.for_networks(networks, folds, pixels_per_cycle=4, weight_memory="spram")
    lanes = 128 if board == "ulx3s-25f" else 256
    folds = [Fold(lanes=lanes, inputs_per_cycle=4, times_per_cycle=8)] * hidden
    folds.append(Fold(lanes=last, inputs_per_cycle=4))
    return Design.for_networks(networks, folds, pixels_per_cycle=16, store_banks=2)
