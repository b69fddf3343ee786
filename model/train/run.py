# SPDX-License-Identifier: Apache-2.0
"""What every training run does around its epochs: resume, measure, log, keep, save."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from model.description import Network
from model.network_file import save_network
from model.train.checkpoint import load_checkpoint, save_checkpoint
from model.train.log import EpochRecord, plot_curves, write_csv
from model.yardstick import Yardstick, save_yardstick

__all__ = ["Recipe", "Stateful", "TrainResult", "TrainingRun", "save_frozen"]

FrozenT = TypeVar("FrozenT", bound=Network | Yardstick)
TrainedT = TypeVar("TrainedT")


class Recipe(Protocol):
    """What a run must know of its recipe."""

    @property
    def name(self) -> str:
        """Title of the curves."""

    @property
    def epochs(self) -> int:
        """Passes over the training samples."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a checkpoint of others is refused."""


class Stateful(Protocol):
    """A part of a run that a checkpoint keeps: a module, an optimizer, or the like."""

    def state_dict(self) -> Any:
        """State: tensors and plain values."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Take over such a state."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainResult(Generic[FrozenT, TrainedT]):
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

    network: FrozenT
    history: tuple[EpochRecord, ...]
    validation_accuracy: float | None
    trained: TrainedT


class TrainingRun:
    """The epochs of a run, from its checkpoint if there is one, to its files.

    Parameters
    ----------
    config
        The recipe.
    parts
        What a checkpoint keeps, by name. They are put where the checkpoint left them.
    directory
        Gets ``checkpoint.pt`` and ``log.csv`` after each epoch, and ``network.safetensors`` and
        ``curves.png`` at the end; nothing is written without it.
    resume
        Go on from the checkpoint in ``directory`` if there is one.
    device
        Where the tensors of a checkpoint go.
    on_epoch
        Called with the record of each finished epoch.

    Attributes
    ----------
    history
        One record a finished epoch; empty in a run that begins.

    Raises
    ------
    CheckpointError
        If the checkpoint is damaged or of another run.
    """

    def __init__(
        self,
        *,
        config: Recipe,
        parts: Mapping[str, Stateful],
        directory: Path | None,
        resume: bool = False,
        device: torch.device | str = "cpu",
        on_epoch: Callable[[EpochRecord], None] | None = None,
    ) -> None:
        self._config, self._parts = config, dict(parts)
        self._directory, self._on_epoch = directory, on_epoch
        self.history: list[EpochRecord] = []
        if resume and directory is not None and (directory / "checkpoint.pt").exists():
            state = load_checkpoint(
                directory / "checkpoint.pt", config=config.to_dict(), device=torch.device(device)
            )
            for name, part in self._parts.items():
                part.load_state_dict(state[name])
            self.history = [EpochRecord(**record) for record in state["history"]]

    def train(
        self,
        one_epoch: Callable[[int], tuple[float, float]],
        validate: Callable[[], float] | None = None,
        *,
        validations: int,
    ) -> None:
        """Run the epochs that are left.

        Parameters
        ----------
        one_epoch
            Trains; gets the number of epochs finished before, returns mean loss and the learning
            rate at the end.
        validate
            Measures the accuracy 0..1 of what would be frozen; None where it is not measured.
        validations
            It is measured at equal distances, at most so many times, and after the last epoch.
        """
        epochs = self._config.epochs
        for epoch in range(len(self.history), epochs):
            start = time.perf_counter()
            loss, rate = one_epoch(epoch)
            due = epoch == epochs - 1 or (epoch + 1) % -(-epochs // validations) == 0
            measured = validate() if validate is not None and due else None
            record = EpochRecord(
                epoch=epoch + 1,
                loss=loss,
                learning_rate=rate,
                seconds=time.perf_counter() - start,
                epochs=epochs,
                validation_accuracy=measured,
            )
            self.history.append(record)
            self._keep()
            if self._on_epoch is not None:
                self._on_epoch(record)

    def finish(
        self, frozen: FrozenT, trained: TrainedT, validation_accuracy: float | None
    ) -> TrainResult[FrozenT, TrainedT]:
        """Write network and curves, and return what the run leaves.

        Parameters
        ----------
        frozen, trained, validation_accuracy
            See `TrainResult`.
        """
        if self._directory is not None:
            save_frozen(frozen, self._directory / "network.safetensors")
            plot_curves(self._directory / "curves.png", self.history, title=self._config.name)
        return TrainResult(
            network=frozen,
            history=tuple(self.history),
            validation_accuracy=validation_accuracy,
            trained=trained,
        )

    def _keep(self) -> None:
        """Write checkpoint and log after an epoch."""
        if self._directory is None:
            return
        state = {
            "config": self._config.to_dict(),
            **{name: part.state_dict() for name, part in self._parts.items()},
            "history": [dataclasses.asdict(record) for record in self.history],
        }
        save_checkpoint(self._directory / "checkpoint.pt", state)
        write_csv(self._directory / "log.csv", self.history)


def save_frozen(frozen: Network | Yardstick, path: Path) -> None:
    """Write what a run has frozen: a network file, or a yardstick of full precision."""
    if isinstance(frozen, Network):
        save_network(frozen, path)
    else:
        save_yardstick(frozen, path)
