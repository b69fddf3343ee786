# SPDX-License-Identifier: Apache-2.0
"""Streams without an end: states go on from push to push, saturation included."""

import numpy as np
import pytest
import torch

from model.description import (
    Dynamics,
    LatencyEncoding,
    Layer,
    Network,
    NeuronKind,
    RateEncoding,
    Reset,
)
from model.golden import Stream, StreamTrace, run_stepwise
from tests.model.stepwise_reading import read_member, weights_of
from tests.series import make_parallel, make_recurrent, make_series, series_for
from tests.stepwise import make_network
from tests.strategies import images_for

STEPS = 10_000


def bursts(features: int, steps: int, *, seed: int) -> np.ndarray:
    """Spikes that come densely and then hardly at all, for some 300 steps each."""
    rng = np.random.default_rng(seed)
    rate = np.where(np.arange(steps) // 300 % 2, 0.02, 0.9)
    return (rng.random((steps, features)) < rate[:, None]).astype(np.uint8)


def narrow_network(kind: NeuronKind) -> Network:
    """Neurons that stand at the upper bound, at the lower bound, and that fire; narrow scores."""
    if kind is NeuronKind.LIF:
        dynamics = Dynamics(
            fraction_bits=2, membrane_shift=4, membrane_bits=6, reset=Reset.SUBTRACT
        )
    else:
        dynamics = Dynamics(
            fraction_bits=2,
            membrane_shift=3,
            synapse_shift=2,
            refractory_shift=3,
            refractory_jump=3,
            membrane_bits=7,
            synapse_bits=5,
            refractory_bits=4,
        )
    signs = np.array([[1] * 6, [-1] * 6, [1, 1, 1, 1, -1, -1]])
    hidden = Layer.from_signs(signs, np.array([999, 1, 4]), kind=kind, dynamics=dynamics)
    output = Layer.from_signs(
        np.array([[1, -1, 1], [-1, 1, -1]]),
        np.array([2, -1]),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=8, burn_in=5),
    )
    return Network(
        encoding=RateEncoding(steps=8), layers=(hidden, output), readout="final-potential"
    )


@pytest.mark.parametrize("kind", [NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE])
def test_10000_steps_equal_plain_reading_in_pieces_of_any_length(kind: NeuronKind) -> None:
    network = narrow_network(kind)
    spikes = bursts(6, STEPS, seed=3)
    weights = [weights_of(layer, 0, None) for layer in network.layers]
    expected = read_member(network, spikes.tolist(), weights)

    stream, place, parts = Stream(network), 0, []
    for size in (1, 2, 997, 1, 4000, STEPS):
        parts.append(stream.push(spikes[place : place + size], record_states=True))
        place += size
    scores = torch.cat([part.scores for part in parts], dim=1)
    assert scores[0].tolist() == expected.running
    for layer, steps in enumerate(expected.states):
        for name in steps[0][0]:
            found = torch.cat([part.states[layer][name] for part in parts], dim=1)
            assert found[0].tolist() == [[state[name] for state in step] for step in steps]
    fired = torch.cat([part.spikes[0] for part in parts], dim=1)
    assert fired[0].tolist() == expected.spikes[0]
    # States of both layers stand at both bounds, and not only for a moment.
    for layer, steps in enumerate(expected.states):
        for name in steps[0][0]:
            bits = getattr(network.layers[layer].dynamics, f"{name}_bits")
            bounds = {-(1 << bits - 1), (1 << bits - 1) - 1}
            if name == "refractory":
                bounds = {(1 << bits) - 1}
            seen = [each[name] for step in steps for each in step]
            assert all(seen.count(bound) > 100 for bound in bounds), (layer, name)


def test_a_stream_is_a_sample_as_long_as_the_sample_lasts() -> None:
    network = make_network((9, 5, 4, 3), seed=2, members=3)
    images = images_for(network, count=4, seed=5)
    for member in range(3):
        trace = run_stepwise(network, images)
        pushed = Stream(network, count=4, member=member).push(trace.input_spikes)
        assert isinstance(pushed, StreamTrace)
        assert pushed.states == ()
        assert pushed.scores[:, -1].equal(trace.member_scores[member])
        assert pushed.winners.equal(pushed.scores.argmax(dim=2))
        for layer in range(2):
            assert pushed.spikes[layer].equal(trace.spikes[layer][member])


def test_a_drawn_member_runs_on_a_stream() -> None:
    network = make_network((9, 5, 3), seed=2, sampled=True)
    trace = run_stepwise(network, images_for(network, count=2, seed=5), members=3, seed=77)
    pushed = Stream(network, count=2, member=2, seed=77).push(trace.input_spikes)
    assert pushed.scores[:, -1].equal(trace.member_scores[2])


def test_small_integers_run_on_a_stream() -> None:
    network = make_series(
        seed=4, hidden=(5, 4), kinds=(NeuronKind.DIFFUSED, NeuronKind.LIF), members=2
    )
    trace = run_stepwise(network, series_for(network, count=3, seed=1), record_states=True)
    stream = Stream(network, count=3, member=1)
    parts = [
        stream.push(trace.input_spikes[:, start:end], record_states=True)
        for start, end in ((0, 1), (1, 4), (4, 10))
    ]
    for layer in range(2):
        spikes = torch.cat([part.spikes[layer] for part in parts], dim=1)
        assert spikes.dtype == trace.spikes[layer].dtype
        assert spikes.equal(trace.spikes[layer][1])
        fractions = torch.cat([part.states[layer]["membrane"] for part in parts], dim=1)
        assert fractions.equal(trace.states[layer]["membrane"][1])
    assert parts[-1].scores[:, -1].equal(trace.member_scores[1])


def test_refusals() -> None:
    def refuses(message: str, call: object, *args: object, **fields: object) -> None:
        with pytest.raises(ValueError) as caught:
            call(*args, **fields)  # type: ignore[operator]
        assert str(caught.value) == message

    network = make_network((9, 5, 3), seed=2, members=2)
    refuses(
        "Members must be at most the 2 that the network stores, not 3", Stream, network, member=2
    )
    layer = Layer.from_signs(np.ones((2, 3)), np.ones(2))
    first_spike = Network(encoding=LatencyEncoding(levels=(9,)), layers=(layer,))
    refuses("Network of a stream must have neurons with a state at every step", Stream, first_spike)
    push = Stream(network, count=2).push
    refuses(
        "Spikes must be uint8 of shape (streams, steps, features), not torch.int64 of shape "
        "(2, 1, 9)",
        push,
        np.zeros((2, 1, 9), np.int64),
    )
    refuses(
        "Spikes must be of 2 streams and 9 features, not 1 and 9", push, np.zeros((4, 9), np.uint8)
    )
    refuses("Spikes must be 0 or 1, not 2", push, np.full((2, 1, 9), 2, np.uint8))
    for memory in (make_parallel(seed=1), make_recurrent(seed=1)):
        refuses("Network of a stream must have no memory; see run_every", Stream, memory)
    series = make_series(seed=4, channels=2)
    push, limit = Stream(series).push, 1 << series.encoding.bits - 1
    refuses(
        "Spikes must be int16 of shape (streams, steps, features), not torch.uint8 of shape "
        "(1, 3, 2)",
        push,
        np.zeros((3, 2), np.uint8),
    )
    for value in (-limit - 1, limit):
        text = f"Spikes must lie in {-limit}..{limit - 1}, not {value}"
        refuses(text, push, np.full((3, 2), value, np.int16))
