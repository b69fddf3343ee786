# SPDX-License-Identifier: Apache-2.0
"""verify on networks with a state: every state of every member, records and cycles."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import sim.step_case
import sim.verify
from hw.design.design import Design, Fold
from model.description import Network
from model.encoding import EventEncoding, RateEncoding
from model.events import Events
from model.golden import run_stepwise
from sim.choice import Choice
from sim.test_set import run_test_set
from sim.verify import verify
from tests.stepwise import make_network

FOLDS = [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]
NETWORK = make_network((9, 6, 3), seed=11, kind="spike-response", members=3)
DESIGN = Design.for_networks([NETWORK], FOLDS, pixels_per_cycle=2, step_results=True)
IMAGES = np.random.default_rng(4).integers(0, 256, (3, 9), dtype=np.uint8)


@pytest.mark.parametrize("members", [3, 2])
def test_committee_equals_the_golden_model(members: int, cache: Path) -> None:
    result = verify(NETWORK, IMAGES, DESIGN, choice=Choice(members=members), cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok
    assert result.images == 3
    # Two runs; three states in six neurons, one in three.
    assert result.potentials >= 2 * 3 * members * NETWORK.steps * (3 * 6 + 3)
    membrane = result.trace.states[0]["membrane"][0].numpy()
    assert np.array_equal(result.rtl_potentials[0], membrane)


def test_answers_after_every_step(cache: Path) -> None:
    choice = Choice(members=1, step_results=True)
    result = verify(NETWORK, IMAGES, DESIGN, choice=choice, cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 0xFFFFFFFF])
def test_drawn_members(seed: int, cache: Path) -> None:
    network = make_network(
        (9, 6, 3), seed=12, kind="lif", sampled=True, encoding=RateEncoding(steps=7)
    )
    design = Design.for_networks([network], FOLDS, pixels_per_cycle=2, members=4)
    result = verify(network, IMAGES, design, choice=Choice(members=4, seed=seed), cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok


def test_a_flipped_weight_of_one_member_is_caught(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = list(NETWORK.layers)
    weights = layers[0].weights.copy()
    weights[1, 4, 0] ^= 1 << 3  # second member, neuron 4, input 3
    layers[0] = dataclasses.replace(layers[0], weights=weights)
    other = dataclasses.replace(NETWORK, layers=tuple(layers))

    def golden(_: Network, *rest: object, **fields: object) -> object:
        return run_stepwise(other, *rest, **fields)

    monkeypatch.setattr(sim.step_case, "run_stepwise", golden)
    monkeypatch.setattr(sim.verify, "_waveform", lambda *_: None)
    images = np.zeros((1, 9), np.uint8)
    images[0, 3] = 255
    result = verify(NETWORK, images, DESIGN, cache=cache)
    assert result.mismatches == 1
    first = result.divergences[0]
    assert (first.sample, first.layer, first.member, first.neuron) == (0, 0, 1, 4)
    assert str(first).startswith("sample 0, layer 0, member 1, neuron 4, step ")


def test_choices_that_do_not_fit() -> None:
    drawn = make_network((9, 6, 3), seed=12, sampled=True)
    design = Design.for_networks([drawn], FOLDS, pixels_per_cycle=2, members=4)
    with pytest.raises(ValueError, match="Seed must be given"):
        verify(drawn, IMAGES, design, choice=Choice(members=2))
    with pytest.raises(ValueError, match="Members must be at most the 4"):
        verify(drawn, IMAGES, design, choice=Choice(members=5, seed=1))
    with pytest.raises(ValueError, match="Members must be at most the 3"):
        verify(NETWORK, IMAGES, DESIGN, choice=Choice(members=4))
    with pytest.raises(ValueError, match="Answers after every step must be of 1 member, not 2"):
        verify(NETWORK, IMAGES, DESIGN, choice=Choice(members=2, step_results=True))


def test_events_of_a_camera_are_rasterised(cache: Path) -> None:
    encoding = EventEncoding(
        width=9, height=7, left=1, top=1, crop_width=8, crop_height=6, shift=1, bin_us=100, steps=6
    )
    network = make_network((encoding.features, 6, 3), seed=13, encoding=encoding)
    design = Design.for_networks([network], FOLDS, pixels_per_cycle=2, sample_input="events")
    rng = np.random.default_rng(2)
    counts = np.array([30, 0, 55])
    times = [np.sort(rng.integers(0, 700, count)) for count in counts]
    samples = Events(
        t=np.concatenate(times),
        x=rng.integers(0, 9, counts.sum()),
        y=rng.integers(0, 7, counts.sum()),
        p=rng.integers(0, 2, counts.sum()),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )
    result = verify(network, samples, design, cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok
    words = Design.for_networks([network], FOLDS, pixels_per_cycle=2, sample_input="words")
    whole = run_test_set(network, samples, words, processes=1, cache=cache)
    assert [str(divergence) for divergence in whole.divergences] == []
    assert whole.cycles_as_scheduled
