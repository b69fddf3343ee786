# SPDX-License-Identifier: Apache-2.0
"""Calibration figures against torchmetrics and against plain readings of their definitions."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from model.calibration import (
    brier,
    calibration_error,
    error_auroc,
    fit_inverse_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
)


def some(seed: int, count: int = 300, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, count)
    scores = draw.normal(size=(count, classes)) * 2
    scores[np.arange(count), labels] += draw.normal(1.5, 1, count)
    return softmax(scores), labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bins", [1, 10, 20])
def test_calibration_error_equals_torchmetrics(seed: int, bins: int) -> None:
    probabilities, labels = some(seed, classes=2 + seed)
    # float64: its default would move confidences across borders of bins
    theirs = multiclass_calibration_error(
        torch.from_numpy(probabilities),
        torch.from_numpy(labels),
        num_classes=probabilities.shape[1],
        n_bins=bins,
        norm="l1",
    )
    assert calibration_error(probabilities, labels, bins=bins) == pytest.approx(
        float(theirs), abs=1e-6
    )


def test_twenty_bins_are_the_default() -> None:
    probabilities, labels = some(9)
    assert calibration_error(probabilities, labels) == calibration_error(
        probabilities, labels, bins=20
    )


def test_reliability_by_hand() -> None:
    # confidences 0.5 and 0.55 (right, wrong), 1.0 (right); 0.5 is the lower edge of its bin
    probabilities = np.array([[0.5, 0.5], [0.45, 0.55], [1.0, 0.0]])
    curve = reliability(probabilities, np.array([0, 0, 0]), bins=2)
    assert curve.edges.tolist() == [0, 0.5, 1]
    assert curve.counts.tolist() == [0, 3]
    assert curve.confidence.tolist() == pytest.approx([0, 2.05 / 3])
    assert curve.accuracy.tolist() == pytest.approx([0, 2 / 3])
    assert calibration_error(probabilities, np.array([0, 0, 0]), bins=2) == pytest.approx(0.05 / 3)


def test_certainty_that_is_right_costs_nothing() -> None:
    probabilities = np.eye(3)
    labels = np.arange(3)
    assert calibration_error(probabilities, labels) == 0
    assert negative_log_likelihood(probabilities, labels) == 0
    assert brier(probabilities, labels) == 0
    assert error_auroc(probabilities, labels) is None
    assert error_auroc(probabilities, (labels + 1) % 3) is None
    assert calibration_error(probabilities, (labels + 1) % 3) == 1
    assert brier(probabilities, (labels + 1) % 3) == 2
    assert negative_log_likelihood(probabilities, (labels + 1) % 3) == pytest.approx(708.4, abs=0.1)


def test_likelihood_and_brier_equal_plain_readings() -> None:
    probabilities, labels = some(3)
    likelihood = squares = 0.0
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        likelihood -= math.log(row[label])
        squares += sum((p - (c == label)) ** 2 for c, p in enumerate(row))
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(likelihood / len(labels))
    assert brier(probabilities, labels) == pytest.approx(squares / len(labels))


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_auroc_equals_a_count_of_pairs(digits: int) -> None:
    probabilities, labels = some(4, count=120)
    probabilities = probabilities.round(digits)  # few digits: many equals
    wrong = probabilities.argmax(1) != labels
    doubt = (1 - probabilities.max(1)).tolist()
    pairs = [
        1.0 if doubt[i] > doubt[j] else 0.5 if doubt[i] == doubt[j] else 0.0
        for i in np.flatnonzero(wrong)
        for j in np.flatnonzero(~wrong)
    ]
    assert error_auroc(probabilities, labels) == pytest.approx(sum(pairs) / len(pairs))


def test_softmax_does_not_overflow() -> None:
    found = softmax(np.array([[100_000, 0], [-100_000, -100_000]]), 2.0)
    assert found.tolist() == [[1, 0], [0.5, 0.5]]


@pytest.mark.parametrize("beta", [0.01, 0.5, 40.0])
def test_fit_finds_the_temperature_that_made_the_labels(beta: float) -> None:
    draw = np.random.default_rng(5)
    scores = draw.normal(size=(20_000, 5)) * 2 / beta
    chances = softmax(scores, beta).cumsum(axis=1)
    labels = (draw.random((20_000, 1)) > chances).sum(axis=1).clip(0, 4)
    found = fit_inverse_temperature(scores, labels)
    assert found == pytest.approx(beta, rel=0.03)
    best = negative_log_likelihood(softmax(scores, found), labels)
    for factor in (0.97, 1.03):
        assert best < negative_log_likelihood(softmax(scores, found * factor), labels)
    assert fit_inverse_temperature(scores, labels) == found


def test_fit_stays_finite_where_all_samples_are_right() -> None:
    labels = np.arange(200) % 2
    scores = np.where(labels[:, None] == np.arange(2), 30, -10)
    found = fit_inverse_temperature(scores, labels)
    # the confidence that Platt's targets ask for
    assert softmax(scores, found).max() == pytest.approx(201 / 202)


def test_fit_of_scores_that_say_nothing() -> None:
    assert fit_inverse_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == 1
    wrong = np.array([[1.0, 0.0]] * 5)
    assert 0 < fit_inverse_temperature(wrong, np.ones(5, int)) < 1e-3


def test_refuses() -> None:
    good, labels = some(1, count=3, classes=2)
    for values, wanted, text in (
        (good[0], labels, r"Labels must be one for each of at least one sample, not \(3,\) for "
         r"values of shape \(2,\)"),
        (good[:2], labels, r"Labels must be one for each of .*, not \(3,\) for values of shape "
         r"\(2, 2\)"),
        (good[:0], labels[:0], r"Labels must be one for each of at least one sample, .*\(0, 2\)"),
        (good, labels.astype(float), r"Labels must be integers, not float64"),
        (good, np.array([0, 2, 1]), r"Labels must lie in 0\.\.1, not 2"),
        (good, np.array([0, -1, 1]), r"Labels must lie in 0\.\.1, not -1"),
    ):  # fmt: skip
        for figure in (calibration_error, negative_log_likelihood, brier, error_auroc,
                       fit_inverse_temperature):  # fmt: skip
            with pytest.raises(ValueError, match=f"^{text}$"):
                figure(values, wanted)
    with pytest.raises(ValueError, match=r"^Bins must be at least 1, not 0$"):
        reliability(good, labels, bins=0)
