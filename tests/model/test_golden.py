# SPDX-License-Identifier: Apache-2.0
"""The golden model against an independent reading of the semantics in plain Python."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.description import LatencyEncoding, Layer, Network, Readout
from model.golden import encode, run
from model.network_file import load_network, save_network
from tests.strategies import images_for, networks


@dataclasses.dataclass
class Reading:
    """What one image does, in lists of plain integers."""

    arrivals: list[int]
    spikes: list[list[int]]
    potentials: list[list[list[int]]]
    scores: list[int]
    winner: int
    decision: int


def weight(layer: Layer, neuron: int, index: int) -> int:
    """Sign of one synapse, straight from the packed bits."""
    return 1 if int(layer.weights[0, neuron, index // 8]) >> (index % 8) & 1 else -1


def first_step(levels: tuple[int, ...], pixel: int) -> int:
    """First step whose level the pixel reaches, or the number of steps."""
    for step, level in enumerate(levels):
        if pixel >= level:
            return step
    return len(levels)


def read(network: Network, image: np.ndarray) -> Reading:
    """Follow one image neuron by neuron, each membrane computed from scratch at each step."""
    steps = network.steps
    arrivals = [first_step(network.encoding.levels, int(pixel)) for pixel in image]
    inputs, all_spikes, all_potentials = arrivals, [], []
    for layer in network.layers:
        spikes, potentials = [], []
        for neuron in range(layer.neurons):
            trace = [
                sum(weight(layer, neuron, i) for i, when in enumerate(inputs) if when <= step)
                - int(layer.thresholds[neuron])
                for step in range(steps)
            ]
            crossed = [step for step in range(steps) if trace[step] >= 0]
            spikes.append(crossed[0] if crossed else steps)
            potentials.append(trace)
        all_spikes.append(spikes)
        all_potentials.append(potentials)
        inputs = spikes
    last = all_potentials[-1]
    if network.readout is Readout.FIRST_SPIKE:
        scores = [v[when] if when < steps else v[-1] for v, when in zip(last, spikes, strict=True)]
        rank = [
            (when, -score, i) for i, (when, score) in enumerate(zip(spikes, scores, strict=True))
        ]
    else:
        summed = network.readout is Readout.SUMMED_POTENTIAL
        scores = [sum(v) if summed else v[-1] for v in last]
        rank = [(steps, -score, i) for i, score in enumerate(scores)]
    decision, _, winner = min(rank)
    return Reading(arrivals, all_spikes, all_potentials, scores, winner, decision)


def assert_same(network: Network, images: np.ndarray) -> None:
    """Golden model and reading agree in every number."""
    trace = run(network, images, record_potentials=True)
    for index, image in enumerate(images):
        expected = read(network, image)
        assert trace.input_steps[index].tolist() == expected.arrivals
        for layer in range(len(network.layers)):
            assert trace.spike_steps[layer][index].tolist() == expected.spikes[layer]
            assert trace.potentials[layer][index].T.tolist() == expected.potentials[layer]
        assert trace.scores[index].tolist() == expected.scores
        assert int(trace.winners[index]) == expected.winner
        assert int(trace.decision_steps[index]) == expected.decision


@settings(max_examples=60, deadline=None)
@given(network=networks(max_inputs=20, max_neurons=8, steps=(1, 16)), seed=st.integers(0, 999))
def test_golden_equals_plain_reading(network: Network, seed: int) -> None:
    assert_same(network, images_for(network, count=5, seed=seed))


@settings(max_examples=15, deadline=None)
@given(network=networks(steps=(2, 12)), seed=st.integers(0, 999))
def test_saved_and_loaded_network_computes_the_same(
    network: Network, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("network") / "net.safetensors"
    loaded = load_network(save_network(network, path))
    assert loaded.fingerprint() == network.fingerprint()
    assert_same(loaded, images_for(network, count=3, seed=seed))


@settings(max_examples=15, deadline=None)
@given(network=networks(), seed=st.integers(0, 999))
def test_potentials_stay_in_the_derived_range(network: Network, seed: int) -> None:
    trace = run(network, images_for(network, count=5, seed=seed), record_potentials=True)
    for layer, potentials in zip(network.layers, trace.potentials, strict=True):
        low, high = layer.potential_range()
        assert low <= int(potentials.min())
        assert int(potentials.max()) <= high


def small(
    signs: list[list[int]], thresholds: list[int], readout: Readout, steps: int = 4
) -> Network:
    """One layer on a code that sends pixel 255 in step 0 and 255 - t in step t."""
    layer = Layer.from_signs(np.array(signs), np.array(thresholds))
    encoding = LatencyEncoding(levels=tuple(255 - step for step in range(steps)))
    return Network(encoding=encoding, layers=(layer,), readout=readout)


def decide(network: Network, pixels: list[int]) -> tuple[int, int, list[int]]:
    trace = run(network, np.array([pixels], np.uint8))
    return int(trace.winners[0]), int(trace.decision_steps[0]), trace.scores[0].tolist()


def test_tie_of_spikes_goes_to_the_larger_potential() -> None:
    network = small([[1, 1, -1], [1, 1, 1]], [1, 1], Readout.FIRST_SPIKE)
    assert decide(network, [255, 255, 255]) == (1, 0, [0, 2])


def test_full_tie_goes_to_the_lower_class() -> None:
    network = small([[1, 1], [1, 1], [1, 1]], [2, 1, 1], Readout.FIRST_SPIKE)
    assert decide(network, [255, 0]) == (1, 0, [-1, 0, 0])


def test_earlier_spike_beats_larger_potential() -> None:
    network = small([[1, -1, 1], [1, 1, 1]], [1, 2], Readout.FIRST_SPIKE)
    assert decide(network, [255, 254, 254]) == (0, 0, [0, 1])


def test_silent_outputs_compare_final_potentials() -> None:
    network = small([[1, -1], [1, 1]], [9, 5], Readout.FIRST_SPIKE)
    assert decide(network, [255, 253]) == (1, 4, [-3, -1])


def test_threshold_is_reached_at_equality_and_only_at_the_end_of_a_step() -> None:
    network = small([[1, 1, -1]], [2], Readout.FIRST_SPIKE)
    assert decide(network, [255, 255, 255])[1] == 4
    assert decide(network, [255, 255, 254])[1] == 0


def test_threshold_below_one_fires_in_step_0_unless_inhibited() -> None:
    network = small([[-1, 1]], [0], Readout.FIRST_SPIKE)
    assert decide(network, [0, 0])[1] == 0
    assert decide(network, [255, 254])[1] == 1


def test_summed_and_final_potential_differ() -> None:
    signs, thresholds = [[1, -1, -1], [1, 1, -1]], [1, 3]
    pixels = [255, 253, 253]
    assert decide(small(signs, thresholds, Readout.SUMMED_POTENTIAL), pixels) == (0, 4, [-4, -8])
    assert decide(small(signs, thresholds, Readout.FINAL_POTENTIAL), pixels) == (0, 4, [-2, -2])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 3), np.int64), "Images must be uint8, not int64"),
        (np.zeros((1, 4), np.uint8), "Images must have 3 features for this network, not 4"),
    ],
)
def test_encode_refuses_other_images(images: np.ndarray, message: str) -> None:
    network = small([[1, 1, 1]], [1], Readout.FIRST_SPIKE)
    with pytest.raises(ValueError) as caught:
        encode(network, images)
    assert str(caught.value) == message


def test_images_may_be_pictures() -> None:
    network = small([[1, 1, 1, 1]], [1], Readout.FIRST_SPIKE)
    flat = torch.tensor([[255, 254, 0, 1]], dtype=torch.uint8)
    assert torch.equal(encode(network, flat), encode(network, flat.reshape(1, 2, 2).numpy()))
