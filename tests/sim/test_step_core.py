# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest

from hw.design import Design, Fold
from model.description import NeuronKind
from model.golden import run
from tests.sim.step_bench import pixel_beats, run_step_core
from tests.sim.step_expected import expected_records, expected_states
from tests.stepwise import make_network


def images(network, count, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (count, network.features), dtype=np.uint8)
    values[rng.random(values.shape) < 0.4] = 0
    return values


def check(design, network, samples, trace, result):
    """Every state of every neuron in every step, and every record."""
    for layer in range(len(network.layers)):
        expected = expected_states(design, network, trace, layer)
        found = [seen for _, seen in result.states[layer]]
        for want, got in zip(expected, found, strict=False):
            got = {**got, "states": got["states"][: len(want["states"])]}
            assert got == want, f"layer {layer}"
        assert len(found) == len(expected)
    assert [record for _, record in result.records] == expected_records(network, trace)


@pytest.mark.parametrize("stalls", [None, 1])
@pytest.mark.parametrize("kind", [NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE])
def test_one_member_of_pixels(kind, stalls):
    network = make_network((9, 6, 3), seed=4, kind=kind)
    design = Design.for_networks([network], [Fold(lanes=6), Fold(lanes=3)])
    samples = images(network, 4)
    trace = run(network, samples, record_states=True)
    result = run_step_core(
        design,
        network,
        [pixel_beats(design, image) for image in samples],
        stalls=stalls and random.Random(stalls),
    )
    check(design, network, samples, trace, result)
