# SPDX-License-Identifier: Apache-2.0
"""Training data: checked, on the device, and handed out as batches with soft targets."""

import dataclasses

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.data import Samples
from model.events import Events
from model.train.augment import distort
from model.train.config import TrainConfig
from model.train.teacher import Pool

__all__ = ["TrainingData", "check_samples", "tensors"]


@dataclasses.dataclass(kw_only=True)
class TrainingData:
    """What batches are made of.

    Parameters
    ----------
    config
        Recipe.
    images
        uint8 (N, height, width) or (N, features).
    labels
        int64 (N,).
    classes
        Number of classes.
    pool
        The teacher's labelled copies, where there is a teacher.
    """

    config: TrainConfig
    images: Tensor
    labels: Tensor
    classes: int
    pool: Pool | None = None

    def batch(
        self, chosen: Tensor, distorted: bool, chance: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Images (n, ...) and target probabilities (n, classes) of the chosen samples."""
        config = self.config
        targets = functional.one_hot(self.labels[chosen], self.classes).float()
        targets = targets * (1 - config.label_smoothing) + config.label_smoothing / self.classes
        if self.pool is None:
            images = self.images[chosen]
            if distorted and config.augmentation.active:
                images = distort(images, config.augmentation, chance)
            return images, targets
        copies = config.distillation.copies
        copy = torch.randint(
            1, copies + 1, chosen.shape, generator=chance, device=chosen.device
        ) * int(distorted)
        told = self.pool.probabilities[copy, chosen].float()
        weight = config.distillation.weight
        return self.pool.images[copy, chosen], targets * (1 - weight) + told * weight


def check_samples(config: TrainConfig, samples: Samples, validation: Samples | None) -> None:
    """Refuse images and labels that do not fit each other or the recipe.

    Raises
    ------
    ValueError
        If something does not fit; the text names it.
    """
    for part in (samples, validation):
        if part is None:
            continue
        images, labels = part.images, part.labels
        if isinstance(images, Events) or isinstance(samples.images, Events):
            raise ValueError("Images must be uint8 for a recipe of the family bs4nn, not events")
        if images.dtype != np.uint8 or images.ndim not in (2, 3):
            raise ValueError(
                "Images must be uint8 of shape (N, features) or (N, height, width), "
                f"not {images.dtype} of shape {images.shape}"
            )
        if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"Labels must be {len(images)} integers, not {labels.dtype} of shape {labels.shape}"
            )
        if len(labels) and labels.min() < 0:
            raise ValueError(f"Labels must be >= 0, not {labels.min()}")
        if images.shape[1:] != samples.images.shape[1:]:
            raise ValueError(
                f"Validation images must be of shape {samples.images.shape[1:]} as the training "
                f"images, not {images.shape[1:]}"
            )
    if len(samples.images) < config.batch_size:
        raise ValueError(
            f"Images must number at least one batch of {config.batch_size}, "
            f"not {len(samples.images)}"
        )
    assert not isinstance(samples.images, Events)
    if samples.images.ndim != 3 and (config.augmentation.active or config.distillation.weight):
        raise ValueError("Images must have height and width for augmentation or distillation")


def tensors(samples: Samples, place: torch.device) -> tuple[Tensor, Tensor]:
    """Images uint8 and labels int64 on the device."""
    assert not isinstance(samples.images, Events)
    images = torch.from_numpy(np.ascontiguousarray(samples.images))
    return images.to(place), torch.from_numpy(samples.labels.astype(np.int64)).to(place)
