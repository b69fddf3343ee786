# SPDX-License-Identifier: Apache-2.0
"""The training loop of the recipe family ``lmu-parallel``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.calibration import fit_inverse_temperature
from model.data import Samples
from model.description import LegendreMemory, Network, SeriesEncoding
from model.legendre_step import emissions
from model.lmu_yardstick import LmuYardstick
from model.train.lmu.config import LmuConfig, LmuRule
from model.train.lmu.copies import altered
from model.train.lmu.ensemble import teach
from model.train.lmu.epoch import SentSamples, make_optimizer, scores_of, train_epoch
from model.train.lmu.floats import FloatNetwork, float_epoch, float_scores
from model.train.lmu.freeze import freeze
from model.train.lmu.memory import (
    emission_shifts,
    float_memory,
    input_peak,
    memory_of,
    memory_states,
    order_of,
    series,
)
from model.train.lmu.network import ParallelNetwork
from model.train.log import EpochRecord
from model.train.run import TrainingRun, TrainResult

__all__ = ["LmuResult", "train_parallel"]

LmuResult = TrainResult[Network | LmuYardstick, ParallelNetwork | FloatNetwork]

_VALIDATIONS = 10  # at most so many times in a run


@dataclasses.dataclass(kw_only=True)
class _Series:
    """Checked samples of a run: training and its copies first, then validation, if there is any."""

    encoding: SeriesEncoding
    values: np.ndarray  # int16 (N, T, channels)
    labels: Tensor
    training: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, config: LmuConfig, samples: Samples, validation: Samples | None) -> "_Series":
        parts = [samples] if validation is None else [samples, validation]
        arrays = []
        for part in parts:
            if len(part.labels) != len(part.images) or not len(part.labels):
                raise ValueError(
                    f"Labels must be one for each of at least one sample, not {len(part.labels)} "
                    f"for {len(part.images)}"
                )
            if part.labels.min() < 0:
                raise ValueError(f"Labels must be >= 0, not {part.labels.min()}")
            arrays.append(part.series())
        steps = max(array.shape[1] for array in arrays)
        encoding = SeriesEncoding(steps=steps, channels=arrays[0].shape[2], zero=samples.zero)
        values = [series(array, encoding) for array in arrays]
        labels = [part.labels for part in parts]
        chance = np.random.default_rng(config.seed)
        bounds = (-encoding.zero, 255 - encoding.zero)
        for _ in range(config.copies.count):
            values.insert(1, altered(values[0], config.copies, bounds, chance))
            labels.insert(1, labels[0])
        return cls(
            encoding=encoding,
            values=np.concatenate(values),
            labels=torch.from_numpy(np.concatenate(labels).astype(np.int64)),
            training=len(samples.labels) * (1 + config.copies.count),
            shape=(steps, encoding.channels),
        )

    @property
    def classes(self) -> int:
        return int(self.labels[: self.training].max()) + 1


def train_parallel(
    *,
    config: LmuConfig,
    samples: Samples,
    validation: Samples | None = None,
    directory: Path | None = None,
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> LmuResult:
    """Train a network of the parallel form, or its float yardstick, and freeze it.

    The memory, which is fixed, is run once for every sample. All chance is drawn from generators
    seeded by the recipe's seed and the epoch, so a run that was killed and resumed gives, on the
    same machine, the same network as one that was not.

    Parameters
    ----------
    config
        The recipe.
    samples
        Training series, uint8 (N, T, channels) or (N, T), with labels from 0 to classes - 1.
    validation
        Series that decide the inverse temperature, and are measured.
    directory
        Gets the states of the memory, ``teacher.pt`` where there are teachers, ``checkpoint.pt``
        (after each epoch), ``log.csv``, ``curves.png`` and ``network.safetensors``; nothing is
        written without it.
    resume
        Go on from the checkpoint in ``directory`` if there is one.
    metadata
        Facts to keep in the network beside those of the recipe.
    on_epoch
        Called with the record of each finished epoch.
    on_message
        Called with a line of text where other work takes long.

    Raises
    ------
    ValueError
        If samples and labels do not fit each other or the recipe.
    CheckpointError
        If the checkpoint is damaged or of another run.
    """
    data = _Series.of(config, samples, validation)
    form: _Binary | _Floats
    if config.rule is LmuRule.FLOAT:
        form = _Floats(config, data)
    else:
        form = _Binary(config, data, directory, on_message)
    run = TrainingRun(
        config=config,
        parts={"network": form.network, "optimizer": form.optimizer},
        directory=directory,
        resume=resume,
        on_epoch=on_epoch,
    )
    if len(run.history) < config.epochs:
        form.begin()
    held_out = data.labels[data.training :].numpy()

    def accuracy() -> float:
        return float((form.validation_scores().argmax(1).numpy() == held_out).mean())

    run.train(form.epoch, accuracy if len(held_out) else None, validations=_VALIDATIONS)
    facts: dict[str, Any] = {
        "recipe": config.to_dict(),
        "minutes": round(sum(record.seconds for record in run.history) / 60, 1),
        "training_scale": form.inverse_temperature,
        "validation_accuracy": None,
    }
    fitted = None
    if len(held_out):
        facts["validation_accuracy"] = accuracy()
        fitted = float(fit_inverse_temperature(form.validation_scores().numpy(), held_out))
    frozen = form.frozen(fitted, {**facts, **(metadata or {})})
    return run.finish(frozen, form.network, facts["validation_accuracy"])


class _Binary:
    """Binary layers behind the integer memory."""

    def __init__(
        self,
        config: LmuConfig,
        data: _Series,
        directory: Path | None,
        on_message: Callable[[str], None] | None,
    ) -> None:
        self._config, self._data = config, data
        self._directory, self._on_message = directory, on_message
        memory = memory_of(config, data.encoding)
        states = memory_states(memory, data.values, directory=directory, on_message=on_message)
        self._states = states[: data.training]
        shifts = emission_shifts(memory, self._states, config.memory.spread)
        self.memory: LegendreMemory = dataclasses.replace(memory, emission_shifts=shifts)
        sent = emissions(self.memory, torch.from_numpy(states.astype(np.int32)))
        self._training = SentSamples(
            sent=sent[: data.training], labels=data.labels[: data.training]
        )
        self._held_out = sent[data.training :]
        self.network = ParallelNetwork(
            config=config, states=self.memory.states, classes=data.classes
        )
        self.optimizer = make_optimizer(self.network)

    def begin(self) -> None:
        """What is needed before an epoch."""
        if self._config.ensemble.weight:
            self._training.told = teach(
                self._config,
                torch.from_numpy(self._states.astype(np.float32)),
                self._training.labels,
                directory=self._directory,
                on_message=self._on_message,
            )

    def epoch(self, epoch: int) -> tuple[float, float]:
        return train_epoch(self.network, self.optimizer, self._training, epoch)

    def validation_scores(self) -> Tensor:
        return scores_of(self.network, self._held_out)

    @property
    def inverse_temperature(self) -> float:
        return float(self.network.inverse_temperature.detach())

    def frozen(self, inverse_temperature: float | None, metadata: dict[str, Any]) -> Network:
        return freeze(
            self.network,
            encoding=self._data.encoding,
            memory=self.memory,
            input_shape=self._data.shape,
            inverse_temperature=inverse_temperature,
            metadata=metadata,
        )


class _Floats:
    """Float layers behind the float memory."""

    inverse_temperature = 1.0

    def __init__(self, config: LmuConfig, data: _Series) -> None:
        self._config, self._data = config, data
        self._order = order_of(config, data.encoding)
        self._window = config.memory.window or data.encoding.steps
        self._peak = input_peak(config, data.encoding)
        states = float_memory(self._order, self._window, data.values, self._peak)
        self._training, self._held_out = states[: data.training], states[data.training :]
        self.network = FloatNetwork(
            sizes=(states.shape[1], *config.hidden, data.classes),
            dropout=config.dropout,
            input_dropout=config.input_dropout,
            states=self._training,
            seed=config.seed,
        )
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), weight_decay=config.weight_decay
        )

    def begin(self) -> None:
        """Nothing is needed before an epoch."""

    def epoch(self, epoch: int) -> tuple[float, float]:
        labels = self._data.labels[: self._data.training]
        return float_epoch(
            self.network, self.optimizer, self._config, self._training, labels, epoch
        )

    def validation_scores(self) -> Tensor:
        return float_scores(self.network, self._held_out)

    def frozen(self, inverse_temperature: float | None, metadata: dict[str, Any]) -> LmuYardstick:
        weights, thresholds = self.network.folded()
        # 11 significant bits are enough for a yardstick, and its file is half as large.
        weights = tuple(each.astype(np.float16).astype(np.float32) for each in weights)
        return LmuYardstick(
            encoding=self._data.encoding,
            order=self._order,
            window=self._window,
            zero_order_hold=True,
            input_peak=self._peak,
            weights=weights,
            thresholds=thresholds,
            input_shape=self._data.shape,
            inverse_temperature=inverse_temperature or 1.0,
            metadata=metadata,
        )
