# SPDX-License-Identifier: Apache-2.0
"""Yardsticks of the LMU: a plain reading of their equations, files, refusals."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from model.encoding import NetworkError, SeriesEncoding
from model.evaluate import evaluate
from model.legendre_step import float_system
from model.predictions import StepwiseEvaluation
from model.yardstick import LmuYardstick, load_yardstick, save_yardstick

ORDER, STEPS, CHANNELS = 5, 9, 2
ENCODING = SeriesEncoding(steps=STEPS, channels=CHANNELS, zero=128)


def made(*, recurrent: bool, seed: int = 0, **changes: Any) -> LmuYardstick:
    """Random weights: memory channels 3 and hidden 4 if recurrent, hidden 6 and 4 otherwise."""
    draw = np.random.default_rng(seed)
    if recurrent:
        features = 3 * ORDER + CHANNELS + 4
        shapes, encoder = ((4, features), (3, 4)), draw.normal(0, 0.3, (3, features))
    else:
        shapes, encoder = ((6, CHANNELS * ORDER), (4, 6), (3, 4)), None
    fields: dict[str, Any] = {
        "encoding": ENCODING,
        "order": ORDER,
        "window": STEPS + 2,
        "zero_order_hold": not recurrent,
        "input_peak": 64.0,
        "encoder": None if encoder is None else encoder.astype(np.float32),
        "weights": tuple(draw.normal(size=shape).astype(np.float32) for shape in shapes),
        "thresholds": tuple(draw.normal(size=shape[0]).astype(np.float32) for shape in shapes),
        "burn_in": 4 if recurrent else 0,
        "input_shape": (STEPS, CHANNELS),
        "inverse_temperature": 0.5,
        "metadata": {"data": "some"},
    }
    return LmuYardstick(**{**fields, **changes})


def sample(seed: int, count: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, STEPS, CHANNELS)).astype(np.uint8)


def read(yardstick: LmuYardstick, series: np.ndarray) -> np.ndarray:
    """Scores of one series, step by step."""
    system, entry = float_system(ORDER, yardstick.window, zero_order_hold=yardstick.zero_order_hold)
    encoder, (first, *others) = yardstick.encoder, yardstick.weights
    values = (series.astype(float) - 128) / yardstick.input_peak
    states = np.zeros((CHANNELS if encoder is None else len(encoder), ORDER))
    hidden, activity = np.zeros(len(first)), []
    for x in values:
        entering = x
        if encoder is not None:
            entering = encoder @ np.concatenate([states.ravel(), x, hidden])
        states = np.stack([system @ m + entry * u for m, u in zip(states, entering, strict=True)])
        if encoder is not None:
            sums = first @ np.concatenate([states.ravel(), x, hidden])
            hidden = np.tanh(sums - yardstick.thresholds[0])
            activity.append(hidden)
    if encoder is not None:
        layers = np.mean(activity[yardstick.burn_in :], axis=0)
    else:
        layers = np.maximum(first @ states.ravel() - yardstick.thresholds[0], 0)
        layers = np.maximum(others[0] @ layers - yardstick.thresholds[1], 0)
    return np.asarray(others[-1] @ layers - yardstick.thresholds[-1])


@pytest.mark.parametrize("recurrent", [False, True])
def test_scores_are_those_of_the_equations(recurrent: bool) -> None:
    yardstick = made(recurrent=recurrent)
    samples = sample(1)
    scores = yardstick.scores(samples, batch=3)
    assert np.allclose(scores, [read(yardstick, each) for each in samples], atol=1e-4)
    assert scores.std(0).min() > 0.01
    short = np.full_like(samples, 128)
    short[:, 4:] = samples[:, 4:]
    assert np.allclose(yardstick.scores(samples[:, 4:]), yardstick.scores(short))


@pytest.mark.parametrize("recurrent", [False, True])
def test_file(recurrent: bool, tmp_path: Path) -> None:
    yardstick = made(recurrent=recurrent)
    found = load_yardstick(save_yardstick(yardstick, tmp_path / "some.safetensors"))
    assert isinstance(found, LmuYardstick)
    assert found.sizes == yardstick.sizes
    assert (found.steps, found.input_shape) == (STEPS, (STEPS, CHANNELS))
    assert found.metadata == {"data": "some"}
    assert np.array_equal(found.scores(sample(2)), yardstick.scores(sample(2)))
    result = evaluate(found, sample(2), np.zeros(7, dtype=np.int64))
    assert isinstance(result, StepwiseEvaluation)
    assert result.input_spikes is None


def test_weights_of_16_bits_make_half_the_file_and_others_stay_exact(tmp_path: Path) -> None:
    whole = made(recurrent=False)
    rounded = tuple(each.astype(np.float16).astype(np.float32) for each in whole.weights)
    large = (rounded[0] * 1e6, *rounded[1:])  # beyond what 16 bits hold
    for weights, halves in ((whole.weights, 0), (rounded, 3), (large, 2)):
        yardstick = dataclasses.replace(whole, weights=weights)
        path = save_yardstick(yardstick, tmp_path / "a.safetensors")
        stored = [array.dtype for name, array in load_file(path).items() if "weights" in name]
        assert stored.count(np.float16) == halves
        loaded = load_yardstick(path)
        for found, wanted in zip(loaded.weights, weights, strict=True):
            assert found.dtype == np.float32
            assert np.array_equal(found, wanted)


def test_form_that_is_not_known(tmp_path: Path) -> None:
    path = save_yardstick(made(recurrent=True), tmp_path / "some.safetensors")
    text = json.dumps({"format": 1, "form": "tape"})
    save_file(load_file(path), path, metadata={"popspike-yardstick": text})
    with pytest.raises(NetworkError, match="form must be one of spiking, lmu, not 'tape'$"):
        load_yardstick(path)


def test_refusals() -> None:
    yardstick = made(recurrent=True)
    with pytest.raises(
        ValueError, match=r"^Series must have 1 to 9 steps .*window .*11\), not 18$"
    ):
        yardstick.scores(np.concatenate([sample(3), sample(4)], axis=1))
    with pytest.raises(NetworkError, match="^A yardstick must have thresholds for each layer$"):
        dataclasses.replace(yardstick, thresholds=yardstick.thresholds[:1])
    with pytest.raises(NetworkError, match="^A recurrent yardstick must have 2 layers, not 3$"):
        made(recurrent=True, weights=made(recurrent=False).weights, thresholds=(np.zeros(4),) * 3)
    assert yardstick.encoder is not None
    with pytest.raises(NetworkError, match=r"^Weights of the encoder must be \(3, 21\), not"):
        dataclasses.replace(yardstick, encoder=yardstick.encoder[:, 1:])
    with pytest.raises(NetworkError, match=r"^Weights of layer 1 must be \(neurons, 4\), not"):
        dataclasses.replace(yardstick, weights=(yardstick.weights[0], yardstick.weights[0]))
    with pytest.raises(NetworkError, match=r"^Burn in must lie in 0\.\.8, not 9$"):
        made(recurrent=True, burn_in=9)
