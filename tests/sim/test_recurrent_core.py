# SPDX-License-Identifier: Apache-2.0
"""Recurrent networks in a core: memory, hidden neurons and scores, each in its cycle."""

import dataclasses
import json
import random

import numpy as np
import pytest

from hw.design.design import CapacityError, Design, Fold
from hw.times.schedule import schedule
from hw.times.series_times import write_cycles
from model.description import Network
from model.golden import run
from tests.series import make_recurrent, series_for
from tests.sim.core_bench import run_core
from tests.sim.step_bench import pixel_beats
from tests.sim.step_expected import check

CASES = {
    "small": ({}, ((4, 1, 1), (3, 1, 1)), 0),
    "blocks": ({"hidden": 7, "channels": 3, "bits": 2}, ((3, 1, 1), (2, 1, 1)), 1),
    "channels of the memory": ({"memory_channels": 2, "bits": 5}, ((5, 1, 1), (1, 1, 1)), 4),
    "saturation": ({"narrow": True, "order": 7, "steps": 20}, ((4, 1, 1), (3, 1, 1)), 0),
    # Words of the next sample come before layer 0 has done with the last step of this one.
    "slow layer": ({"steps": 3, "order": 2, "hidden": 9, "bits": 6}, ((1, 1, 1), (3, 1, 1)), 0),
    "one step": ({"steps": 1, "hidden": 1}, ((1, 1, 1), (3, 1, 1)), 0),
}


def design_of(
    network: Network, folds: tuple[tuple[int, int, int], ...], *, more: int = 0
) -> Design:
    """A design that holds the network, and more of everything."""
    design = Design.for_networks(
        [network],
        [Fold(lanes=p, inputs_per_cycle=s, times_per_cycle=u) for p, s, u in folds],
        step_results=True,
    )
    if not more:
        return design
    first, second = design.layers
    memory = dataclasses.replace(
        design.memory,
        order=design.memory.order + more,
        values=design.memory.values + more,
        input_bits=design.memory.input_bits + 1,
    )
    hidden = first.neurons + more
    features = memory.states + design.encoder.series_channels + more + hidden
    layers = (
        dataclasses.replace(
            first, fan_in=features, neurons=hidden, potential_bits=first.potential_bits + 2
        ),
        dataclasses.replace(second, fan_in=hidden, potential_bits=second.potential_bits + 2),
    )
    encoder = dataclasses.replace(
        design.encoder,
        features=features,
        series_channels=design.encoder.series_channels + more,
        sum_bits=memory.input_bits,
    )
    return dataclasses.replace(design, layers=layers, memory=memory, encoder=encoder)


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_loop_equals_the_golden_model(case: str, stalls: bool) -> None:
    fields, folds, more = CASES[case]
    network = make_recurrent(seed=len(case), **fields)
    design = design_of(network, folds, more=more)
    design.check(network)
    samples = series_for(network, count=3, seed=5)
    trace = run(network, samples, record_states=True)
    result = run_core(
        design,
        network,
        [pixel_beats(design, sample.ravel()) for sample in samples],
        settings={"members": 1},
        stalls=random.Random(3) if stalls else None,
    )
    check(design, network, trace, result)
    steps, states = network.steps, network.memory.states
    written = np.zeros((len(samples), steps, states), dtype=np.int64)
    for place, (_, row, value) in enumerate(result.memory):
        number = place // states
        written[number // steps, number % steps, row] = value
    assert len(result.memory) == written.size
    assert (written == trace.memory_states.numpy()).all()
    if stalls:
        return
    plan = schedule(design, network, [trace.input_spikes.numpy(), trace.spikes[0].numpy()])
    origin = plan.samples[0].first_input
    assert result.first_beats == [sample.first_input - origin for sample in plan.samples]
    assert result.last_beats == [sample.last_input - origin for sample in plan.samples]
    values = np.concatenate([sample.values for sample in plan.samples])
    cycles = np.sort(write_cycles(design, network, values).ravel()) - origin
    assert [cycle for cycle, _, _ in result.memory] == cycles.tolist()
    for layer in range(2):
        cycles = np.concatenate([sample.states[layer].ravel() for sample in plan.samples]) - origin
        assert [cycle for cycle, _ in result.states[layer]] == cycles.tolist()
    cycles = np.concatenate([sample.records.ravel() for sample in plan.samples]) - origin
    assert [cycle for cycle, _ in result.records] == cycles.tolist()


def test_an_answer_after_every_step() -> None:
    network = make_recurrent(seed=3)
    design = design_of(network, ((4, 1, 1), (3, 1, 1)))
    samples = series_for(network, count=2, seed=1)
    trace = run(network, samples, record_states=True)
    result = run_core(
        design,
        network,
        [pixel_beats(design, sample.ravel()) for sample in samples],
        answers=2 * network.steps,
        settings={"members": 1, "step_results": 1},
    )
    found = [record for _, record in result.records]
    assert [record["score"] for record in found] == trace.running_scores.reshape(-1).tolist()


def test_what_a_recurrent_gateware_cannot_hold() -> None:
    network = make_recurrent(seed=3)
    design = design_of(network, ((4, 1, 1), (3, 1, 1)))
    shifts = tuple((shift + 1) % 8 for shift in network.encoder_shifts)
    with pytest.raises(CapacityError, match=r"^Encoder shifts must be \("):
        design.check(dataclasses.replace(network, encoder_shifts=shifts))
    larger = make_recurrent(seed=3, channels=2)
    larger = dataclasses.replace(larger, encoder_shifts=network.encoder_shifts)
    with pytest.raises(CapacityError, match=r"^Inputs of the encoder must be at most 10, not 11$"):
        design.check(larger)
    with pytest.raises(ValueError, match=r"^inputs_per_cycle of a recurrent design must be 1, not"):
        design_of(network, ((4, 2, 2), (3, 2, 1)))
    with pytest.raises(ValueError, match=r"^encoder must have a memory behind it$"):
        dataclasses.replace(design, memory=None, sample_input="words")
    assert Design.from_json(json.loads(json.dumps(design.to_json()))) == design
