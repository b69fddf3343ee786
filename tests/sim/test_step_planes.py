# SPDX-License-Identifier: Apache-2.0
"""Layers of small integers: every fraction, emitted integer, score and cycle is the model's."""

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.design.design import Design, Fold
from model.description import Dynamics, Layer, Network, NeuronKind, Readout, SeriesEncoding
from model.golden import run
from tests.series import make_layers, series_for, series_networks
from tests.sim.step_bench import run_step_core, step_words
from tests.sim.step_expected import check, check_cycles
from tests.stepwise import stepwise_designs
from tests.strategies import core_runs


def check_series(
    network: Network, design: Design, *, seed: int, count: int = 4, stalls: bool = False
) -> None:
    """Run random series as words through the core, and compare everything."""
    samples = series_for(network, count=count, seed=seed)
    trace = run(network, samples, record_states=True)
    first = design.layers[0]
    words = [
        step_words(train, first.inputs_per_cycle, bits=first.input_bits)
        for train in trace.input_spikes.numpy()
    ]
    result = run_step_core(design, network, words, stalls=random.Random(seed) if stalls else None)
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result)


@core_runs(25)
@given(data=st.data(), seed=st.integers(1, 999), stalls=st.booleans())
def test_any_fold_of_integers_equals_golden_model(
    data: st.DataObject, seed: int, stalls: bool
) -> None:
    network = data.draw(series_networks())
    design = data.draw(stepwise_designs(network, sample_input="words"))
    check_series(network, design, seed=seed, stalls=stalls)


def small_network(layers: tuple[Layer, ...], **encoding: int) -> Network:
    """A network that sees every step of a series of as many channels as it has inputs."""
    first = layers[0]
    return Network(
        encoding=SeriesEncoding(channels=first.fan_in, bits=first.input_bits, **encoding),
        layers=layers,
        readout=Readout.FINAL_POTENTIAL,
    )


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("emission", [(1, False), (8, False), (8, True), (3, True)])
@pytest.mark.parametrize("fold", [((2, 1, 1), (3, 1, 1)), ((4, 3, 2), (2, 2, 1))])
def test_emissions_of_every_width(
    emission: tuple[int, bool], fold: tuple[tuple[int, int, int], ...], stalls: bool
) -> None:
    layers = make_layers(
        np.random.default_rng(len(fold)),
        (4, 9, 3),
        steps=5,
        number=(9, True),
        kinds=(NeuronKind.DIFFUSED,),
        emission=emission,
    )
    hidden = dataclasses.replace(
        layers[0],
        gains=np.arange(9, dtype=np.uint8) % 8,
        dynamics=dataclasses.replace(layers[0].dynamics, fraction_bits=4, membrane_bits=4),
    )
    network = small_network((hidden, *layers[1:]), steps=5, zero=128)
    folds = [Fold(lanes=p, inputs_per_cycle=s, times_per_cycle=u) for p, s, u in fold]
    design = Design.for_networks(
        [network], folds, sample_input="words", pixels_per_cycle=folds[0].inputs_per_cycle
    )
    assert design.layers[0].blocks > 1
    trace = run(network, series_for(network, count=4, seed=3))
    # Sums, thresholds and gains drive the neurons to both bounds.
    found = int(trace.spikes[0].min()), int(trace.spikes[0].max())
    assert found == layers[0].dynamics.emission_range()
    check_series(network, design, seed=3, stalls=stalls)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_sums_reach_their_bounds(width: int) -> None:
    signs = np.ones((2, 4), int)
    signs[1] = -1
    layer = Layer.from_signs(
        signs,
        np.zeros(2, int),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=9),
        input_bits=4,
        input_signed=True,
    )
    network = small_network((layer,), steps=3, zero=128)
    design = Design.for_networks(
        [network],
        [Fold(lanes=2, inputs_per_cycle=width)],
        sample_input="words",
        pixels_per_cycle=width,
    )
    assert design.layers[0].potential_bits == 7  # -32..32
    samples = np.zeros((2, 3, 4), np.uint8)  # -128, clamped to -8
    samples[1] = 255
    trace = run(network, samples, record_states=True)
    assert trace.scores.tolist() == [[-96, 96], [84, -84]]
    words = [step_words(train, width, bits=4) for train in trace.input_spikes.numpy()]
    result = run_step_core(design, network, words)
    check(design, network, trace, result)
    check_cycles(design, network, trace, result)
