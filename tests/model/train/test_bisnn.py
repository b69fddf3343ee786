# SPDX-License-Identifier: Apache-2.0
"""The recipe family bisnn: each rule learns, resumes, and freezes into what it trained."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.data import Samples
from model.description import Network, NetworkError, NeuronKind, Reset
from model.encoding import EventEncoding, LatencyEncoding, RateEncoding
from model.events import Events, rasterise
from model.golden import run
from model.network_file import load_network
from model.sampling import drawn_network
from model.spike_trains import spike_trains
from model.train import EpochRecord, RecipeError, load_recipe
from model.train.bisnn import BisnnConfig, BisnnResult, Form, Rule, Variant, train_bisnn
from model.train.bisnn.freeze import freeze
from model.train.bisnn.inputs import Inputs, encode_images, rasterise_distorted
from model.train.bisnn.measure import member_scores
from model.train.checkpoint import CheckpointError
from model.yardstick import Yardstick, load_yardstick


def prototypes(count: int, *, seed: int, classes: int = 3) -> Samples:
    """Noisy copies of one random 5 x 5 picture a class."""
    pictures = np.random.default_rng(0).integers(0, 256, (classes, 5, 5))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    noisy = pictures[labels] + rng.normal(0, 40, (count, 5, 5))
    return Samples(images=noisy.clip(0, 255).astype(np.uint8), labels=labels, origin="noise")


TRAINING, VALIDATION = prototypes(160, seed=1), prototypes(80, seed=2)
SMALL: dict[str, Any] = {
    "rule": "bisnn-bayes",
    "encoding": {"kind": "rate", "steps": 6},
    "hidden": [24, 16],
    "epochs": 10,
    "batch_size": 16,
    "learning_rate": 0.1,
    "posterior": {"estimator": "moments", "members": 3},
}
SRM = {"kind": "spike-response", "membrane_shift": 2, "synapse_shift": 2, "burn_in": 1}


def config(**changes: Any) -> BisnnConfig:
    fields = json.loads(json.dumps(SMALL))
    for key, value in changes.items():
        table = isinstance(value, dict) and key != "encoding"
        fields[key] = {**fields.get(key, {}), **value} if table else value
    return BisnnConfig.from_dict(fields)


def trained(settings: BisnnConfig, **fields: Any) -> BisnnResult:
    return train_bisnn(config=settings, samples=TRAINING, validation=VALIDATION, **fields)


LOCAL = {
    "variant": "local",
    "neuron": SRM,
    "learning_rate": 0.05,
    "posterior": {"estimator": "relaxed"},
    "encoding": {"kind": "rate", "steps": 10},
}


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("variant", list(Variant))
def test_learns_a_toy(rule: Rule, variant: Variant) -> None:
    changes: dict[str, Any] = {} if variant is Variant.BPTT else {**LOCAL, "epochs": 30}
    if rule is Rule.FULL_PRECISION:
        changes["learning_rate"] = 0.03
    result = trained(config(rule=str(rule), **changes))
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.9
    assert isinstance(result.network, Yardstick if rule is Rule.FULL_PRECISION else Network)


@pytest.mark.parametrize("estimator", ["relaxed", "binary"])
def test_learns_with_drawn_weights(estimator: str) -> None:
    result = trained(config(posterior={"estimator": estimator, "draws": 2}, epochs=20))
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.8


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"neuron": {"reset": "zero", "membrane_shift": 1, "fraction_bits": 0}},
        {"neuron": SRM},
        {"encoding": {"kind": "latency", "levels": [200, 120, 40], "tail_steps": 3}},
        {"rule": "bisnn-st", "limit": 0.0},
        {"posterior": {"form": "sampled"}},
        {"posterior": {"form": "mode"}},
        {**LOCAL, "neuron": {"kind": "lif"}},
    ],
    ids=["lif", "zero", "spike-response", "latency", "st", "sampled", "mode", "local"],
)
def test_frozen_network_is_the_forward_pass_of_training(changes: dict[str, Any]) -> None:
    settings = config(**{**changes, "epochs": 2})
    result = trained(settings)
    network = result.network
    assert isinstance(network, Network)
    wanted = member_scores(result.trained, network, Inputs.of(settings, VALIDATION, 3))
    if network.is_sampled:
        network = drawn_network(network, seed=1, members=3)
    trace = run(network, VALIDATION.images)
    np.testing.assert_array_equal(trace.member_scores.numpy(), wanted)
    right = trace.winners.numpy() == VALIDATION.labels
    assert result.validation_accuracy == pytest.approx(right.mean())


def test_yardstick_file_gives_the_scores_of_training(tmp_path: Path) -> None:
    result = trained(config(rule="full-precision"), directory=tmp_path)
    read = load_yardstick(tmp_path / "network.safetensors")
    assert read.metadata["recipe"] == result.trained.config.to_dict()
    assert read.sizes == (25, 24, 16, 3)
    scores = read.scores(VALIDATION.images)
    assert (scores.argmax(1) == VALIDATION.labels).mean() == result.validation_accuracy
    with pytest.raises(NetworkError, match="has no field 'popspike'"):
        load_network(tmp_path / "network.safetensors")
    trained(config(epochs=1), directory=tmp_path)
    with pytest.raises(NetworkError, match="has no field 'popspike-yardstick'"):
        load_yardstick(tmp_path / "network.safetensors")


@pytest.mark.parametrize("changes", [{}, LOCAL, {"rule": "bisnn-st", "momentum": 0.5}])
def test_a_killed_run_resumes_to_the_same_network(changes: dict[str, Any], tmp_path: Path) -> None:
    class Kill(Exception):
        pass

    def kill_after_two(record: EpochRecord) -> None:
        if record.epoch == 2:
            raise Kill

    settings = config(**{**changes, "epochs": 3}, augmentation={"shift": 1.0}, input_drop=0.1)
    whole = trained(settings)
    with pytest.raises(Kill):
        trained(settings, directory=tmp_path, on_epoch=kill_after_two)
    epochs: list[tuple[int, int]] = []
    resumed = trained(
        settings,
        directory=tmp_path,
        resume=True,
        on_epoch=lambda record: epochs.append((record.epoch, record.epochs)),
    )
    assert epochs == [(3, 3)]
    assert isinstance(whole.network, Network)
    assert isinstance(resumed.network, Network)
    assert resumed.network.fingerprint() == whole.network.fingerprint()
    other = dataclasses.replace(settings, seed=5)
    with pytest.raises(CheckpointError, match="seed must be 5 as in this run"):
        trained(other, directory=tmp_path, resume=True)


def test_a_committee_of_fewer_is_the_beginning_of_one_of_more() -> None:
    network = trained(config(epochs=1)).trained
    few, many = freeze(network, members=2), freeze(network, members=4)
    np.testing.assert_array_equal(few.layers[0].weights, many.layers[0].weights[:2])
    assert many.members == 4
    assert freeze(network, form=Form.MODE).members == 1


def test_encodings_are_those_of_the_golden_model() -> None:
    network = trained(config(epochs=1)).network
    assert isinstance(network, Network)
    pixels = VALIDATION.images.reshape(len(VALIDATION), -1)
    for encoding in (
        RateEncoding(steps=9, phase=31),
        LatencyEncoding(levels=(200, 90, 90, 5), tail_steps=2),
    ):
        wanted = spike_trains(dataclasses.replace(network, encoding=encoding), VALIDATION.images)
        ours = encode_images(torch.from_numpy(pixels), encoding).numpy().transpose(1, 0, 2)
        np.testing.assert_array_equal(ours, wanted[:, : ours.shape[1]])
        assert not wanted[:, ours.shape[1] :].any()


def event_samples(count: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    size = 60
    labels = rng.integers(0, 2, count)
    x = rng.integers(0, 10, (count, size))
    left = rng.random((count, size)) < 0.8
    x = np.where(left == (labels[:, None] == 0), x // 2, 5 + x // 2)
    events = Events(
        t=np.sort(rng.integers(0, 6000, (count, size)), axis=1).reshape(-1),
        x=x.reshape(-1),
        y=rng.integers(0, 8, count * size),
        p=rng.integers(0, 2, count * size),
        offsets=np.arange(count + 1) * size,
    )
    return Samples(images=events, labels=labels, origin="events")


RASTER = {"width": 10, "height": 8, "crop_width": 9, "crop_height": 8, "bin_us": 1000, "steps": 5}


def test_learns_from_events_and_moves_them() -> None:
    settings = config(
        encoding={"kind": "events", **RASTER, "shift": 1},
        hidden=[16],
        augmentation={"shift": 1.0, "rotation": 5.0},
        epochs=6,
    )
    part = event_samples(64, 2)
    result = train_bisnn(config=settings, samples=event_samples(128, 1), validation=part)
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.9
    assert isinstance(result.network, Network)
    assert result.network.input_shape == (2, 4, 5)
    assert isinstance(part.images, Events)
    winners = run(result.network, part.images).winners.numpy()
    assert (winners == part.labels).mean() == result.validation_accuracy


@pytest.mark.parametrize("merge", [False, True])
def test_events_that_are_not_moved_are_rasterised_as_ever(merge: bool) -> None:
    events = event_samples(7, 3).images
    assert isinstance(events, Events)
    encoding = EventEncoding(**RASTER, shift=1, merge_polarity=merge)
    still = np.tile(np.array([[1.0, 0, 0], [0, 1, 0]]), (7, 1, 1))
    ours = rasterise_distorted(encoding, events, still)
    np.testing.assert_array_equal(ours, rasterise(encoding, events))
    right = still + np.array([[0, 0, 2.0], [0, 0, 0]])
    moved = dataclasses.replace(events, x=np.minimum(events.x + 2, 9))
    kept = rasterise_distorted(encoding, events, right)
    np.testing.assert_array_equal(kept, rasterise(encoding, moved))  # column 9 is outside the crop


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rule": "bisnn"}, "Rule must be one of bisnn-st, bisnn-bayes, full-precision, not"),
        ({"variant": "global"}, "Variant must be one of bptt, local, not 'global'"),
        ({"epoch": 3}, "Recipe key must be one of .*epochs.*, not 'epoch'"),
        ({"cut": 3}, "Recipe key must be one of .*, not 'cut'"),
        ({"neuron": {"leak": 3}}, "not 'neuron.leak'"),
        ({"neuron": {"kind": "integrator"}}, "Neuron kind must be one of lif, spike-response"),
        ({"neuron": {"reset": "none"}}, "Neuron reset must be one of subtract, zero, not 'none'"),
        ({"neuron": {"membrane_shift": 0}}, r"Neuron membrane shift must be an integer 1\.\.8"),
        ({"neuron": {"threshold": 0}}, "Neuron threshold must be > 0, not 0"),
        ({"neuron": {"burn_in": 6}}, "Neuron burn in must be less than the 6 steps, not 6"),
        ({"posterior": {"temperature": 0.1}}, r"Posterior temperature must be in 0\.3\.\.1"),
        ({"posterior": {"form": "all"}}, "Posterior form must be one of mode, committee, sampled"),
        ({"posterior": {"estimator": "x"}}, "Posterior estimator must be one of relaxed, binary"),
        ({"posterior": {"cuts": [0.7, 0.2]}}, "Posterior cuts must be two rising numbers"),
        ({"posterior": {"members": 0}}, "Posterior members must be an integer >= 1, not 0"),
        ({"posterior": {"prior": 1}}, r"Posterior prior must be in 0\.\.1, not 1"),
        ({"posterior": {"complexity": -1}}, "Posterior complexity must be >= 0, not -1"),
        ({"posterior": 3}, "Posterior must be a table, not 3"),
        ({"encoding": {"kind": "phase"}}, "Encoding must be one of latency, rate, events, not"),
        ({"encoding": {"kind": "rate"}}, "Encoding rate has fields that do not belong"),
        ({"encoding": {"kind": "latency"}}, "Encoding must have the key 'levels'"),
        ({"encoding": "rate"}, "Encoding must be a table with a kind, not 'rate'"),
        ({"encoding": {"kind": "rate", "steps": 0}}, r"Steps must lie in 1\.\.65535, not 0"),
        ({"initial": 2.0}, "Initial of bisnn-bayes must be at most 1, not 2.0"),
        ({"limit": 0.0}, r"Limit of bisnn-bayes must be in 0\.\.6, not 0.0"),
        ({"schedule": "steps"}, "Schedule must be one of cosine, halving, not 'steps'"),
        ({"surrogate": "tent"}, "Surrogate must be one of triangle, box, not 'tent'"),
        ({"hidden": []}, "Hidden must be one or more positive layer sizes"),
        ({"learning_rate": 0}, "Learning rate must be > 0, not 0"),
        ({"momentum": 2}, r"Momentum must be in 0\.\.1, not 2"),
        ({"variant": "local"}, "Posterior estimator of variant local must be relaxed or binary"),
        (
            {**LOCAL, "neuron": {"kind": "lif", "reset": "zero"}},
            "Neuron reset of variant local must be subtract",
        ),
    ],
)
def test_mistakes_in_recipes_are_named(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        config(**changes)


def test_recipe_files_round_trip_and_take_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('rule = "bisnn-st"\nhidden = [5]\nencoding = {kind = "rate", steps = 6}\n')
    read = load_recipe(path, steps=8, seed=3, hidden=[7])
    assert isinstance(read, BisnnConfig)
    assert (read.steps, read.seed, read.hidden, read.name) == (8, 3, (7,), "mine")
    assert BisnnConfig.from_dict(read.to_dict()) == read
    assert read.neuron.reset is Reset.SUBTRACT
    assert read.neuron.kind is NeuronKind.LIF
    with pytest.raises(RecipeError, match=r"mine\.toml: Recipe key must be .* not 'readout'"):
        load_recipe(path, readout="first-spike")


def test_samples_that_do_not_fit_are_refused() -> None:
    flat = dataclasses.replace(TRAINING, images=np.asarray(TRAINING.images).reshape(160, -1))
    with pytest.raises(ValueError, match="Images must have height and width for augmentation"):
        train_bisnn(config=config(augmentation={"shift": 1.0}), samples=flat)
    with pytest.raises(ValueError, match="Samples must be events for an encoding of events"):
        train_bisnn(config=config(encoding={"kind": "events", **RASTER}), samples=TRAINING)
    with pytest.raises(ValueError, match="Images must be uint8"):
        train_bisnn(config=config(), samples=event_samples(8, 0))
    few = dataclasses.replace(TRAINING, labels=TRAINING.labels[:5])
    with pytest.raises(ValueError, match="Labels must be one for each"):
        train_bisnn(config=config(), samples=few)
