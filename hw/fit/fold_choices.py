# SPDX-License-Identifier: Apache-2.0
"""What folds of both schedules are chosen from: numbers of lanes, and memories of the chip."""

from collections.abc import Iterator

from hw.boards import Board
from hw.design.design import SPRAM_ROWS, LayerDesign, ceil_div

__all__ = ["fits_spram", "lane_counts"]

_QUANTUM = 8


def lane_counts(neurons: int, widest: int) -> Iterator[int]:
    """Lanes of layers of so many neurons at most, from most to fewest: multiples of 8 that fill the
    last block of neurons well.
    """
    before = 0
    for blocks in range(1, neurons + 1):
        lanes = _QUANTUM * ceil_div(ceil_div(neurons, blocks), _QUANTUM)
        if lanes == before or lanes > widest:
            continue
        before = lanes
        yield lanes
        if lanes == _QUANTUM:
            return


def fits_spram(layer: LayerDesign, board: Board) -> bool:
    """Whether the weights of a layer fit the board's SPRAM blocks side by side."""
    return layer.rows <= SPRAM_ROWS and layer.row_bits <= 16 * board.spram_blocks
