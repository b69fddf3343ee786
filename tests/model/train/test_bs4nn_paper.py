# SPDX-License-Identifier: Apache-2.0
"""The published rule, against a slow reading of it that follows the formulas one by one."""

import math
from pathlib import Path

import numpy as np
import pytest

from model.description import Readout
from model.evaluate import evaluate
from model.train.bs4nn_paper import PaperConfig, PaperNetwork
from model.train.checkpoint import CheckpointError
from model.train.fields import RecipeError
from model.train.paper_loop import load_paper_recipe, train_paper

T_MAX = 256


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


class SlowReading:
    """Every formula of sections 3 to 6 with loops over all neurons, inputs and steps."""

    def __init__(self, network: PaperNetwork) -> None:
        self.weights = [network.hidden.T.tolist(), network.output.tolist()]
        self.alphas = list(network.alphas)
        self.config = network.config

    def layer(self, index: int, times: list[int]) -> tuple[list[int], list[list[int]]]:
        limit = self.config.threshold / self.alphas[index]
        fired, potentials = [], []
        for row in self.weights[index]:
            trace = [
                sum(sign(w) for w, t in zip(row, times, strict=True) if t <= step)
                for step in range(T_MAX)
            ]
            crossing = next((step for step in range(T_MAX) if trace[step] > limit), T_MAX)
            fired.append(min(crossing + 1, T_MAX))
            potentials.append(trace)
        return fired, potentials

    def learn(self, image: np.ndarray, label: int) -> bool:
        """Return whether the published rule credits the answer."""
        pixels = [255 - int(value) for value in image]
        hidden, _ = self.layer(0, pixels)
        times, potentials = self.layer(1, hidden)
        first = min(times)
        if first == T_MAX:
            final = [trace[T_MAX - 3] for trace in potentials]
            return final.index(max(final)) == label
        credited = times[label] == first
        targets = [
            first
            if j == label
            else min(first + self.config.gamma, T_MAX)
            if t - first < self.config.gamma
            else t
            for j, t in enumerate(times)
        ]
        error = [(target - t) / T_MAX for target, t in zip(targets, times, strict=True)]
        delta = self.normalise(error)
        delta = self.update(1, delta, hidden, times)
        self.update(0, self.normalise(delta), pixels, hidden)
        return credited

    @staticmethod
    def normalise(values: list[float]) -> list[float]:
        norm = math.sqrt(sum(value * value for value in values))
        return [value / norm for value in values] if norm else values

    def update(self, layer: int, delta: list[float], before: list[int], after: list[int]):
        weights, rate = self.weights[layer], self.config.learning_rates[layer]
        alpha_rate, gradient = self.config.alpha_rates[layer], 0.0
        back = [0.0] * len(before)
        for j, row in enumerate(weights):
            for i in range(len(row)):
                mask = before[i] < after[j]
                row[i] -= rate * delta[j] * mask
                gradient += alpha_rate * delta[j] * mask * sign(row[i])
                back[i] += delta[j] * mask * row[i]
        self.alphas[layer] -= gradient / (len(weights) * len(weights[0]))
        return back


def problem(seed: int, count: int, features: int = 16):
    """Images of three classes, each bright in a part of its own."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 256, (count, features)) * (rng.random((count, features)) < 0.3)
    for index, label in enumerate(labels):
        images[index, 5 * label : 5 * label + 5] = rng.integers(128, 256, 5)
    return images.astype(np.uint8), labels


@pytest.mark.parametrize("gamma", [1, 4])
def test_rule_equals_the_slow_reading(gamma: int) -> None:
    config = PaperConfig(
        hidden=9, threshold=10.0, alphas=(3.0, 4.0), initial=(0.4, 0.9), gamma=gamma, seed=3
    )
    network = PaperNetwork(config=config, features=16, classes=3)
    rng = np.random.default_rng(5)
    network.hidden -= 0.15 * rng.random(network.hidden.shape) + 0.1  # some weights of -1, too
    network.output -= 0.3
    slow = SlowReading(network)
    credited = []
    images, labels = problem(1, 60)
    images[::7] //= 8  # late and silent ones
    for image, label in zip(images, labels, strict=True):
        outcome = network.see(image, int(label), learn=True)
        assert outcome.credited == slow.learn(image, int(label))
        credited.append(outcome.credited)
    assert 0 < sum(credited) < 60
    assert np.allclose(network.hidden.T, slow.weights[0], rtol=0, atol=1e-12)
    assert np.allclose(network.output, slow.weights[1], rtol=0, atol=1e-12)
    assert np.allclose(network.alphas, slow.alphas, rtol=0, atol=1e-12)
    assert not np.array_equal(network.alphas, config.alphas)


def test_training_resumes_to_the_same_network(tmp_path: Path) -> None:
    images, labels = problem(2, 60)
    config = PaperConfig(
        hidden=12, threshold=8.0, alphas=(4.0, 4.0), initial=(0.5, 0.5), epochs=4, validation=20
    )
    whole, epochs = train_paper(config=config, images=images, labels=labels)
    assert len(epochs) == 4
    shorter = PaperConfig(**{**config.to_dict(), "epochs": 2})
    train_paper(config=shorter, images=images, labels=labels, directory=tmp_path)
    resumed, rest = train_paper(
        config=config, images=images, labels=labels, directory=tmp_path, resume=True
    )
    assert [epoch.record.epoch for epoch in rest] == [3, 4]
    assert resumed.fingerprint() == whole.fingerprint()
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint.npz",
        "log.csv",
        "curves.png",
        "network.safetensors",
    }
    other = PaperConfig(**{**config.to_dict(), "gamma": 3})
    with pytest.raises(CheckpointError, match="use another folder or the same settings"):
        train_paper(config=other, images=images, labels=labels, directory=tmp_path, resume=True)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="must be a whole file"):
        train_paper(config=config, images=images, labels=labels, directory=tmp_path, resume=True)


def test_frozen_network_scores_as_the_rule_sees_it() -> None:
    images, labels = problem(4, 300)
    config = PaperConfig(
        hidden=20, threshold=8.0, alphas=(2.0, 4.0), initial=(2.0, 5.0), epochs=8, validation=100
    )
    network, epochs = train_paper(config=config, images=images, labels=labels)
    assert network.readout is Readout.FIRST_SPIKE
    scores = evaluate(network, images[200:], labels[200:])
    assert scores.accuracy_paper_rule == epochs[-1].validation_paper_rule
    assert scores.accuracy == epochs[-1].record.validation_accuracy
    assert scores.accuracy > 0.6  # three classes: it has learned


def test_recipe_file_holds_the_published_settings() -> None:
    assert load_paper_recipe() == PaperConfig()
    assert load_paper_recipe(epochs=3).epochs == 3
    with pytest.raises(RecipeError, match="^Recipe bs4nn-paper: Gamma must be an integer >= 1"):
        load_paper_recipe(gamma=0)
    with pytest.raises(RecipeError, match="unexpected keyword argument 'momentum'"):
        load_paper_recipe(momentum=0.9)
