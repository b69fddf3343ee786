# SPDX-License-Identifier: Apache-2.0
import dataclasses
import re

import numpy as np
import pytest

from hw.design.design import CapacityError, Design, Fold, ceil_div, index_bits, signed_bits
from model.description import LatencyEncoding, Layer, Network, Readout
from tests.hw.designs import two_layers


def network(sizes=(20, 9, 3), steps=4, threshold=2, readout=Readout.FIRST_SPIKE):
    rng = np.random.default_rng(1)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (after, before)), np.full(after, threshold))
        for before, after in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(255 - 10 * step for step in range(steps))
    return Network(encoding=LatencyEncoding(levels=levels), layers=layers, readout=readout)


FOLDS = (Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=4), Fold(lanes=3, inputs_per_cycle=4))


def test_helpers():
    assert [ceil_div(value, 4) for value in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert [index_bits(count) for count in (1, 2, 3, 256, 257)] == [1, 1, 2, 8, 9]
    for low, high in ((0, 0), (-1, 0), (-2, 1), (-3, 3), (-128, 127), (-129, 0), (0, 128)):
        bits = signed_bits(low, high)
        assert -(1 << (bits - 1)) <= low
        assert high < 1 << (bits - 1)
        assert bits == 1 or low < -(1 << (bits - 2)) or high >= 1 << (bits - 2)


def test_derived_sizes():
    design = Design.for_networks([network()], FOLDS, pixels_per_cycle=2)
    first, second = design.layers
    assert (first.groups, first.blocks, first.planes) == (10, 3, ceil_div(first.threshold_bits, 2))
    assert first.rows == 3 * (first.planes + 10)
    assert (first.row_bits, first.row_bytes) == (8, 1)
    assert (second.groups, second.blocks, second.row_bits, second.row_bytes) == (3, 1, 12, 2)
    assert design.beats == 10
    assert design.max_words(0) == 20
    assert design.times_per_cycle(1) == 4


def test_bounds_hold_every_partial_sum():
    net = network()
    design = Design.for_networks([net], FOLDS, pixels_per_cycle=2)
    for layer, room in zip(net.layers, design.layers, strict=True):
        signs = layer.signs().astype(int)
        low = np.minimum(signs, 0).sum(axis=1) - layer.thresholds
        high = np.maximum(signs, 0).sum(axis=1) - layer.thresholds
        assert -(1 << (room.potential_bits - 1)) <= low.min()
        assert high.max() < 1 << (room.potential_bits - 1)


def test_json_round_trip_and_hash():
    design = Design.for_networks([network()], FOLDS, pixels_per_cycle=2)
    assert Design.from_json(design.to_json()) == design
    assert Design.from_json(design.to_json()).design_hash() == design.design_hash()
    other = dataclasses.replace(design, store_banks=2)
    assert other.design_hash() != design.design_hash()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (21, 9, 3)}, "Fan-in of layer 0 must be at most 20, not 21"),
        ({"sizes": (20, 10, 3)}, "Neurons of layer 0 must be at most 9, not 10"),
        ({"sizes": (20, 9, 4)}, "Neurons of layer 1 must be at most 3, not 4"),
        ({"sizes": (20, 9)}, "Number of layers must be 2, not 1"),
        ({"steps": 5}, "Steps must be at most 4, not 5"),
        (
            {"readout": Readout.SUMMED_POTENTIAL},
            "Readout must be one of first-spike, not summed-potential",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_refused_by_name(change, message):
    design = Design.for_networks([network()], FOLDS, pixels_per_cycle=2)
    design.check(network())
    with pytest.raises(CapacityError, match=f"^{re.escape(message)}$"):
        design.check(network(**change))


def test_threshold_out_of_range_is_refused():
    design = Design.for_networks([network(threshold=1)], FOLDS, pixels_per_cycle=2)
    with pytest.raises(CapacityError, match="^(Potential|Threshold) bits of layer 0 must be"):
        design.check(network(threshold=19))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sample_input": "bits"}, "sample_input must be pixels or words, not 'bits'"),
        ({"weight_memory": "flash"}, "weight_memory must be portable or spram, not 'flash'"),
        ({"store_banks": 3}, "store_banks must be 1 or 2, not 3"),
        (
            {"early_stop": True, "folds": ((4, 1, 1), (3, 1, 1))},
            "early_stop must have all output neurons in one block of lanes, and a spike store "
            "before them",
        ),
    ],
)
def test_contradictions(fields, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        two_layers(**fields)


def test_folds_that_do_not_fit_each_other():
    with pytest.raises(ValueError, match=r"^lanes must be a multiple of times_per_cycle 3, not 4$"):
        Fold(lanes=4, times_per_cycle=3)
    with pytest.raises(TypeError, match=r"^lanes must be a positive integer, not 0$"):
        Fold(lanes=0)
    with pytest.raises(ValueError, match="^times_per_cycle of layer 0 must be a multiple of"):
        two_layers(folds=((4, 1, 1), (4, 2, 1)))
    with pytest.raises(ValueError, match="^pixels_per_cycle must be a multiple of"):
        two_layers(folds=((4, 2, 1), (4, 1, 1)), pixels_per_cycle=3)


def test_spram_has_so_many_rows():
    folds = (Fold(lanes=1, inputs_per_cycle=1), Fold(lanes=3, inputs_per_cycle=1))
    design = Design.for_networks([network(sizes=(2600, 7, 3))], folds, pixels_per_cycle=1)
    text = f"weight_memory spram must have at most 16384 rows, not {design.layers[0].rows} rows"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        dataclasses.replace(design, weight_memory="spram")
