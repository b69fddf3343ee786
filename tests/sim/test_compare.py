# SPDX-License-Identifier: Apache-2.0
"""The comparison itself: what it calls equal is equal, and every change is named."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from model.golden import Trace
from model.golden import run as run_golden
from sim.compare import Observation, Record, compare, observed_steps, unfold
from tests.sim.conftest import System


@dataclasses.dataclass
class Perfect:
    """What a faultless hardware shows."""

    trace: Trace
    observations: list[list[Observation]]
    records: list[Record]


@pytest.fixture
def perfect(small: System) -> Perfect:
    """Written down from the golden model."""
    trace = run_golden(small.network, small.images, record_potentials=True)
    observations: list[list[Observation]] = [[], []]
    records = []
    for image in range(len(small.images)):
        for layer, lanes in enumerate((4, 3)):
            steps = observed_steps(small.network, trace, image, layer)
            potentials = trace.potentials[layer][image].numpy()
            for block in range(-(-potentials.shape[1] // lanes)):
                for step in steps:
                    row = potentials[step, block * lanes : (block + 1) * lanes]
                    padded = np.pad(row, (0, lanes - len(row)), mode="edge")
                    observations[layer].append(
                        Observation(
                            cycle=0,
                            block=block,
                            step=step,
                            last=step == steps[-1],
                            potentials=tuple(padded.tolist()),
                        )
                    )
        for neuron in range(7):
            when = int(trace.spike_steps[1][image, neuron])
            records.append(
                Record(
                    cycle=0,
                    neuron=neuron,
                    fired=when < 12,
                    step=when if when < 12 else 0,
                    score=int(trace.scores[image, neuron]),
                    winner=int(trace.winners[image]) if neuron == 6 else 0,
                    last=neuron == 6,
                )
            )
    return Perfect(trace, observations, records)


def differences(small: System, seen: Perfect) -> list[str]:
    return [
        str(found)
        for found in compare(
            design=small.design,
            network=small.network,
            trace=seen.trace,
            observations=seen.observations,
            records=seen.records,
        )
    ]


def test_perfect_hardware_has_no_differences(small: System, perfect: Perfect) -> None:
    assert differences(small, perfect) == []
    for layer, golden in zip(
        unfold(small.design, small.network, perfect.observations),
        perfect.trace.potentials,
        strict=True,
    ):
        assert np.array_equal(layer, golden.numpy())


def test_one_wrong_potential_is_named(small: System, perfect: Perfect) -> None:
    seen = perfect.observations[0][1]
    values = list(seen.potentials)
    values[2] += 1
    perfect.observations[0][1] = dataclasses.replace(seen, potentials=tuple(values))
    assert differences(small, perfect) == [
        f"sample 0, layer 0, neuron 2, step {seen.step}: "
        f"potential must be {values[2] - 1}, not {values[2]}"
    ]


def test_lanes_without_a_neuron_do_not_count(small: System, perfect: Perfect) -> None:
    index = next(i for i, seen in enumerate(perfect.observations[0]) if seen.block == 3)
    seen = perfect.observations[0][index]
    perfect.observations[0][index] = dataclasses.replace(
        seen, potentials=(seen.potentials[0], 5, 5, 5)
    )
    assert differences(small, perfect) == []


def test_missing_and_extra_observations_are_differences(small: System, perfect: Perfect) -> None:
    last = perfect.observations[1].pop()
    assert differences(small, perfect) == [
        f"sample 4, layer 1, neuron 6, step {last.step}: (block, step, last) must be "
        f"(2, {last.step}, True), not nothing"
    ]
    perfect.observations[1] += [last, last]
    count = len(perfect.observations[1])
    assert differences(small, perfect) == [
        f"sample 4, layer 1: number of observed steps must be {count - 1}, not {count}"
    ]


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        (lambda record: {"score": record.score + 1}, "score"),
        (lambda record: {"fired": not record.fired}, "fired"),
        (lambda record: {"step": record.step + 1}, "spike step"),
        (lambda record: {"winner": (record.winner + 1) % 7}, "class"),
        (lambda record: {"neuron": 0}, "record of neuron"),
        (lambda record: {"last": False}, "last"),
    ],
)
def test_one_wrong_field_of_a_record_is_named(
    small: System, perfect: Perfect, change: Callable[[Record], dict], quantity: str
) -> None:
    record = perfect.records[20]
    perfect.records[20] = dataclasses.replace(record, **change(record))
    (found,) = differences(small, perfect)
    assert found.startswith("sample 2, layer 1, neuron 6")
    assert f": {quantity} must be" in found


def test_missing_record_is_a_difference(small: System, perfect: Perfect) -> None:
    perfect.records.pop()
    assert differences(small, perfect) == [
        "sample 4, layer 1: number of output records must be 35, not 34"
    ]
