# SPDX-License-Identifier: Apache-2.0
"""Accuracy under both rules, counted by hand on a network whose answers are known."""

import dataclasses

import numpy as np
import pytest

from model.description import LatencyEncoding, Layer, Network, Readout
from model.evaluate import evaluate_single_spike

# Two inputs, two outputs: output 0 sees +-, output 1 sees ++, both fire at a potential of 1.
NETWORK = Network(
    encoding=LatencyEncoding(levels=(200, 100)),
    layers=(Layer.from_signs(np.array([[1, -1], [1, 1]]), np.array([1, 1])),),
)
# both fire at once with equal potential; output 1 fires alone; none fires
IMAGES = np.array([[255, 0], [0, 255], [0, 0]], dtype=np.uint8)


def test_ties_are_credited_only_by_the_paper_rule() -> None:
    result = evaluate_single_spike(NETWORK, IMAGES, np.array([1, 1, 0]))
    assert result.images == 3
    assert result.accuracy == pytest.approx(2 / 3)
    assert result.accuracy_paper_rule == 1
    assert result.input_spikes == pytest.approx(2 / 3)
    assert result.hidden_spikes == 0
    assert result.decision_step == 0
    assert result.silent_share == pytest.approx(1 / 3)


def test_silent_images_count_by_potential_under_both_rules() -> None:
    result = evaluate_single_spike(NETWORK, IMAGES[2:], np.array([1]))
    assert (result.accuracy, result.accuracy_paper_rule) == (0, 0)
    assert result.decision_step is None


def test_label_without_an_output_is_wrong() -> None:
    result = evaluate_single_spike(NETWORK, IMAGES, np.array([7, 7, 7]))
    assert (result.accuracy, result.accuracy_paper_rule) == (0, 0)


def test_other_readouts_have_no_paper_rule() -> None:
    network = dataclasses.replace(NETWORK, readout=Readout.SUMMED_POTENTIAL)
    result = evaluate_single_spike(network, IMAGES, np.array([0, 1, 0]))
    assert result.accuracy == 1
    assert result.accuracy_paper_rule is None
    assert result.silent_share is None


def test_batches_do_not_change_the_figures() -> None:
    done: list[int] = []
    labels = np.array([1, 1, 0])
    result = evaluate_single_spike(NETWORK, IMAGES, labels, batch=2, on_batch=done.append)
    assert result == evaluate_single_spike(NETWORK, IMAGES, labels)
    assert done == [2, 3]


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="Labels must be one for each"):
        evaluate_single_spike(NETWORK, IMAGES, np.array([1]))
    with pytest.raises(ValueError, match="Labels must be one for each of at least one image"):
        evaluate_single_spike(NETWORK, IMAGES[:0], np.array([], dtype=np.int64))
    with pytest.raises(ValueError, match="Batch must be >= 1, not 0"):
        evaluate_single_spike(NETWORK, IMAGES, np.array([1, 1, 0]), batch=0)
