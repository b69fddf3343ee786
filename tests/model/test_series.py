# SPDX-License-Identifier: Apache-2.0
"""Networks on series: golden model against the plain reading, answers on the way, refusals."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.description import Network, NeuronKind
from model.events import Events
from model.golden import encode, run, run_every, run_stepwise
from model.predictions import judge, predict
from model.sampling import drawn_network
from tests.model.series_reading import read_parallel, read_recurrent, seen, series_integers
from tests.model.stepwise_reading import read
from tests.model.trace_checks import assert_same_sample, assert_same_series
from tests.series import (
    make_parallel,
    make_recurrent,
    make_series,
    parallel_networks,
    recurrent_networks,
    series_for,
    series_networks,
)

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(network=parallel_networks(), seed=SEEDS)
def test_parallel_form_equals_plain_reading(network: Network, seed: int) -> None:
    members = 1 + seed % network.members
    series = series_for(network, count=3, seed=seed)
    trace = run_stepwise(network, series, members=members, record_states=True)
    for sample, values in enumerate(series.tolist()):
        assert_same_series(network, trace, sample, read_parallel(network, values, members=members))


@settings(max_examples=60, deadline=None)
@given(network=recurrent_networks(), seed=SEEDS)
def test_recurrent_form_equals_plain_reading(network: Network, seed: int) -> None:
    series = series_for(network, count=3, seed=seed)
    trace = run_stepwise(network, series, record_states=True)
    for sample, values in enumerate(series.tolist()):
        assert_same_series(network, trace, sample, read_recurrent(network, values))


@settings(max_examples=50, deadline=None)
@given(network=series_networks(), seed=SEEDS)
def test_layers_that_see_the_series_equal_plain_reading(network: Network, seed: int) -> None:
    series = series_for(network, count=3, seed=seed)
    trace = run_stepwise(network, series, record_states=True)
    for sample, values in enumerate(series.tolist()):
        inputs = seen(network.encoding, series_integers(network, values))
        assert_same_sample(network, trace, sample, read(network, inputs, members=network.members))


def test_drawn_members_of_the_parallel_form() -> None:
    network = make_parallel(seed=4, hidden=(6, 5))
    rng = np.random.default_rng(1)
    masks = [
        np.packbits(rng.random((layer.neurons, layer.fan_in)) < 0.4, axis=1, bitorder="little")
        for layer in network.layers
    ]
    layers = tuple(
        dataclasses.replace(layer, weights=layer.weights & ~mask, undecided=mask)
        for layer, mask in zip(network.layers, masks, strict=True)
    )
    drawn = dataclasses.replace(network, layers=layers)
    stored = drawn_network(drawn, seed=77, members=3)
    series = series_for(network, count=4, seed=2)
    one, other = run(drawn, series, members=3, seed=77), run(stored, series)
    assert one.member_scores.equal(other.member_scores)
    assert len({tuple(each.flatten().tolist()) for each in one.member_scores}) > 1


@pytest.mark.parametrize("steps", [1, 5, 11, 12])
def test_short_series_begin_later(steps: int) -> None:
    for network in (
        make_parallel(seed=1, channels=2),
        make_recurrent(seed=2, channels=2),
        make_series(seed=3, channels=2, steps=12),
    ):
        series = series_for(network, count=3, seed=5)
        series[:, : 12 - steps] = network.encoding.zero
        whole = run(network, series, record_states=True)
        for short in (series[:, 12 - steps :], series[:, 12 - steps :].reshape(3, -1)):
            trace = run(network, short, record_states=True)
            assert trace.scores.equal(whole.scores)
            assert trace.input_spikes.equal(whole.input_spikes)
            assert trace.memory_states.equal(whole.memory_states)


def test_encode_gives_what_the_first_layer_sees() -> None:
    for network, steps in (
        (make_parallel(seed=1, reads=4), 4),
        (make_recurrent(seed=2), 12),
        (make_series(seed=3), 10),
    ):
        series = series_for(network, count=2, seed=0)
        trains = encode(network, series)
        assert trains.dtype is torch.int16
        assert trains.shape == (2, steps, network.features)
        assert trains.equal(run(network, series).input_spikes)


def test_recordings_hold_small_integers_where_there_are_any() -> None:
    network = make_parallel(
        seed=3,
        hidden=(5, 4, 4),
        kinds=(NeuronKind.DIFFUSED, NeuronKind.LIF, NeuronKind.DIFFUSED),
        emission=(1, False),
    )
    series = series_for(network, count=3, seed=1)
    trace = run(network, series)
    assert [each.dtype for each in trace.spikes] == [torch.uint8] * 3
    signed = make_parallel(seed=3, emission=(2, True))
    assert run(signed, series).spikes[0].dtype is torch.int16
    bare = run(signed, series, record_spikes=False)
    assert bare.scores.equal(run(signed, series).scores)
    assert bare.spikes == bare.states == ()
    assert not bare.input_spikes.numel()
    assert not bare.memory_states.numel()


def test_batches_do_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    for network in (make_parallel(seed=5), make_recurrent(seed=6), make_series(seed=7)):
        series = series_for(network, count=11, seed=4)
        whole = run_stepwise(network, series, record_states=True)
        light = run_stepwise(network, series, record_spikes=False)
        with monkeypatch.context() as small:
            small.setattr("model.committee._BATCH_NUMBERS", 4 * max(network.sizes) * network.steps)
            small.setattr("model.recurrent._BATCH", 4)
            small.setattr("model.legendre_step._BATCH", 4)
            parts = run_stepwise(network, series, record_states=True)
            again = run_stepwise(network, series)
        for other in (light, parts, again):
            for name in ("member_scores", "votes", "winners", "input_counts"):
                assert getattr(whole, name).equal(getattr(other, name))
            assert whole.spike_counts[0].equal(other.spike_counts[0])
        assert whole.memory_states.equal(parts.memory_states)
        assert whole.running_scores.equal(parts.running_scores)
        assert whole.running_scores[:, -1].equal(whole.scores)
        assert run_stepwise(network, series[:0]).scores.shape == (0, 3)


# Answers on the way


@settings(max_examples=20, deadline=None)
@given(network=parallel_networks(), every=st.integers(1, 16), seed=SEEDS)
def test_answers_every_n_steps_are_those_of_the_series_so_far(
    network: Network, every: int, seed: int
) -> None:
    series = series_for(network, count=2, seed=seed)
    answers = run_every(network, series, every=every, record_states=True)
    steps = network.encoding.steps
    assert answers.steps == (*(n for n in range(1, steps) if n % every == 0), steps)
    assert answers.scores.shape == (2, len(answers.steps), network.classes)
    for sample in range(2):
        for place, step in enumerate(answers.steps):
            # The memory of a series that stopped there: its own zeros stand in front.
            shorter = dataclasses.replace(network.encoding, steps=step)
            so_far = dataclasses.replace(network, encoding=shorter, input_shape=())
            trace = run_stepwise(so_far, series[sample : sample + 1, :step])
            assert answers.scores[sample, place].equal(trace.scores[0])
            assert answers.winners[sample, place] == trace.winners[0]
            index = sample * len(answers.steps) + place
            assert answers.evaluations.input_spikes[index].equal(trace.input_spikes[0])


def test_answers_need_a_memory_and_a_number() -> None:
    text = "Answers every n steps need a network with a memory and no encoder"
    for network in (make_recurrent(seed=2), make_series(seed=3)):
        with pytest.raises(ValueError, match=text):
            run_every(network, series_for(network, count=1, seed=0), every=3)
    network = make_parallel(seed=1)
    series = series_for(network, count=1, seed=0)
    for every, rule in ((0, "lie in 1..65535, not 0"), (2.5, "be an integer, not 2.5")):
        with pytest.raises(ValueError, match=f"Steps between answers must {rule}"):
            run_every(network, series, every=every)


# What does not fit


def refuses(message: str, network: Network, samples: object, **fields: object) -> None:
    with pytest.raises(ValueError) as caught:
        run(network, samples, **fields)
    assert str(caught.value) == message


def test_series_that_do_not_fit_are_refused() -> None:
    series = make_series(seed=1, channels=3, steps=10)
    memory = make_parallel(seed=2, channels=3, steps=10)
    recurrent = make_recurrent(seed=3, channels=3, steps=10)
    events = Events(t=[0], x=[2], y=[3], p=[1], offsets=[0, 1])
    for network in (series, memory, recurrent):
        refuses("Samples must be series for this network, not events", network, events)
        refuses("Series must be uint8, not float32", network, np.zeros((1, 10, 3), np.float32))
        refuses("Series must be uint8, not int16", network, np.full((1, 10, 3), -1, np.int16))
        refuses("Series must have 3 channels, not 2", network, np.zeros((1, 10, 2), np.uint8))
        refuses(
            "Values of a series must be a multiple of its 3 channels, not 29",
            network,
            np.zeros((1, 29), np.uint8),
        )
        refuses(
            "Series must be of shape (samples, steps, channels) or (samples, values), not (30,)",
            network,
            np.zeros(30, np.uint8),
        )
        refuses(
            "Members must be at most the 1 that the network stores, not 2",
            network,
            np.zeros((1, 30), np.uint8),
            members=2,
        )
        text = "Seed must be absent for a network whose members are not drawn, not 3"
        refuses(text, network, np.zeros((1, 30), np.uint8), seed=3)
        for steps in (0, 11):
            window = "" if network is series else " (window of the memory 10)"
            text = f"Series must have 1 to 10 steps for this network{window}, not {steps}"
            refuses(text, network, np.zeros((1, steps, 3), np.uint8))
            refuses(text, network, np.zeros((1, 3 * steps), np.uint8))


def test_sums_that_may_not_be_exact_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_series(seed=1, channels=3)
    largest = 3 * 2 ** (network.encoding.bits - 1)
    series = series_for(network, count=1, seed=0)
    monkeypatch.setattr("model.stepwise._EXACT_SUM", largest)
    refuses(f"Synaptic sums must be below 2^24 in magnitude, not up to {largest}", network, series)
    monkeypatch.setattr("model.stepwise._EXACT_SUM", largest + 64)
    run(network, series)


def test_predictions_of_series() -> None:
    labels = np.arange(7) % 3
    for network in (make_parallel(seed=5), make_recurrent(seed=6), make_series(seed=7)):
        series = series_for(network, count=7, seed=4)
        trace = run_stepwise(network, series)
        for batch in (None, 3):
            prediction = predict(network, series, batch=batch)
            assert prediction.winners.tolist() == trace.winners.tolist()
            assert prediction.input_spikes.tolist() == trace.input_counts.tolist()
            figures = judge(prediction, labels)
            right = trace.winners.numpy() == labels
            assert figures.accuracy == pytest.approx(right.mean())
