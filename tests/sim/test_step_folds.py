# SPDX-License-Identifier: Apache-2.0
"""Random stepwise networks on random folds: golden = RTL, and each thing in its cycle."""

import dataclasses
import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw.design.design import Design
from model.description import Network
from model.golden import run
from tests.sim.step_bench import pixel_beats, run_step_core, step_words
from tests.sim.step_expected import check, check_cycles
from tests.stepwise import stepwise_designs, stepwise_networks
from tests.strategies import core_runs


@st.composite
def systems(draw: st.DrawFn) -> tuple[Network, Design]:
    """A network, and a design that holds it and often more."""
    network = draw(stepwise_networks(max_inputs=40, max_neurons=10, max_steps=9))
    sample_input = draw(st.sampled_from(["pixels", "pixels", "words"]))
    design = draw(stepwise_designs(network, sample_input=sample_input))
    if draw(st.booleans()):
        more = draw(st.integers(1, 4))
        layers = tuple(
            dataclasses.replace(
                layer,
                fan_in=layer.fan_in + more,
                neurons=layer.neurons + more,
                potential_bits=layer.potential_bits + 1,
            )
            for layer in design.layers
        )
        design = dataclasses.replace(design, layers=layers, steps=design.steps + more)
    return network, design


@core_runs(40)
@given(system=systems(), number=st.integers(1, 999), stalls=st.booleans())
def test_any_fold_equals_golden_model(
    system: tuple[Network, Design], number: int, stalls: bool
) -> None:
    network, design = system
    rng = np.random.default_rng(number)
    images = rng.integers(0, 256, (3, network.features), dtype=np.uint8)
    images[rng.random(images.shape) < rng.random()] = 0
    most = design.members if network.is_sampled else network.members
    members = int(rng.integers(1, most + 1))
    seed = number if network.is_sampled else None
    trace = run(network, images, members=members, seed=seed, record_states=True)
    if design.sample_input == "pixels":
        beats = [pixel_beats(design, image) for image in images]
    else:
        width = design.layers[0].inputs_per_cycle
        beats = [step_words(train, width) for train in trace.input_spikes.numpy()]
    result = run_step_core(
        design,
        network,
        beats,
        members=members,
        seed=seed or 0,
        stalls=random.Random(number) if stalls else None,
    )
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result)
