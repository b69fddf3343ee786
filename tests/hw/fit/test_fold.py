# SPDX-License-Identifier: Apache-2.0
"""Default folds: what comes out for the shipped sizes, and what is refused."""

import re

import numpy as np
import pytest

from hw.boards import BOARDS, UnknownBoardError, find_board
from hw.design.design import CapacityError, Design
from hw.fit.estimate import estimate
from hw.fit.fold import boots_from_flash, default_design
from model.description import LatencyEncoding, Layer, Network, Readout


def network(*sizes: int, steps: int = 4, readout: Readout = Readout.FIRST_SPIKE) -> Network:
    """Random weights and thresholds of the shipped networks' size."""
    rng = np.random.default_rng(1)
    return Network(
        encoding=LatencyEncoding(levels=tuple(range(208, 208 - steps, -1))),
        layers=tuple(
            Layer.from_signs(rng.choice((-1, 1), size=(n, fan_in)), rng.integers(-80, 80, n))
            for fan_in, n in zip(sizes, sizes[1:], strict=False)
        ),
        readout=readout,
    )


def lanes(design: Design) -> list[int]:
    return [layer.lanes for layer in design.layers]


def test_icebreaker_reads_its_spram_blocks() -> None:
    design = default_design([network(784, 600, 10), network(784, 256, 10)], "icebreaker")
    assert lanes(design) == [48, 10]
    assert design.weight_memory == "spram"
    assert design.layers[0].blocks == 13
    assert boots_from_flash(design, "icebreaker")
    # Without the boot from flash there is room for more.
    assert lanes(default_design([network(784, 256, 10)], "icebreaker")) == [56, 10]
    assert lanes(default_design([network(784, 256, 10)], "icebreaker", flash=False)) == [64, 10]
    assert set(design.readouts) >= {Readout.FIRST_SPIKE, Readout.SUMMED_POTENTIAL}


def test_no_board_is_the_icebreakers_fold_on_any_chip() -> None:
    net = network(784, 256, 10)
    portable, board = default_design([net]), default_design([net], "icebreaker", flash=False)
    assert portable.weight_memory == "portable"
    assert portable.layers == board.layers
    assert portable.pixels_per_cycle == board.pixels_per_cycle


@pytest.mark.parametrize("board", ["ulx3s-25f", "ulx3s-85f"])
def test_256_neurons_are_one_block_on_ecp5(board: str) -> None:
    design = default_design([network(784, 256, 10)], board)
    assert lanes(design) == [256, 10]
    assert [layer.inputs_per_cycle for layer in design.layers] == [4, 4]
    assert design.pixels_per_cycle == 16
    assert design.store_banks == 2


@pytest.mark.parametrize("board", sorted(BOARDS))
@pytest.mark.parametrize("sizes", [(784, 600, 10), (784, 256, 10), (64, 20, 10), (64, 24, 16, 10)])
def test_sizes_fit_with_room_for_the_link(board: str, sizes: tuple[int, ...]) -> None:
    if sizes == (784, 600, 10) and board in ("tang-nano-9k", "ulx3s-12f"):
        # More weights than their block RAMs hold.
        sizes = (784, 256, 10)
    design = default_design([network(*sizes)], board)
    assert estimate(design, find_board(board)).shortage is None


def test_words_as_input() -> None:
    design = default_design([network(784, 256, 10)], "ulx3s-85f", sample_input="words")
    assert design.sample_input == "words"


def test_a_network_that_no_fold_fits_is_refused() -> None:
    with pytest.raises(
        CapacityError,
        match=re.escape("Networks of ulx3s-25f must fit its LFE5U-25F-6BG381C, not 784-4000-10: ")
        + r"that takes \d+ block RAMs of 56",
    ):
        default_design([network(784, 4000, 10)], "ulx3s-25f")


def test_an_unknown_board_is_refused() -> None:
    with pytest.raises(UnknownBoardError, match="Board must be one of"):
        default_design([network(64, 20, 10)], "blinky")
