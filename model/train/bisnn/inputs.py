# SPDX-License-Identifier: Apache-2.0
"""Training samples of stepwise networks: checked, distorted, encoded as input spikes."""

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.data import Samples
from model.encoding import Encoding, EventEncoding, LatencyEncoding, RateEncoding
from model.events import Events, rasterise, rasterise_moved
from model.train.augment import distort
from model.train.bisnn.config import BisnnConfig

__all__ = ["Inputs", "encode_images", "rasterise_distorted"]


def encode_images(images: Tensor, encoding: LatencyEncoding | RateEncoding) -> Tensor:
    """Input spikes of images, as the golden model encodes them.

    Parameters
    ----------
    images
        (N, features), values 0..255.
    encoding
        Latency or rate.

    Returns
    -------
    torch.Tensor
        bool (T', N, features); a latency code's tail steps are left out.
    """
    if isinstance(encoding, LatencyEncoding):
        values = images.to(torch.float32)
        levels = torch.tensor(encoding.levels, dtype=torch.float32)
        reached = values >= levels.view(-1, 1, 1)
        reached[1:] &= ~reached[:-1].clone()
        return reached
    values = images.round().to(torch.int32) if images.is_floating_point() else images.int()
    start = torch.from_numpy(encoding.start_values(images.shape[1])).int()
    steps = torch.arange(encoding.steps + 1, dtype=torch.int32).view(-1, 1, 1)
    carries = (start + values * steps) >> 8  # overflows so far, (T + 1, N, features)
    return carries[1:] > carries[:-1]


def rasterise_distorted(
    encoding: EventEncoding,
    events: Events,
    matrices: np.ndarray,
) -> np.ndarray:
    """Rasterise events whose places on the sensor are moved by a map of their sample.

    Parameters
    ----------
    encoding
        Bins, crop, down-sampling.
    events
        N samples.
    matrices
        float (N, 2, 3): offsets (x, y, 1) from the middle of the crop to new offsets.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, features).
    """
    counts = np.diff(events.offsets)
    middle_x = np.float32(encoding.left + (encoding.crop_width - 1) / 2)
    middle_y = np.float32(encoding.top + (encoding.crop_height - 1) / 2)
    away_x, away_y = events.x.astype(np.float32), events.y.astype(np.float32)
    away_x -= middle_x
    away_y -= middle_y
    entry = np.repeat(matrices.reshape(-1, 6).T.astype(np.float32), counts, axis=1)
    x = entry[0] * away_x + entry[1] * away_y + entry[2] + middle_x
    y = entry[3] * away_x + entry[4] * away_y + entry[5] + middle_y
    column = np.rint(x).astype(np.int32) - encoding.left
    row = np.rint(y).astype(np.int32) - encoding.top
    return rasterise_moved(encoding, events, column, row)


@dataclasses.dataclass(kw_only=True)
class Inputs:
    """Samples with labels, handed out as batches of spikes and soft targets.

    Parameters
    ----------
    config
        Recipe.
    images
        uint8 (N, height, width) or (N, features); or rasterised events, uint8 (N, T, features).
    labels
        int64 (N,).
    classes
        Number of classes.
    events
        The events, where the encoding is one of events.
    """

    config: BisnnConfig
    images: Tensor
    labels: Tensor
    classes: int
    events: Events | None = None

    @classmethod
    def of(cls, config: BisnnConfig, samples: Samples, classes: int) -> "Inputs":
        """Check samples against a recipe.

        Raises
        ------
        ValueError
            If something does not fit; the text names it.
        """
        images, labels = samples.images, np.asarray(samples.labels)
        if not len(labels) or len(images) != len(labels):
            raise ValueError(
                f"Labels must be one for each of at least one sample, not {len(labels)} "
                f"for {len(images)}"
            )
        if labels.min() < 0:
            raise ValueError(f"Labels must be >= 0, not {labels.min()}")
        told = torch.from_numpy(labels.astype(np.int64))
        encoding = config.encoding
        if isinstance(encoding, EventEncoding):
            if not isinstance(images, Events):
                raise ValueError("Samples must be events for an encoding of events")
            raster = torch.from_numpy(rasterise(encoding, images))
            return cls(config=config, images=raster, labels=told, classes=classes, events=images)
        if isinstance(images, Events) or images.dtype != np.uint8 or images.ndim not in (2, 3):
            raise ValueError(
                "Images must be uint8 of shape (N, features) or (N, height, width) "
                "for this encoding"
            )
        if images.ndim != 3 and config.augmentation.active:
            raise ValueError("Images must have height and width for augmentation")
        pixels = torch.from_numpy(np.ascontiguousarray(images))
        return cls(config=config, images=pixels, labels=told, classes=classes)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def encoding(self) -> Encoding:
        """Encoding of the recipe."""
        return self.config.encoding

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, as a network records it."""
        if isinstance(self.encoding, EventEncoding):
            return self.encoding.shape
        return tuple(self.images.shape[1:])

    @property
    def features(self) -> int:
        """Inputs of the first layer."""
        return math.prod(self.shape)

    def spikes(self, chosen: Tensor | slice) -> Tensor:
        """Input spikes bool (T', n, features) of undistorted samples."""
        if isinstance(self.encoding, LatencyEncoding | RateEncoding):
            return encode_images(self.images[chosen].flatten(1), self.encoding)
        return self.images[chosen].transpose(0, 1).bool()

    def batch(
        self, chosen: Tensor, distorted: bool, chance: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Input spikes (T', n, features) and target probabilities (n, classes)."""
        smoothing = self.config.label_smoothing
        targets = functional.one_hot(self.labels[chosen], self.classes).float()
        targets = targets * (1 - smoothing) + smoothing / self.classes
        settings = self.config.augmentation
        if not (distorted and settings.active):
            return self._thinned(self.spikes(chosen), distorted, chance), targets
        if self.events is not None:
            assert isinstance(self.encoding, EventEncoding)
            maps = _random_maps(self.config, len(chosen), chance)
            some = self.events[chosen.numpy()]
            raster = torch.from_numpy(rasterise_distorted(self.encoding, some, maps))
            spikes = raster.transpose(0, 1).bool()
        else:
            assert isinstance(self.encoding, LatencyEncoding | RateEncoding)
            images = distort(self.images[chosen], settings, chance)
            spikes = encode_images(images.flatten(1), self.encoding)
        return self._thinned(spikes, distorted, chance), targets

    def _thinned(self, spikes: Tensor, distorted: bool, chance: torch.Generator) -> Tensor:
        """Leave out a share of the spikes, each on its own."""
        share = self.config.input_drop
        if not (distorted and share):
            return spikes
        return spikes & (torch.rand(spikes.shape, generator=chance) >= share)


def _random_maps(config: BisnnConfig, count: int, chance: torch.Generator) -> np.ndarray:
    """Rotation, scale, shear and shift of each sample: (count, 2, 3)."""
    settings = config.augmentation
    numbers = torch.rand(6, count, generator=chance, dtype=torch.float64).numpy() * 2 - 1
    angle = numbers[0] * math.radians(settings.rotation)
    wide, high = 1 + numbers[1] * settings.scale, 1 + numbers[2] * settings.scale
    shear = numbers[3] * settings.scale
    shift = numbers[4:] * settings.shift
    cosine, sine = np.cos(angle), np.sin(angle)
    first = np.stack([cosine * wide, shear - sine * high, shift[0]], 1)
    second = np.stack([sine * wide, cosine * high, shift[1]], 1)
    return np.stack([first, second], 1)
