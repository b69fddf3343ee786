# SPDX-License-Identifier: Apache-2.0
"""Estimates: memories as the tools map them, bandwidth, and the record of what came out."""

import numpy as np
import pytest

from hw.boards import find_board
from hw.fit.estimate import bandwidth_share, estimate, memory_blocks, weight_bits
from hw.fit.fold import default_design
from tests.hw.fit.test_fold import network


@pytest.mark.parametrize(
    ("depth", "width", "family", "blocks"),
    [
        (1024, 22, "ice40", 6),
        (2048, 15, "ice40", 8),
        (256, 16, "ice40", 1),
        (4, 11, "ice40", 0),
        (198, 1024, "ecp5", 29),
        (2048, 23, "ecp5", 3),
        (66, 40, "ecp5", 2),
        (4, 11, "ecp5", 0),
    ],
)
def test_memories_as_yosys_maps_them(depth: int, width: int, family: str, blocks: int) -> None:
    assert memory_blocks(depth=depth, width=width, family=family) == blocks


def test_a_design_with_more_lanes_needs_more() -> None:
    board = find_board("ulx3s-85f")
    small = estimate(default_design([network(784, 64, 10)], board.name), board).total
    large = estimate(default_design([network(784, 256, 10)], board.name), board).total
    assert large.luts > 2 * small.luts
    assert large.flip_flops > 2 * small.flip_flops
    assert large.ram_blocks > small.ram_blocks


def test_spram_stands_for_block_ram() -> None:
    board = find_board("icebreaker")
    design = default_design([network(784, 600, 10)], board.name, flash=False)
    found = estimate(design, board, flash=False)
    assert found.parts["layer0"].spram_blocks == 4
    assert found.parts["layer0"].ram_blocks == 0
    assert found.total.ram_blocks <= 30


def test_weight_bits_are_spikes_times_neurons() -> None:
    net = network(3, 5, 2, steps=4)
    # Two images: 2 and 0 of the inputs spike, 1 and 3 of the hidden neurons.
    inputs = np.array([[0, 3, 4], [4, 4, 4]])
    hidden = np.array([[4, 1, 4, 4, 4], [0, 1, 2, 4, 4]])
    assert weight_bits(net, [inputs, hidden]) == pytest.approx((2 + 0) / 2 * 5 + (1 + 3) / 2 * 2)


def test_bandwidth_share_is_1_where_every_memory_bit_is_a_weight_that_is_needed() -> None:
    board = find_board("icebreaker")
    assert board.weight_bits_per_cycle == 544
    assert bandwidth_share(bits=5440, cycles=10, board=board) == pytest.approx(1.0)
