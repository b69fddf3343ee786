# SPDX-License-Identifier: Apache-2.0
"""What a stepwise core must show, from the golden model."""

import numpy as np

from hw.design import Design
from model.committee import StepwiseTrace
from model.description import Network

__all__ = ["expected_records", "expected_states"]


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
                            "spikes": sum(
                                spikes[member][sample][step][neuron] << place
                                for place, neuron in enumerate(used)
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
