# SPDX-License-Identifier: Apache-2.0
"""Traces of the golden model against the plain-Python reading."""

from model.description import Network
from model.golden import StepwiseTrace
from tests.model.series_reading import SeriesReading
from tests.model.stepwise_reading import Reading, ones

__all__ = ["assert_same_sample", "assert_same_series"]


def assert_same_sample(
    network: Network, trace: StepwiseTrace, sample: int, expected: Reading
) -> None:
    """Every number of one sample that the layers saw."""
    assert trace.input_spikes[sample].tolist() == expected.inputs
    assert trace.input_counts[sample] == ones(expected.inputs, network.layers[0].input_bits)
    for number, member in enumerate(expected.members):
        for layer, spikes in enumerate(member.spikes[:-1]):
            assert trace.spikes[layer][number, sample].tolist() == spikes
            bits = network.layers[layer].output_bits
            assert trace.spike_counts[layer][number, sample] == ones(spikes, bits)
        for layer, states in enumerate(member.states):
            found = trace.states[layer]
            assert list(found) == list(states[0][0])
            for name, values in found.items():
                wanted = [[state[name] for state in step] for step in states]
                assert values[number, sample].tolist() == wanted, (layer, name)
        assert trace.member_scores[number, sample].tolist() == member.scores
    assert trace.scores[sample].tolist() == expected.scores
    assert trace.votes[sample].tolist() == expected.votes
    assert int(trace.winners[sample]) == expected.winner
    if len(expected.members) == 1:
        running = expected.members[0].running
        assert trace.running_scores[sample].tolist() == running
        order = [scores.index(max(scores)) for scores in running]
        assert trace.running_winners[sample].tolist() == order


def assert_same_series(
    network: Network, trace: StepwiseTrace, sample: int, expected: SeriesReading
) -> None:
    """Every number of one series, those of the memory too."""
    assert trace.memory_inputs[sample].tolist() == expected.memory_inputs
    assert trace.memory_states[sample].tolist() == expected.memory_states
    assert_same_sample(network, trace, sample, expected.layers)
