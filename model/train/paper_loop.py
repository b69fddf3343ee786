# SPDX-License-Identifier: Apache-2.0
"""The training loop of the recipe ``bs4nn-paper``."""

import dataclasses
import time
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from model.description import Network
from model.network_file import save_network
from model.train.bs4nn_paper import PaperConfig, PaperNetwork
from model.train.checkpoint import CheckpointError
from model.train.fields import RecipeError
from model.train.log import EpochRecord, plot_curves, write_csv
from model.train.recipe import RECIPES
from model.whole_file import whole_file

__all__ = ["PAPER_RECIPE", "PaperEpoch", "load_paper_recipe", "train_paper"]

#: Name of the recipe.
PAPER_RECIPE = "bs4nn-paper"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperEpoch:
    """Figures of one epoch; shares are 0..1.

    Parameters
    ----------
    record
        Row of the log; its validation accuracy is under our rule.
    training_paper_rule
        Share of the draws that the published rule credits, before each change.
    validation_paper_rule
        The same for the validation images; None without them.
    """

    record: EpochRecord
    training_paper_rule: float
    validation_paper_rule: float | None


def load_paper_recipe(**changes: Any) -> PaperConfig:
    """Read the recipe file of the published rule; keyword arguments replace its values.

    Raises
    ------
    RecipeError
        If a key is unknown or a value breaks its rule.
    """
    text = (RECIPES / "published" / f"{PAPER_RECIPE}.toml").read_text(encoding="utf-8")
    fields = {"name": PAPER_RECIPE, **tomllib.loads(text), **changes}
    try:
        return PaperConfig(**fields)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"Recipe {PAPER_RECIPE}: {error}") from None


def train_paper(
    *,
    config: PaperConfig,
    images: np.ndarray,
    labels: np.ndarray,
    directory: Path | None = None,
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
    on_epoch: Callable[[PaperEpoch], None] | None = None,
) -> tuple[Network, list[PaperEpoch]]:
    """Train by the published rule and freeze.

    Parameters
    ----------
    config
        Settings.
    images
        uint8 (N, height, width) or (N, features); the last ``config.validation`` are validated on.
    labels
        Integers (N,).
    directory
        Gets ``checkpoint.npz``, ``log.csv``, ``curves.png`` and ``network.safetensors``.
    resume
        Go on from the checkpoint in ``directory`` if there is one; the result is the same.
    metadata
        Facts to keep in the network.
    on_epoch
        Called after each epoch.

    Returns
    -------
    tuple
        The frozen network and one record an epoch run now.
    """
    pixels = np.asarray(images).reshape(len(images), -1)
    split = len(pixels) - config.validation
    if split < 1 or labels.shape != (len(pixels),):
        raise ValueError(
            f"Images must be more than the {config.validation} for validation, with a label "
            f"each, not {len(pixels)} with {labels.shape}"
        )
    network = PaperNetwork(config=config, features=pixels.shape[1], classes=int(labels.max()) + 1)
    history: list[EpochRecord] = []
    done: list[PaperEpoch] = []
    checkpoint = directory / "checkpoint.npz" if directory else None
    if checkpoint and resume and checkpoint.exists():
        history = _load(checkpoint, network)
    for epoch in range(len(history), config.epochs):
        start = time.perf_counter()
        draws = np.random.default_rng([config.seed, epoch]).integers(
            0, split, config.draws or split
        )
        seen = [network.see(pixels[i], int(labels[i]), learn=True) for i in draws]
        checked = [
            network.see(pixels[i], int(labels[i]), learn=False) for i in range(split, len(pixels))
        ]
        record = EpochRecord(
            epoch=epoch + 1,
            loss=sum(outcome.loss for outcome in seen) / len(seen),
            learning_rate=config.learning_rates[0],
            seconds=time.perf_counter() - start,
            epochs=config.epochs,
            validation_accuracy=_share([o.right for o in checked]),
        )
        history.append(record)
        done.append(
            PaperEpoch(
                record=record,
                training_paper_rule=_share([o.credited for o in seen]) or 0.0,
                validation_paper_rule=_share([o.credited for o in checked]),
            )
        )
        if directory and checkpoint:
            _save(checkpoint, network, history)
            write_csv(directory / "log.csv", history)
        if on_epoch:
            on_epoch(done[-1])
    accuracy = history[-1].validation_accuracy
    facts = {"recipe": config.to_dict(), "validation_accuracy": accuracy, **(metadata or {})}
    frozen = network.freeze(facts)
    frozen = dataclasses.replace(frozen, input_shape=tuple(images.shape[1:]))
    if directory:
        save_network(frozen, directory / "network.safetensors")
        plot_curves(directory / "curves.png", history, title=config.name)
    return frozen, done


def _share(flags: list[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None


def _save(path: Path, network: PaperNetwork, history: list[EpochRecord]) -> None:
    rows = [[np.nan if v is None else v for v in dataclasses.astuple(r)] for r in history]
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            config=np.array(repr(network.config)),
            hidden=network.hidden,
            output=network.output,
            alphas=network.alphas,
            history=np.array(rows),
        )


def _load(path: Path, network: PaperNetwork) -> list[EpochRecord]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            state = {key: archive[key] for key in archive.files}
        found = str(state["config"])
        if _without_epochs(found) != _without_epochs(repr(network.config)):
            raise CheckpointError(
                f"Checkpoint {path} must be of {network.config!r}, not of {found}; use another "
                "folder or the same settings"
            )
        network.hidden, network.output = state["hidden"], state["output"]
        network.alphas = state["alphas"]
        return [
            EpochRecord(
                epoch=int(row[0]),
                loss=float(row[1]),
                learning_rate=float(row[2]),
                seconds=float(row[3]),
                epochs=network.config.epochs,
                validation_accuracy=None if np.isnan(row[4]) else float(row[4]),
            )
            for row in state["history"]
        ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"Checkpoint {path} must be a whole file: {error}") from None


def _without_epochs(text: str) -> str:
    """Settings without the number of epochs: a run may be made longer."""
    head, _, tail = text.partition("epochs=")
    return head + tail.partition(",")[2]
