# SPDX-License-Identifier: Apache-2.0
"""What a stepwise core must show, from the golden model."""

import numpy as np

from hw.design.design import Design
from hw.times.schedule import schedule
from model.committee import StepwiseTrace
from model.description import Network
from model.events import Events
from tests.sim.core_bench import CoreRun

__all__ = ["check", "check_cycles", "expected_records", "expected_states"]


def expected_states(design: Design, network: Network, trace: StepwiseTrace, layer: int) -> list:
    """Observations of a layer in their order: sample, member, step, row of U neurons."""
    this = design.layers[layer]
    count, neurons = this.updates_per_cycle, network.layers[layer].neurons
    states = {name: values.tolist() for name, values in trace.states[layer].items()}
    members, samples, steps, _ = trace.states[layer]["membrane"].shape
    spikes = (
        trace.spikes[layer].tolist()
        if layer < len(trace.spikes)
        else np.zeros((members, samples, steps, neurons), int).tolist()
    )
    seen = []
    for sample in range(samples):
        for member in range(members):
            for step in range(steps):
                here = spikes[member][sample][step]
                for row in range(-(-neurons // count)):
                    used = range(row * count, min((row + 1) * count, neurons))
                    seen.append(
                        {
                            "valid": 1,
                            "member": member,
                            "step": step % (1 << design.step_bits),
                            "row": row,
                            "last": int(step == steps - 1),
                            "states": [
                                {
                                    name: values[member][sample][step][neuron]
                                    for name, values in states.items()
                                }
                                for neuron in used
                            ],
                            "spikes": (
                                [here[neuron] for neuron in used] + [0] * (count - len(used))
                                if this.output_bits > 1
                                else sum(here[neuron] << k for k, neuron in enumerate(used))
                            ),
                        }
                    )
    return seen


def expected_records(network: Network, trace: StepwiseTrace) -> list[dict]:
    """Records of the samples' answers."""
    return [
        {
            "neuron": neuron,
            "score": int(trace.scores[sample, neuron]),
            "votes": int(trace.votes[sample, neuron]),
            "winner": int(trace.winners[sample]),
            "running": 0,
            "last": int(neuron == network.classes - 1),
        }
        for sample in range(len(trace.winners))
        for neuron in range(network.classes)
    ]


def check(design: Design, network: Network, trace: StepwiseTrace, result: CoreRun) -> None:
    """Every state of every neuron in every step, and every record."""
    for layer in range(len(network.layers)):
        expected = expected_states(design, network, trace, layer)
        found = [seen for _, seen in result.states[layer]]
        for want, got in zip(expected, found, strict=False):
            got = {**got, "states": got["states"][: len(want["states"])]}
            assert got == want, f"layer {layer}"
        assert len(found) == len(expected)
    assert [record for _, record in result.records] == expected_records(network, trace)


def check_cycles(
    design: Design,
    network: Network,
    trace: StepwiseTrace,
    result: CoreRun,
    *,
    step_results: bool = False,
    events: Events | None = None,
) -> None:
    """Every observation, beat and record in its cycle."""
    plan = schedule(
        design,
        network,
        [trace.input_spikes.numpy(), *(spikes.numpy() for spikes in trace.spikes)],
        members=trace.members,
        step_results=step_results,
        events=events,
    )
    origin = plan.samples[0].first_input
    assert result.first_beats == [sample.first_input - origin for sample in plan.samples]
    assert result.last_beats == [sample.last_input - origin for sample in plan.samples]
    for layer, seen in enumerate(result.states):
        cycles = np.concatenate([sample.states[layer].reshape(-1) for sample in plan.samples])
        assert [cycle for cycle, _ in seen] == (cycles - origin).tolist(), f"layer {layer}"
    records = np.concatenate([sample.records.reshape(-1) for sample in plan.samples])
    assert [cycle for cycle, _ in result.records] == (records - origin).tolist()
