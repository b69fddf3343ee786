# SPDX-License-Identifier: Apache-2.0
"""Stepwise networks against an independent reading of their semantics in plain Python."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import model.committee
from model.description import Dynamics, Layer, Network, NeuronKind, Readout, Reset
from model.encoding import EventEncoding, LatencyEncoding, RateEncoding
from model.events import Events
from model.golden import StepwiseTrace, encode, probabilities, run, run_stepwise
from model.network_file import load_network, save_network
from tests.model.stepwise_reading import event_spikes, image_spikes, read
from tests.model.trace_checks import assert_same_sample
from tests.stepwise import make_network, stepwise_networks
from tests.strategies import images_for


def assert_same(
    network: Network, images: np.ndarray, *, members: int, seed: int | None = None
) -> StepwiseTrace:
    """Model and reading agree in every number of every image."""
    trace = run_stepwise(network, images, members=members, seed=seed, record_states=True)
    assert trace.members == members
    for sample, image in enumerate(images):
        inputs = image_spikes(network, image.tolist())
        assert_same_sample(
            network, trace, sample, read(network, inputs, members=members, seed=seed)
        )
    return trace


@settings(max_examples=80, deadline=None)
@given(network=stepwise_networks(max_members=4), number=st.integers(0, 2**32 - 2))
def test_model_equals_plain_reading(network: Network, number: int) -> None:
    images = images_for(network, count=3, seed=number)
    if network.is_sampled:
        assert_same(network, images, members=1 + number % 4, seed=number + 1)
    else:
        assert_same(network, images, members=1 + number % network.members)


@pytest.mark.parametrize("seed", [1, 0x9E3779B9, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE])
def test_drawn_members_equal_plain_reading(kind: NeuronKind, seed: int) -> None:
    network = make_network((40, 6, 3), seed=5, kind=kind, sampled=True)
    trace = assert_same(network, images_for(network, count=4, seed=2), members=4, seed=seed)
    assert len({tuple(each.flatten().tolist()) for each in trace.member_scores}) > 1


def test_one_weight_set_at_the_front_serves_all_members() -> None:
    network = make_network((12, 5, 4, 3), seed=7, members=3)
    front = dataclasses.replace(network.layers[0], weights=network.layers[0].weights[:1])
    network = dataclasses.replace(network, layers=(front, *network.layers[1:]))
    assert network.members == 3
    assert_same(network, images_for(network, count=3, seed=1), members=3)
    back = dataclasses.replace(network.layers[2], weights=network.layers[2].weights[:1])
    network = dataclasses.replace(network, layers=(*network.layers[:2], back))
    assert_same(network, images_for(network, count=3, seed=1), members=2)


EVENTS = EventEncoding(
    width=9, height=7, left=1, top=2, crop_width=7, crop_height=5, shift=1, bin_us=100, steps=6
)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), merge=st.booleans())
def test_events_equal_plain_reading(seed: int, merge: bool) -> None:
    encoding = dataclasses.replace(EVENTS, merge_polarity=merge)
    network = make_network((encoding.features, 4, 3), seed=seed, encoding=encoding, members=2)
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, 0, *rng.integers(1, 40, 2)])  # the first sample has no events
    times = [np.sort(rng.integers(0, 800, size)) for size in np.diff(offsets)]
    events = Events(
        t=np.concatenate(times),
        x=rng.integers(0, 9, offsets[-1]),
        y=rng.integers(0, 7, offsets[-1]),
        p=rng.integers(0, 2, offsets[-1]),
        offsets=offsets,
    )
    trace = run_stepwise(network, events, record_states=True)
    for sample, (start, end) in enumerate(zip(offsets, offsets[1:], strict=False)):
        columns = (events.t, events.x, events.y, events.p)
        rows = list(zip(*(each[start:end].tolist() for each in columns), strict=True))
        assert_same_sample(
            network, trace, sample, read(network, event_spikes(encoding, rows), members=2)
        )


# Saturation: a spike in each of many steps, with weights of one sign, through narrow states.

RAIL_STEPS = 64


def rail_network(kind: NeuronKind, reset: Reset, sign: int) -> Network:
    """Six inputs that spike all the time, one neuron and one class, states of few bits."""
    if kind is NeuronKind.LIF:
        dynamics = Dynamics(fraction_bits=3, membrane_shift=4, membrane_bits=6, reset=reset)
        threshold = 10_000 if sign > 0 else 1  # out of reach, or the reset would keep it low
    else:
        dynamics = Dynamics(
            fraction_bits=3,
            membrane_shift=5,
            synapse_shift=4,
            refractory_shift=5,
            refractory_jump=9,
            membrane_bits=9,
            synapse_bits=6,
            refractory_bits=5,
        )
        threshold = 1
    hidden = Layer.from_signs(
        np.full((1, 6), sign), np.array([threshold]), kind=kind, dynamics=dynamics
    )
    # Two classes that get the same spike with opposite weights.
    outputs = Layer.from_signs(
        np.array([[1], [-1]]),
        np.zeros(2),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=4, burn_in=2),
    )
    return Network(
        encoding=RateEncoding(steps=RAIL_STEPS, phase=255),
        layers=(hidden, outputs),
        readout=Readout.FINAL_POTENTIAL,
    )


def reached(kind: NeuronKind, reset: Reset, sign: int) -> list[dict[str, tuple[int, int]]]:
    """Least and largest value of each state of each layer, model and reading being equal."""
    network = rail_network(kind, reset, sign)
    trace = assert_same(network, np.full((1, 6), 255, np.uint8), members=1)
    return [
        {name: (int(values.min()), int(values.max())) for name, values in layer.items()}
        for layer in trace.states
    ]


def test_lif_saturates_at_both_bounds() -> None:
    for reset in (Reset.SUBTRACT, Reset.ZERO):
        assert reached(NeuronKind.LIF, reset, 1)[0]["membrane"][1] == 31
        assert reached(NeuronKind.LIF, reset, -1)[0]["membrane"][0] == -32


def test_spike_response_and_integrator_saturate_at_both_bounds() -> None:
    up, scores = reached(NeuronKind.SPIKE_RESPONSE, Reset.NONE, 1)
    assert up["membrane"][1] == 255
    assert up["synapse"][1] == 31
    assert up["refractory"] == (0, 31)
    assert scores["membrane"] == (-8, 7)
    down, _ = reached(NeuronKind.SPIKE_RESPONSE, Reset.NONE, -1)
    assert down["membrane"][0] == -256
    assert down["synapse"][0] == -32


def test_widths_of_32_bits_are_exact() -> None:
    dynamics = Dynamics(
        fraction_bits=12,
        membrane_shift=15,
        synapse_shift=15,
        refractory_shift=15,
        refractory_jump=(1 << 24) - 1,
        membrane_bits=32,
        synapse_bits=32,
        refractory_bits=31,
    )
    hidden = Layer.from_signs(
        np.where(np.arange(60).reshape(2, 30) < 30, 1, -1),
        np.array([2**31 - 1, 1]),
        kind=NeuronKind.SPIKE_RESPONSE,
        dynamics=dynamics,
    )
    outputs = Layer.from_signs(
        np.ones((2, 2)),
        np.array([-(2**31), 2**31 - 1]),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=32),
    )
    network = Network(
        encoding=RateEncoding(steps=300),
        layers=(hidden, outputs),
        readout=Readout.FINAL_POTENTIAL,
    )
    trace = assert_same(network, np.full((1, 30), 255, np.uint8), members=1)
    assert int(trace.states[0]["membrane"].max()) == 2**31 - 1
    assert int(trace.states[0]["membrane"].min()) == -(2**31)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE]),
)
def test_bounded_widths_never_saturate(seed: int, kind: NeuronKind) -> None:
    network = make_network((6, 4, 2), seed=seed, kind=kind, encoding=RateEncoding(steps=40))
    wider = tuple(
        dataclasses.replace(
            layer,
            dynamics=dataclasses.replace(
                layer.dynamics,
                **{
                    name: 30
                    for name in ("membrane_bits", "synapse_bits", "refractory_bits")
                    if getattr(layer.dynamics, name)
                },
            ),
        )
        for layer in network.layers
    )
    images = images_for(network, count=6, seed=seed)
    one = run_stepwise(network, images, record_states=True)
    other = run_stepwise(dataclasses.replace(network, layers=wider), images, record_states=True)
    for narrow, wide in zip(one.states, other.states, strict=True):
        for name, values in narrow.items():
            assert values.equal(wide[name])


# Named cases, by hand


def single(kind: NeuronKind, threshold: int, **fields: object) -> Network:
    """One input, one hidden neuron that it excites, one output."""
    dynamics = Dynamics.bounded(kind=kind, fan_in=1, **fields)
    hidden = Layer.from_signs(np.ones((1, 1)), np.array([threshold]), kind=kind, dynamics=dynamics)
    output = Layer.from_signs(
        np.ones((1, 1)),
        np.array([0]),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=8),
    )
    encoding = LatencyEncoding(levels=(255,), tail_steps=7)
    return Network(encoding=encoding, layers=(hidden, output), readout=Readout.FINAL_POTENTIAL)


def states_of(network: Network, name: str) -> list[int]:
    trace = run_stepwise(network, np.full((1, 1), 255, np.uint8), record_states=True)
    return trace.states[0][name][0, 0, :, 0].tolist()


def test_lif_leaks_by_a_shift_that_rounds_down() -> None:
    network = single(NeuronKind.LIF, 99, fraction_bits=4, membrane_shift=2, reset=Reset.SUBTRACT)
    assert states_of(network, "membrane") == [16, 12, 9, 7, 6, 5, 4, 3]
    layer = network.layers[0]
    inhibited = dataclasses.replace(layer, weights=np.zeros_like(layer.weights))
    network = dataclasses.replace(network, layers=(inhibited, network.layers[1]))
    assert states_of(network, "membrane") == [-16, -12, -9, -6, -4, -3, -2, -1]


def test_lif_fires_at_equality_and_resets_in_the_same_step() -> None:
    for reset, left in ((Reset.SUBTRACT, 0), (Reset.ZERO, 0)):
        network = single(NeuronKind.LIF, 16, fraction_bits=4, membrane_shift=2, reset=reset)
        assert states_of(network, "membrane")[:2] == [left, 0]
    network = single(NeuronKind.LIF, 10, fraction_bits=4, membrane_shift=2, reset=Reset.SUBTRACT)
    assert states_of(network, "membrane")[:3] == [6, 5, 4]


def test_spike_response_reaches_the_membrane_one_step_later() -> None:
    network = single(
        NeuronKind.SPIKE_RESPONSE,
        20,
        fraction_bits=4,
        membrane_shift=2,
        synapse_shift=1,
        refractory_shift=1,
        refractory_jump=8,
    )
    assert states_of(network, "synapse")[:5] == [16, 8, 4, 2, 1]
    assert states_of(network, "membrane")[:5] == [0, 16, 20, 19, 17]
    assert states_of(network, "refractory")[:6] == [0, 0, 8, 4, 2, 1]  # fires in step 2: 20 >= 20


def test_ties_of_sums_and_votes_go_to_the_lower_class() -> None:
    # Class 0 leads in member 0, class 2 in member 1; sums of 0 and 2 are equal.
    signs = np.array([[[1, 1], [1, -1], [-1, -1]], [[-1, -1], [-1, 1], [1, 1]]])
    layer = Layer.from_signs(
        signs, np.zeros(3), kind=NeuronKind.INTEGRATOR, dynamics=Dynamics(membrane_bits=8)
    )
    network = Network(
        encoding=LatencyEncoding(levels=(1,)), layers=(layer,), readout="final-potential"
    )
    trace = run_stepwise(network, np.array([[255, 255], [0, 0]], np.uint8))
    assert trace.member_scores.tolist() == [[[2, 0, -2], [0, 0, 0]], [[-2, 0, 2], [0, 0, 0]]]
    assert trace.scores.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert trace.votes.tolist() == [[1, 0, 1], [2, 0, 0]]
    assert trace.winners.tolist() == [0, 0]


def test_probabilities_are_the_softmax_of_the_scaled_mean() -> None:
    network = make_network((6, 4, 3), seed=3, members=2)
    network = dataclasses.replace(network, inverse_temperature=0.25)
    trace = run_stepwise(network, images_for(network, count=4, seed=0))
    for scores, shares in zip(trace.scores.tolist(), probabilities(network, trace), strict=True):
        raised = [math.exp(0.25 * score / 2) for score in scores]
        assert shares.tolist() == pytest.approx([each / sum(raised) for each in raised])


def test_batches_and_recordings_do_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network((8, 5, 3), seed=2, members=3)
    images = images_for(network, count=11, seed=4)
    whole = run_stepwise(network, images, record_states=True)
    light = run_stepwise(network, images, record_spikes=False)
    assert light.spikes == light.states == ()
    assert not light.input_spikes.numel()
    monkeypatch.setattr(model.committee, "_BATCH_NUMBERS", 8 * 8 * 4)  # 4 samples a batch
    parts = run_stepwise(network, images, record_states=True)
    for name in ("member_scores", "scores", "votes", "winners", "input_counts"):
        assert getattr(whole, name).equal(getattr(light, name))
        assert getattr(whole, name).equal(getattr(parts, name))
    assert whole.input_spikes.equal(parts.input_spikes)
    for layer in range(2):
        assert whole.states[layer]["membrane"].equal(parts.states[layer]["membrane"])
    assert whole.spikes[0].equal(parts.spikes[0])
    assert whole.spike_counts[0].equal(light.spike_counts[0])
    single = run_stepwise(network, images, members=1)
    assert single.running_scores[:, -1].equal(single.scores)
    assert run_stepwise(network, images[:0]).scores.shape == (0, 3)


@settings(max_examples=10, deadline=None)
@given(network=stepwise_networks())
def test_saved_and_loaded_network_computes_the_same(
    network: Network, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("network") / "net.safetensors"
    loaded = load_network(save_network(network, path))
    assert loaded.fingerprint() == network.fingerprint()
    fields = {"members": 2, "seed": 9} if network.is_sampled else {}
    images = images_for(network, count=4, seed=1)
    one, other = run(network, images, **fields), run(loaded, images, **fields)
    assert one.member_scores.equal(other.member_scores)


def test_encode_gives_spikes_at_every_step() -> None:
    network = make_network((4, 2), seed=0, encoding=RateEncoding(steps=8, phase=0))
    spikes = encode(network, np.array([[[255, 128], [64, 0]]], np.uint8))
    assert spikes.shape == (1, 8, 4)
    assert spikes.sum(dim=1).tolist() == [[7, 4, 2, 0]]
