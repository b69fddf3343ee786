# SPDX-License-Identifier: Apache-2.0
"""Figures of stepwise networks and yardsticks, counted by hand from the golden model."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from model.calibration import calibration_error, softmax
from model.description import LatencyEncoding, Layer, Network
from model.encoding import RateEncoding
from model.evaluate import evaluate
from model.events import Events
from model.golden import probabilities, run_stepwise
from model.predictions import Prediction, StepwiseEvaluation, judge, predict
from tests.stepwise import make_network

DRAW = np.random.default_rng(3)
IMAGES = DRAW.integers(0, 256, (30, 12)).astype(np.uint8)
LABELS = DRAW.integers(0, 3, 30)


def network(**fields: Any) -> Network:
    made = make_network((12, 9, 3), seed=4, encoding=RateEncoding(steps=12), **fields)
    return dataclasses.replace(made, inverse_temperature=0.2)


@pytest.mark.parametrize("members", [1, 2, 3])
def test_predictions_are_those_of_the_golden_model(members: int) -> None:
    committee = network(members=3)
    done: list[int] = []
    found = predict(committee, IMAGES, members=members, batch=7, on_batch=done.append)
    trace = run_stepwise(committee, IMAGES, members=members)
    assert done == [7, 14, 21, 28, 30]
    assert found.members == members
    assert (found.winners == trace.winners.numpy()).all()
    assert (found.vote_shares == trace.votes.numpy() / members).all()
    np.testing.assert_allclose(found.probabilities, probabilities(committee, trace).numpy())
    assert (found.input_spikes == trace.input_counts.numpy()).all()
    assert (found.hidden_spikes == trace.spike_counts[0].numpy().mean(axis=0)).all()


def test_all_members_are_the_default() -> None:
    assert predict(network(members=3), IMAGES).members == 3


def test_drawn_members_come_from_their_seed() -> None:
    drawn = network(sampled=True)
    first = predict(drawn, IMAGES, members=4, seed=9)
    assert (first.scores == predict(drawn, IMAGES, members=4, seed=9, batch=11).scores).all()
    assert (first.scores != predict(drawn, IMAGES, members=4, seed=10).scores).any()


def test_figures_of_a_committee_by_hand() -> None:
    committee = network(members=3)
    found = evaluate(committee, IMAGES, LABELS)
    assert isinstance(found, StepwiseEvaluation)
    own = run_stepwise(committee, IMAGES).member_scores.numpy()
    assert found.images == 30
    assert found.members == 3
    assert found.accuracy == (own.sum(axis=0).argmax(axis=1) == LABELS).mean()
    assert found.accuracy_single == pytest.approx((own.argmax(axis=2) == LABELS).mean())
    votes = np.stack([(own.argmax(axis=2) == label).sum(axis=0) for label in range(3)], axis=1)
    assert found.accuracy_votes == (votes.argmax(axis=1) == LABELS).mean()
    assert found.ece_votes == calibration_error(votes / 3, LABELS)
    assert found.ece == pytest.approx(calibration_error(softmax(own.mean(axis=0), 0.2), LABELS))
    assert found.ece_bins == 20
    assert found.ece_untempered is None
    assert found.inverse_temperature == 0.2


def test_scale_of_training_gives_the_error_before_a_temperature() -> None:
    committee = dataclasses.replace(network(members=2), metadata={"training_scale": 0.7})
    found = evaluate(committee, IMAGES, LABELS)
    scores = predict(committee, IMAGES).scores
    assert isinstance(found, StepwiseEvaluation)
    assert found.ece_untempered == calibration_error(softmax(scores, 0.7), LABELS)


def test_one_member_votes_for_itself() -> None:
    found = evaluate(network(), IMAGES, LABELS)
    assert isinstance(found, StepwiseEvaluation)
    assert found.accuracy == found.accuracy_votes == found.accuracy_single
    assert found.ece_votes == pytest.approx(1 - found.accuracy)


class Floats:
    """What evaluation asks of a yardstick."""

    inverse_temperature = 2.0
    metadata: dict[str, Any] = {}

    def scores(self, samples: np.ndarray) -> np.ndarray:
        return samples[:, :3].astype(np.float32) / 255


def test_yardsticks_are_judged_the_same_way() -> None:
    found = evaluate(Floats(), IMAGES, LABELS)
    assert isinstance(found, StepwiseEvaluation)
    assert found.members == 1
    assert found.input_spikes is None
    assert found.hidden_spikes is None
    shares = softmax(IMAGES[:, :3] / 255, 2.0)
    assert found.ece == pytest.approx(calibration_error(shares, LABELS), abs=1e-6)
    with pytest.raises(ValueError, match=r"^Members and seed must be absent for a yardstick, "):
        evaluate(Floats(), IMAGES, LABELS, members=2)


def test_ties_go_to_the_lower_class() -> None:
    tied = Prediction(
        scores=np.array([[1.0, 1.0]]),
        inverse_temperature=1.0,
        winners=np.array([0]),
        member_winners=np.array([[1], [0]]),
    )
    assert judge(tied, np.array([0])).accuracy_votes == 1


def test_refuses() -> None:
    single = Network(
        encoding=LatencyEncoding(levels=(200, 100)),
        layers=(Layer.from_signs(np.ones((3, 12), int), np.ones(3, int)),),
    )
    nothing = np.zeros(0, int)
    events = Events(t=nothing, x=nothing, y=nothing, p=nothing, offsets=np.zeros(2, int))
    one = np.zeros(1, int)
    for call, text in (
        (lambda: evaluate(network(members=2), IMAGES, LABELS, members=3),
         "Members must be at most the 2 that the network stores, not 3"),
        (lambda: evaluate(network(sampled=True), IMAGES, LABELS, members=3),
         "Seed must be given, 1 to 4294967295, for a network whose members are drawn; it is "
         "missing"),
        (lambda: evaluate(network(), IMAGES, LABELS + 1), "Labels must lie in 0..2, not 3"),
        (lambda: evaluate(network(), IMAGES[:0], LABELS[:0]),
         "Samples must be at least one, not none"),
        (lambda: predict(network(), IMAGES, batch=0), "Batch must be >= 1, not 0"),
        (lambda: evaluate(network(), events, one),
         "Samples must be images for this network, not events"),
        (lambda: evaluate(single, events, one),
         "Samples must be images for this network, not events"),
        (lambda: evaluate(single, IMAGES, LABELS, seed=1),
         "Members and seed are of networks with a state at every step only"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == text
