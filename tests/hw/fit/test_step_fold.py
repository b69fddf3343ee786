# SPDX-License-Identifier: Apache-2.0
"""Default folds and estimates of stepwise networks and committees."""

import re

import pytest

from hw.boards import find_board
from hw.design.design import CapacityError, Design
from hw.fit.estimate import estimate, memory_blocks, row_memory_blocks
from hw.fit.fold import boots_from_flash, default_design
from hw.fit.step_fold import step_designs
from hw.flow.build import part_of
from model import zoo
from model.description import Network
from model.encoding import EventEncoding, LatencyEncoding, RateEncoding
from tests.series import make_parallel, make_recurrent
from tests.stepwise import make_network


def digits(members: int = 8, *, sampled: bool = False) -> Network:
    """As large as the shipped committee of the 8x8 digits."""
    encoding = RateEncoding(steps=16)
    return make_network((64, 128, 10), seed=1, members=members, sampled=sampled, encoding=encoding)


def mnist(members: int = 8) -> Network:
    """As large as the shipped committee of MNIST."""
    encoding = LatencyEncoding(levels=(192, 128, 64, 1), tail_steps=4)
    return make_network((784, 400, 10), seed=1, members=members, encoding=encoding)


def total(design: Design, board: str) -> int:
    return estimate(design, find_board(board)).total.luts


def test_icebreaker_holds_a_committee_of_8_for_the_digits() -> None:
    design = default_design([digits()], "icebreaker")
    assert [layer.lanes for layer in design.layers] == [32, 10]
    assert (design.weight_memory, design.spram_layer, design.members) == ("spram", 0, 8)
    assert design.pixels_per_cycle == 1
    assert estimate(design, find_board("icebreaker")).shortage is None
    # The rest of it is built once.
    assert total(design, "icebreaker") < 1.1 * total(
        default_design([digits(1)], "icebreaker"), "icebreaker"
    )


def test_ulx3s_85f_holds_a_committee_of_8_for_mnist() -> None:
    board = find_board("ulx3s-85f")
    design = default_design([mnist()], board.name)
    assert [layer.lanes for layer in design.layers] == [80, 10]
    found = estimate(design, board)
    assert found.shortage is None
    # 8192 rows of 2 bits a block RAM: no multiplexers.
    assert found.parts["layer0"].ram_blocks == 160
    with pytest.raises(CapacityError, match=re.escape("784-400-10: that takes ")):
        default_design([mnist()], "icebreaker")


def test_members_that_are_drawn() -> None:
    network = digits(1, sampled=True)
    assert default_design([network], "icebreaker").members == 1
    design = default_design([network], "icebreaker", members=8)
    assert design.members == 8
    assert all(layer.sampled and layer.members == 1 for layer in design.layers)
    assert "sampler0" in estimate(design, find_board("icebreaker")).parts


def test_the_largest_layer_that_fits_is_in_spram() -> None:
    network = make_network((20, 48, 48, 2), seed=1, members=8, kind="lif")
    design = default_design([network], "icebreaker")
    assert (design.weight_memory, design.spram_layer) == ("spram", 1)
    assert default_design([network], None).weight_memory == "portable"


def test_events_enter_as_they_are() -> None:
    encoding = EventEncoding(
        width=34, height=34, crop_width=34, crop_height=34, shift=1, bin_us=5000, steps=60
    )
    network = make_network((encoding.features, 16, 10), seed=1, encoding=encoding)
    design = default_design([network], "ulx3s-85f")
    assert design.sample_input == "events"
    words = default_design([network], "ulx3s-85f", sample_input="words")
    assert words.sample_input == "words"


@pytest.mark.parametrize("hidden", [512, 1024])
def test_lanes_behind_a_memory(hidden: int) -> None:
    network = make_parallel(
        seed=1, order=256, steps=784, hidden=(hidden,), classes=10, reads=4, emission=(4, False)
    )
    board = find_board("ulx3s-25f")
    design = default_design([network], board.name)
    assert [layer.lanes for layer in design.layers] == [64, 2]
    assert [layer.inputs_per_cycle for layer in design.layers] == [4, 4]
    found = estimate(design, board)
    # Two banks of a step's groups with all planes: 2 x 64 x 24 bits, 2 x 256 x 26 bits.
    assert [found.parts[f"replay{index}"].ram_blocks for index in range(2)] == [1, 1]
    small = next(
        step_designs(
            [network], find_board("icebreaker"), members=None, sample_input="pixels", portable=False
        )
    )
    assert [layer.lanes for layer in small.layers] == [32, 2]
    assert (small.weight_memory, small.spram_layer) == ("spram", 0)


def test_icebreaker_holds_the_permuted_digits() -> None:
    network = zoo.load("lmu-psmnist-256")
    design = default_design([network], "icebreaker")
    # With the boot from flash there is no room, so by default it is left out.
    assert not boots_from_flash(design, "icebreaker")
    with pytest.raises(CapacityError, match="LUTs"):
        default_design([network], "icebreaker", flash=True)
    assert [layer.lanes for layer in design.layers] == [16, 2]
    found = estimate(design, find_board("icebreaker"), flash=False)
    assert (found.shortage, found.total.ram_blocks, found.total.spram_blocks) == (None, 30, 1)


def test_a_chip_that_would_be_too_full_is_said_to_be() -> None:
    text = r"that takes \d+ LUTs of 4488 that can be placed$"
    with pytest.raises(CapacityError, match=text):
        default_design([zoo.load("bisnn-nmnist")], "icebreaker", flash=True)


def test_a_loop_goes_input_by_input() -> None:
    network = make_recurrent(seed=1, order=12, channels=12, hidden=40, classes=9, steps=29)
    board = find_board("ulx3s-25f")
    design = default_design([network], board.name)
    assert [layer.inputs_per_cycle for layer in design.layers] == [1, 1]
    assert design.encoder is not None
    found = estimate(design, board)
    assert found.shortage is None
    assert "marks" not in found.parts


def test_rows_of_a_deep_memory_are_spread_over_narrow_ones() -> None:
    # 512 x 36, left alone; 8192 x 2 and 16384 x 1.
    assert row_memory_blocks(rows=500, row_bits=100, family="ecp5") == 3
    assert row_memory_blocks(rows=7840, row_bits=320, family="ecp5") == 160
    assert row_memory_blocks(rows=15680, row_bits=160, family="ecp5") == 160
    assert memory_blocks(depth=7840, width=320, family="ecp5") < 160


@pytest.mark.parametrize("part", ["neurons0", "sampler1", "members", "rates", "rasteriser"])
def test_parts_of_stepwise_cores_are_named(part: str) -> None:
    assert part_of(f"design.accelerator.core.{part}.state.some_FF") == part
