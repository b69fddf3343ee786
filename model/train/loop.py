# SPDX-License-Identifier: Apache-2.0
"""The training loop of the recipe family ``bs4nn``."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.data import Samples
from model.description import Network, Readout
from model.events import Events
from model.train.batches import TrainingData, check_samples, tensors
from model.train.config import TrainConfig
from model.train.epoch import make_optimizer, train_epoch
from model.train.fields import RecipeError
from model.train.log import EpochRecord
from model.train.network import TrainableNetwork, decide
from model.train.recipe import load_recipe
from model.train.run import TrainingRun, TrainResult
from model.train.teacher import make_pool, train_teacher
from model.train.tune import earlier_decisions

__all__ = ["train"]

_EVALUATION_BATCH = 1000
_VALIDATIONS = 25  # at most so many times in a run


def train(
    *,
    config: TrainConfig,
    samples: Samples,
    validation: Samples | None = None,
    directory: Path | None = None,
    device: str = "cpu",
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> TrainResult[Network, TrainableNetwork]:
    """Train a network and freeze it.

    All chance is drawn from generators seeded by the recipe's seed and the epoch, so a run that
    was killed and resumed gives, on the same machine, the same network as one that was not.
    With the first-spike readout and validation images, output thresholds are lowered at the end
    as far as no validation image is lost, see `earlier_decisions`.

    Parameters
    ----------
    config
        The recipe.
    samples
        Training images, uint8 (N, height, width) or (N, features), with labels from 0 to
        classes - 1. Distortions need the first form.
    validation
        Images that are only measured; nothing is measured without them.
    directory
        Gets ``checkpoint.pt`` (after each epoch), ``log.csv``, ``curves.png`` and
        ``network.safetensors``, in ``start/`` the same of a recipe that is run first, and
        ``teacher.pt`` where there is a teacher; nothing is written without it.
    device
        ``cpu``, ``cuda`` or another name that PyTorch knows.
    resume
        Go on from the checkpoint in ``directory`` if there is one.
    metadata
        Facts to keep in the network beside those of the recipe.
    on_epoch
        Called with the record of each finished epoch, for progress displays.
    on_message
        Called with a line of text where other work takes long.

    Raises
    ------
    ValueError
        If images and labels do not fit each other or the recipe.
    CheckpointError
        If the checkpoint is damaged or of another run.
    """
    check_samples(config, samples, validation)
    place = torch.device(device)
    assert not isinstance(samples.images, Events)  # refused before
    shape = samples.images.shape[1:]
    classes = int(samples.labels.max()) + 1
    network = TrainableNetwork(config=config, features=math.prod(shape), classes=classes).to(place)
    if config.start:
        first = load_recipe(
            config.start, hidden=list(config.hidden), levels=list(config.levels), seed=config.seed
        )
        if not isinstance(first, TrainConfig):
            raise RecipeError(f"Start must be a recipe of the family bs4nn, not {config.start!r}")
        before = train(
            config=first,
            samples=samples,
            validation=validation,
            directory=None if directory is None else directory / "start",
            device=device,
            resume=resume,
            on_epoch=on_epoch,
            on_message=on_message,
        )
        network.start_from(before.trained)
    optimizer = make_optimizer(network)
    run = TrainingRun(
        config=config,
        parts={"network": network, "optimizer": optimizer},
        directory=directory,
        resume=resume,
        device=place,
        on_epoch=on_epoch,
    )
    images, labels = tensors(samples, place)
    data = TrainingData(config=config, images=images, labels=labels, classes=classes)
    if config.distillation.weight and len(run.history) < config.epochs:
        teacher = train_teacher(
            config=config,
            images=images,
            labels=labels,
            directory=directory,
            resume=resume,
            on_message=on_message,
        )
        data.pool = make_pool(teacher, config=config, images=images, on_message=on_message)
    held_out = None if validation is None else tensors(validation, place)
    run.train(
        lambda epoch: train_epoch(network, optimizer, data, epoch),
        None if held_out is None else lambda: _accuracy(network, *held_out),
        validations=_VALIDATIONS,
    )
    facts: dict[str, Any] = {"recipe": config.to_dict(), "validation_accuracy": None}
    if held_out is not None:
        if config.readout is Readout.FIRST_SPIKE:
            facts["thresholds_lowered_by"] = _lower_thresholds(network, *held_out)
        facts["validation_accuracy"] = _accuracy(network, *held_out)
    frozen = network.freeze(input_shape=shape, metadata={**facts, **(metadata or {})})
    return run.finish(frozen, network, facts["validation_accuracy"])


@torch.no_grad()
def _potentials(network: TrainableNetwork, images: Tensor) -> Tensor:
    """Output potentials (T, N, classes) of the network as it would be frozen."""
    network.eval()
    parts = images.flatten(1).split(_EVALUATION_BATCH)
    return torch.cat([network(part) for part in parts], 1)


def _lower_thresholds(network: TrainableNetwork, images: Tensor, labels: Tensor) -> int:
    """Lower all output thresholds by what `earlier_decisions` allows, and return that."""
    lowering = earlier_decisions(_potentials(network, images), labels)
    network.thresholds.data.sub_(lowering)
    return lowering


def _accuracy(network: TrainableNetwork, images: Tensor, labels: Tensor) -> float:
    """Accuracy 0..1 of the network as it would be frozen."""
    winners = decide(_potentials(network, images), network.config.readout)
    return float((winners == labels).double().mean())
