# SPDX-License-Identifier: Apache-2.0
"""Series through memory, layers and readout of a core: every number, in its cycle."""

import random

import numpy as np
import pytest

from hw.design.design import Design, Fold
from hw.times.schedule import schedule
from hw.times.series_times import write_cycles
from model.golden import run_every
from model.legendre_step import state_history
from model.memory_trains import memory_inputs
from tests.series import make_parallel
from tests.sim.core_bench import run_core
from tests.sim.step_bench import pixel_beats
from tests.sim.step_expected import expected_records, expected_states

CASES = {
    "two channels": ({"channels": 2, "order": 5}, ((4, 2, 2), (3, 2, 1)), 1),
    "one state a word": ({"order": 7, "reads": 4}, ((5, 1, 1), (2, 1, 1)), 1),
    "committee": ({"order": 6, "members": 3}, ((2, 4, 1), (3, 1, 1)), 3),
    "saturating": ({"order": 9, "narrow": True, "reads": 1}, ((4, 4, 4), (3, 4, 1)), 1),
}


@pytest.mark.parametrize(
    ("case", "every", "stall"),
    [
        *((case, 5, False) for case in CASES if case != "committee"),
        ("two channels", 0, False),
        ("committee", 0, False),
        ("one state a word", 5, True),
        ("committee", 0, True),
    ],
)
def test_a_series_is_answered(case, every, stall):
    fields, folds, members = CASES[case]
    network = make_parallel(seed=len(case), steps=12, **fields)
    design = Design.for_networks(
        [network],
        [Fold(lanes=p, inputs_per_cycle=s, times_per_cycle=u) for p, s, u in folds],
        step_results=True,
    )
    rng = np.random.default_rng(5)
    samples = rng.integers(0, 256, (2, network.sample_values), dtype=np.uint8)
    answers = run_every(network, samples, every=every or 12, record_states=True)
    trace, count = answers.evaluations, len(answers.steps)
    beats = [pixel_beats(design, sample) for sample in samples]
    settings = {"members": members, "step_results": every}
    result = run_core(
        design,
        network,
        beats,
        answers=count * len(samples),
        settings=settings,
        stalls=random.Random(3) if stall else None,
    )
    states = network.memory.states
    written = np.zeros((len(samples), 12, states), dtype=np.int64)
    for place, (_, row, value) in enumerate(result.memory):
        step = place // states
        written[step // 12, step % 12, row] = value
    assert len(result.memory) == written.size
    history = state_history(network.memory, memory_inputs(network, samples))
    assert (written == history.numpy()).all()
    for layer in range(2):
        found = [seen for _, seen in result.states[layer]]
        expected = expected_states(design, network, trace, layer)
        for want, got in zip(expected, found, strict=True):
            assert {**got, "states": got["states"][: len(want["states"])]} == want
    records = expected_records(network, trace)
    for place, record in enumerate(records):
        record["running"] = int(place // network.classes % count != count - 1)
    assert [record for _, record in result.records] == records
    if stall:
        return
    plan = schedule(
        design,
        network,
        [trace.input_spikes.numpy(), *(spikes.numpy() for spikes in trace.spikes)],
        members=members,
        step_results=every,
    )
    origin = plan.samples[0].first_input
    assert result.first_beats == [s.first_input - origin for s in plan.samples[::count]]
    values = np.concatenate([sample.values for sample in plan.samples])
    cycles = np.sort(write_cycles(design, network, values).ravel()) - origin
    assert [cycle for cycle, _, _ in result.memory] == cycles.tolist()
    for layer in range(2):
        cycles = np.concatenate([sample.states[layer].ravel() for sample in plan.samples]) - origin
        assert [cycle for cycle, _ in result.states[layer]] == cycles.tolist()
    cycles = np.concatenate([sample.records.ravel() for sample in plan.samples]) - origin
    assert [cycle for cycle, _ in result.records] == cycles.tolist()
