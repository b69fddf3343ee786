# SPDX-License-Identifier: Apache-2.0
"""The training loop of the recipe family ``lmu-hybrid``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.calibration import fit_inverse_temperature
from model.data import Samples
from model.description import Network
from model.lmu_yardstick import LmuYardstick
from model.train.lmu.hybrid_config import HybridConfig, HybridRule
from model.train.lmu.hybrid_epoch import SeriesData, make_optimizer, train_hybrid_epoch
from model.train.lmu.hybrid_freeze import freeze_hybrid
from model.train.lmu.hybrid_network import HybridNetwork
from model.train.lmu.hybrid_twin import HybridTwin, freeze_twin
from model.train.log import EpochRecord
from model.train.run import TrainingRun, TrainResult

__all__ = ["HybridResult", "train_hybrid"]

HybridResult = TrainResult[Network | LmuYardstick, HybridNetwork | HybridTwin]

_VALIDATIONS = 10  # at most so many times in a run
_CALIBRATION = 256  # samples
_BATCH = 500


def train_hybrid(
    *,
    config: HybridConfig,
    samples: Samples,
    validation: Samples | None = None,
    directory: Path | None = None,
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> HybridResult:
    """Train a recurrent hybrid LMU, or its float twin, and freeze it.

    All chance is drawn from generators seeded by the recipe's seed and the epoch, so a run that
    was killed and resumed gives, on the same machine, the same network as one that was not.

    Parameters
    ----------
    config
        The recipe.
    samples
        Training series, uint8 (N, T, channels), with labels from 0 to classes - 1.
    validation
        Series that decide the inverse temperature, and are measured.
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
    classes = int(samples.labels.max()) + 1 if len(samples) else 1
    data = SeriesData.of(config, samples, classes=classes)
    encoding = data.encoding
    held_out = None
    if validation is not None:
        held_out = SeriesData.of(config, validation, classes=classes, encoding=encoding)
    form = HybridTwin if config.rule is HybridRule.FLOAT else HybridNetwork
    network = form(config=config, encoding=encoding, classes=classes)
    optimizer = make_optimizer(network)
    run = TrainingRun(
        config=config,
        parts={"network": network, "optimizer": optimizer},
        directory=directory,
        resume=resume,
        on_epoch=on_epoch,
    )
    if not run.history:
        chance = torch.Generator().manual_seed(config.seed)
        chosen = torch.randperm(len(data), generator=chance)[:_CALIBRATION]
        network.calibrate(data.seen(chosen))
    run.train(
        lambda epoch: train_hybrid_epoch(network, optimizer, data, epoch),
        None if held_out is None else lambda: _accuracy(network, held_out),
        validations=_VALIDATIONS,
    )
    facts: dict[str, Any] = {
        "recipe": config.to_dict(),
        "minutes": round(sum(record.seconds for record in run.history) / 60, 1),
        "training_scale": float(network.inverse_temperature.detach()),
        "validation_accuracy": None,
    }
    fitted = None
    if held_out is not None:
        facts["validation_accuracy"] = _accuracy(network, held_out)
        scores = _scores(network, held_out).numpy()
        fitted = float(fit_inverse_temperature(scores, held_out.labels.numpy()))
    facts.update(metadata or {})
    frozen: Network | LmuYardstick
    if isinstance(network, HybridTwin):
        frozen = freeze_twin(network, inverse_temperature=fitted, metadata=facts)
    else:
        frozen = freeze_hybrid(network, inverse_temperature=fitted, metadata=facts)
    return run.finish(frozen, network, facts["validation_accuracy"])


@torch.no_grad()
def _scores(network: HybridNetwork | HybridTwin, data: SeriesData) -> Tensor:
    """Scores (N, classes) of what would be frozen."""
    parts = [slice(start, start + _BATCH) for start in range(0, len(data), _BATCH)]
    return torch.cat([network(data.seen(part)) for part in parts])


def _accuracy(network: HybridNetwork | HybridTwin, data: SeriesData) -> float:
    """Accuracy 0..1 of what would be frozen."""
    return float((_scores(network, data).argmax(1) == data.labels).double().mean())
