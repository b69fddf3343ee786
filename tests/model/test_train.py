# SPDX-License-Identifier: Apache-2.0
"""The training loop: learns, resumes to the same network, and refuses what does not fit."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model.data import Samples
from model.description import Readout
from model.evaluate import evaluate
from model.network_file import load_network
from model.train import (
    Augmentation,
    Distillation,
    EpochRecord,
    TrainConfig,
    TrainResult,
    train,
)
from model.train.checkpoint import CheckpointError


def prototypes(count: int, *, seed: int, classes: int = 4) -> Samples:
    """Noisy copies of one random 8 x 8 picture a class."""
    pictures = np.random.default_rng(0).integers(0, 256, (classes, 8, 8))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    noisy = pictures[labels] + rng.normal(0, 60, (count, 8, 8))
    return Samples(images=noisy.clip(0, 255).astype(np.uint8), labels=labels, origin="noise")


SMALL = TrainConfig(
    hidden=(24,),
    epochs=4,
    batch_size=32,
    initial_threshold=3.0,
    augmentation=Augmentation(rotation=5, shift=0.5, scale=0.05, elastic=0.3),
    plain_tail=0.5,
)
TRAINING = prototypes(384, seed=1)
VALIDATION = prototypes(64, seed=2)


def flat(samples: Samples) -> Samples:
    return dataclasses.replace(samples, images=samples.images.reshape(len(samples), -1))


def same_network(left: TrainResult, right: TrainResult) -> bool:
    return left.network.fingerprint() == right.network.fingerprint()


@pytest.mark.parametrize("readout", list(Readout))
def test_learns_in_seconds(readout: Readout) -> None:
    config = dataclasses.replace(SMALL, readout=readout, epochs=10)
    result = train(config=config, samples=TRAINING, validation=VALIDATION)
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.9


def test_validation_accuracy_is_that_of_the_frozen_network() -> None:
    result = train(config=SMALL, samples=TRAINING, validation=VALIDATION)
    again = evaluate(result.network, VALIDATION.images, VALIDATION.labels)
    assert result.validation_accuracy == again.accuracy
    assert result.network.metadata["recipe"] == SMALL.to_dict()


def test_a_killed_run_resumes_to_the_same_network(tmp_path: Path) -> None:
    class Kill(Exception):
        pass

    def kill_after_two(record: EpochRecord) -> None:
        if record.epoch == 2:
            raise Kill

    whole = train(config=SMALL, samples=TRAINING, validation=VALIDATION)
    with pytest.raises(Kill):
        train(
            config=SMALL,
            samples=TRAINING,
            validation=VALIDATION,
            directory=tmp_path,
            on_epoch=kill_after_two,
        )
    epochs: list[int] = []
    resumed = train(
        config=SMALL,
        samples=TRAINING,
        validation=VALIDATION,
        directory=tmp_path,
        resume=True,
        on_epoch=lambda record: epochs.append(record.epoch),
    )
    assert epochs == [3, 4]
    assert same_network(whole, resumed)
    without_time = [
        [dataclasses.replace(record, seconds=0.0) for record in result.history]
        for result in (whole, resumed)
    ]
    assert without_time[0] == without_time[1]
    assert load_network(tmp_path / "network.safetensors").fingerprint() == (
        resumed.network.fingerprint()
    )


def test_leaves_log_curves_and_no_partial_file(tmp_path: Path) -> None:
    train(config=SMALL, samples=TRAINING, validation=VALIDATION, directory=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.pt",
        "curves.png",
        "log.csv",
        "network.safetensors",
    ]
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert 0 <= float(rows[-1]["validation_accuracy"]) <= 1
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_another_seed_gives_another_network() -> None:
    other = dataclasses.replace(SMALL, seed=1)
    assert not same_network(
        train(config=SMALL, samples=TRAINING, validation=VALIDATION),
        train(config=other, samples=TRAINING, validation=VALIDATION),
    )


def test_trains_without_validation_and_on_flat_images() -> None:
    config = dataclasses.replace(SMALL, augmentation=Augmentation(), epochs=1)
    result = train(config=config, samples=flat(TRAINING))
    assert result.validation_accuracy is None
    assert result.network.input_shape == (64,)


def test_refuses_a_checkpoint_of_another_recipe(tmp_path: Path) -> None:
    train(config=SMALL, samples=TRAINING, validation=VALIDATION, directory=tmp_path)
    other = dataclasses.replace(SMALL, learning_rate=1e-3)
    with pytest.raises(CheckpointError, match=r"learning_rate must be 0\.001 as in this run"):
        train(
            config=other, samples=TRAINING, validation=VALIDATION, directory=tmp_path, resume=True
        )


def test_refuses_a_truncated_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    train(config=SMALL, samples=TRAINING, validation=VALIDATION, directory=tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="must be a whole file"):
        train(
            config=SMALL, samples=TRAINING, validation=VALIDATION, directory=tmp_path, resume=True
        )


def test_goes_on_from_another_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.train.loop.load_recipe", lambda *_, **__: SMALL)
    config = dataclasses.replace(
        SMALL, start="first", readout=Readout.SUMMED_POTENTIAL, epochs=1, learning_rate=1e-6
    )
    result = train(config=config, samples=TRAINING, validation=VALIDATION, directory=tmp_path)
    first = load_network(tmp_path / "start" / "network.safetensors")
    same = (result.network.layers[0].weights == first.layers[0].weights).mean()
    assert len(result.history) == 1
    assert same > 0.95


def test_learns_from_a_teacher_and_reads_it_back(tmp_path: Path) -> None:
    distillation = Distillation(weight=0.7, teacher_epochs=2, copies=2)
    config = dataclasses.replace(SMALL, distillation=distillation)
    result = train(config=config, samples=TRAINING, validation=VALIDATION, directory=tmp_path)
    (tmp_path / "checkpoint.pt").unlink()
    again = train(
        config=config, samples=TRAINING, validation=VALIDATION, directory=tmp_path, resume=True
    )
    assert same_network(result, again)
    with pytest.raises(ValueError, match="Images must have height and width"):
        train(config=config, samples=flat(TRAINING))


def test_takes_over_the_teacher_of_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distillation = Distillation(weight=0.5, teacher_epochs=2, copies=1)
    first = dataclasses.replace(SMALL, distillation=distillation, epochs=1)
    monkeypatch.setattr("model.train.loop.load_recipe", lambda *_, **__: first)
    lines: list[str] = []
    train(
        config=dataclasses.replace(first, start="first"),
        samples=TRAINING,
        directory=tmp_path,
        on_message=lines.append,
    )
    assert [line for line in lines if "epoch" in line] == [
        "teacher: epoch 1/2",
        "teacher: epoch 2/2",
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"images": TRAINING.images.astype(np.float32)}, "Images must be uint8"),
        ({"labels": TRAINING.labels[:5]}, "Labels must be 384 integers"),
        ({"labels": TRAINING.labels - 1}, "Labels must be >= 0, not -1"),
        (
            {"images": TRAINING.images[:20], "labels": TRAINING.labels[:20]},
            "Images must number at least one batch of 32, not 20",
        ),
        ({"images": TRAINING.images.reshape(384, 64)}, "Images must have height and width"),
    ],
)
def test_refuses_samples_that_do_not_fit(changes: dict[str, np.ndarray], text: str) -> None:
    samples = dataclasses.replace(TRAINING, **changes)
    with pytest.raises(ValueError, match=text):
        train(config=SMALL, samples=samples)


def test_refuses_validation_images_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"must be of shape \(8, 8\) as the training images"):
        train(config=SMALL, samples=TRAINING, validation=flat(VALIDATION))
