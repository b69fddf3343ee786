# SPDX-License-Identifier: Apache-2.0
"""The batches of one epoch, in an order that the recipe's seed and the epoch decide alone."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Batched", "EpochOrder"]


class Batched(Protocol):
    """What must be known of a recipe."""

    @property
    def seed(self) -> int:
        """Seed of everything random."""

    @property
    def epochs(self) -> int:
        """Passes over the samples."""

    @property
    def batch_size(self) -> int:
        """Samples of a batch."""

    @property
    def plain_tail(self) -> float:
        """Share of the epochs, at the end, that see undistorted samples."""


class EpochOrder:
    """Iterates over the batches of an epoch: the step, 0..total - 1, and the samples of a batch.

    An incomplete last batch is left out, but fewer samples than a batch are one. A run that is
    resumed at an epoch sees what one that was not would have seen.

    Parameters
    ----------
    config
        Recipe.
    count
        Training samples.
    epoch
        Epochs finished before, from 0.

    Attributes
    ----------
    chance
        Generator on the CPU of everything else that is random in this epoch.
    batches
        Batches of an epoch.
    total
        Steps of the whole run, one a batch.
    distorted
        Whether samples are distorted in this epoch: not in the plain tail.
    """

    def __init__(self, config: Batched, count: int, epoch: int) -> None:
        self.chance = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        self.batches = max(1, count // config.batch_size)
        self.total = config.epochs * self.batches
        self.distorted = epoch < int(config.epochs * (1 - config.plain_tail))
        self._first = epoch * self.batches
        self._chosen = torch.randperm(count, generator=self.chance).split(config.batch_size)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        for batch in range(self.batches):
            yield self._first + batch, self._chosen[batch]
