# SPDX-License-Identifier: Apache-2.0
"""The training loop of the recipe family ``bisnn``."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.data import Samples
from model.description import Network
from model.network_file import save_network
from model.train.bisnn.config import BisnnConfig, Variant
from model.train.bisnn.epoch import Mover, train_epoch
from model.train.bisnn.freeze import freeze, freeze_floats
from model.train.bisnn.inputs import Inputs
from model.train.bisnn.local import train_local_epoch
from model.train.bisnn.measure import frozen_form, member_scores
from model.train.bisnn.network import SpikingStack
from model.train.checkpoint import load_checkpoint, save_checkpoint
from model.train.log import EpochRecord, plot_curves, write_csv
from model.yardstick import Yardstick, save_yardstick

__all__ = ["BisnnResult", "train_bisnn"]

_VALIDATIONS = 10  # at most so many times in a run
_CALIBRATION = 256  # samples


@dataclasses.dataclass(frozen=True, kw_only=True)
class BisnnResult:
    """What a training run leaves.

    Parameters
    ----------
    network
        The frozen integer network, or the yardstick of full precision.
    history
        One record an epoch.
    validation_accuracy
        0..1 of what was frozen; None without validation samples.
    trained
        The trainable form, with its latent weights.
    """

    network: Network | Yardstick
    history: tuple[EpochRecord, ...]
    validation_accuracy: float | None
    trained: SpikingStack


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
    checkpoint = None if directory is None else directory / "checkpoint.pt"
    history: list[EpochRecord] = []
    if resume and checkpoint is not None and checkpoint.exists():
        state = load_checkpoint(checkpoint, config=config.to_dict(), device=torch.device("cpu"))
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        mover.load_state_dict(state["mover"])
        history = [EpochRecord(**record) for record in state["history"]]
    else:
        chance = torch.Generator().manual_seed(config.seed)
        network.calibrate(data.spikes(torch.randperm(len(data), generator=chance)[:_CALIBRATION]))
    one_epoch = train_local_epoch if config.variant is Variant.LOCAL else train_epoch
    for epoch in range(len(history), config.epochs):
        start = time.perf_counter()
        loss, rate = one_epoch(network, mover, optimizer, data, epoch)
        measured = None
        if held_out is not None and _validates(epoch, config.epochs):
            measured = _accuracy(member_scores(network, frozen_form(network), held_out), held_out)
        record = EpochRecord(
            epoch=epoch + 1,
            loss=loss,
            learning_rate=rate,
            seconds=time.perf_counter() - start,
            epochs=config.epochs,
            validation_accuracy=measured,
        )
        history.append(record)
        if directory is not None:
            state = {
                "config": config.to_dict(),
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "mover": mover.state_dict(),
                "history": [dataclasses.asdict(each) for each in history],
            }
            save_checkpoint(directory / "checkpoint.pt", state)
            write_csv(directory / "log.csv", history)
        if on_epoch is not None:
            on_epoch(record)
    frozen, accuracy = _finish(network, data, held_out, history, metadata or {})
    if directory is not None:
        save = save_network if isinstance(frozen, Network) else save_yardstick
        save(frozen, directory / "network.safetensors")  # type: ignore[arg-type]
        plot_curves(directory / "curves.png", history, title=config.name)
    return BisnnResult(
        network=frozen, history=tuple(history), validation_accuracy=accuracy, trained=network
    )


def _finish(
    network: SpikingStack,
    data: Inputs,
    held_out: Inputs | None,
    history: list[EpochRecord],
    metadata: dict[str, Any],
) -> tuple[Network | Yardstick, float | None]:
    """Freeze, with the inverse temperature that fits the validation samples."""
    from model.calibration import fit_inverse_temperature

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
        facts["validation_accuracy"] = _accuracy(scores, held_out)
        fitted = float(fit_inverse_temperature(scores.mean(0), held_out.labels.numpy()))
    make = freeze if network.exact else freeze_floats
    frozen = make(
        network,
        input_shape=data.shape,
        inverse_temperature=fitted,
        metadata={**facts, **metadata},
    )
    return frozen, facts["validation_accuracy"]


def _validates(epoch: int, epochs: int) -> bool:
    """Whether the validation accuracy is measured after this epoch."""
    return epoch == epochs - 1 or (epoch + 1) % -(-epochs // _VALIDATIONS) == 0


def _accuracy(scores: np.ndarray, data: Inputs) -> float:
    """Accuracy 0..1 of the summed scores (K, N, classes); the lowest class wins a tie."""
    return float((scores.sum(0).argmax(1) == data.labels.numpy()).mean())
