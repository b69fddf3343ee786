# SPDX-License-Identifier: Apache-2.0
"""The training loop of the recipe family ``bisnn``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from model.data import Samples
from model.description import Network
from model.train.bisnn.config import BisnnConfig, Variant
from model.train.bisnn.epoch import Mover, train_epoch
from model.train.bisnn.freeze import freeze, freeze_floats
from model.train.bisnn.inputs import Inputs
from model.train.bisnn.local import train_local_epoch
from model.train.bisnn.measure import (
    accuracy_of,
    fitted_inverse_temperature,
    frozen_form,
    member_scores,
)
from model.train.bisnn.network import SpikingStack
from model.train.log import EpochRecord
from model.train.run import TrainingRun, TrainResult
from model.yardstick import Yardstick

__all__ = ["BisnnResult", "train_bisnn"]

_VALIDATIONS = 10  # at most so many times in a run
_CALIBRATION = 256  # samples


#: What a run of this family leaves.
BisnnResult = TrainResult[Network | Yardstick, SpikingStack]


def train_bisnn(
    *,
    config: BisnnConfig,
    samples: Samples,
    validation: Samples | None = None,
    directory: Path | None = None,
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> BisnnResult:
    """Train a network and freeze it.

    All chance is drawn from generators seeded by the recipe's seed and the epoch, so a run that
    was killed and resumed gives, on the same machine, the same network as one that was not.

    Parameters
    ----------
    config
        The recipe.
    samples
        Training samples with labels from 0 to classes - 1: uint8 images, or events where the
        encoding is one of events.
    validation
        Samples that decide the inverse temperature, and are measured.
    directory
        Gets ``checkpoint.pt`` (after each epoch), ``log.csv``, ``curves.png`` and
        ``network.safetensors``; nothing is written without it.
    resume
        Go on from the checkpoint in ``directory`` if there is one.
    metadata
        Facts to keep in the network beside those of the recipe.
    on_epoch
        Called with the record of each finished epoch.

    Raises
    ------
    ValueError
        If samples and labels do not fit each other or the recipe.
    CheckpointError
        If the checkpoint is damaged or of another run.
    """
    classes = int(samples.labels.max()) + 1 if len(samples) else 0
    data = Inputs.of(config, samples, classes)
    held_out = None if validation is None else Inputs.of(config, validation, classes)
    network = SpikingStack(config=config, features=data.features, classes=classes)
    mover = Mover(network)
    rest = [*network.levels, network.offsets, network.log_scale]
    optimizer = torch.optim.Adam(rest, lr=config.threshold_rate)
    run = TrainingRun(
        config=config,
        parts={"network": network, "optimizer": optimizer, "mover": mover},
        directory=directory,
        resume=resume,
        on_epoch=on_epoch,
    )
    if not run.history:
        chance = torch.Generator().manual_seed(config.seed)
        network.calibrate(data.spikes(torch.randperm(len(data), generator=chance)[:_CALIBRATION]))
    one_epoch = train_local_epoch if config.variant is Variant.LOCAL else train_epoch
    run.train(
        lambda epoch: one_epoch(network, mover, optimizer, data, epoch),
        None
        if held_out is None
        else lambda: accuracy_of(member_scores(network, frozen_form(network), held_out), held_out),
        validations=_VALIDATIONS,
    )
    frozen, accuracy = _finish(network, data, held_out, run.history, metadata or {})
    return run.finish(frozen, network, accuracy)


def _finish(
    network: SpikingStack,
    data: Inputs,
    held_out: Inputs | None,
    history: list[EpochRecord],
    metadata: dict[str, Any],
) -> tuple[Network | Yardstick, float | None]:
    """Freeze, with the inverse temperature that fits the validation samples."""
    scale = float(network.log_scale.detach().exp())
    facts: dict[str, Any] = {
        "recipe": network.config.to_dict(),
        "minutes": round(sum(record.seconds for record in history) / 60, 1),
        "training_scale": scale,
        "validation_accuracy": None,
    }
    fitted = None
    if held_out is not None:
        scores = member_scores(network, frozen_form(network), held_out)
        facts["validation_accuracy"] = accuracy_of(scores, held_out)
        fitted = fitted_inverse_temperature(scores, held_out)
    make = freeze if network.exact else freeze_floats
    frozen = make(
        network,
        input_shape=data.shape,
        inverse_temperature=fitted,
        metadata={**facts, **metadata},
    )
    return frozen, facts["validation_accuracy"]
