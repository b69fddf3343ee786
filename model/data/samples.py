# SPDX-License-Identifier: Apache-2.0
"""Samples with labels, and where they come from before they are divided into parts."""

import dataclasses
from collections.abc import Callable

import numpy as np

from model.data.errors import DataError
from model.events import Events

__all__ = ["SILENCE", "Samples", "Source", "with_validation"]

#: Byte that stands for 0 in series of signed values.
SILENCE = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """Images or events, with labels.

    Parameters
    ----------
    images
        uint8 (N, height, width) or (N, features); a series is (N, steps, channels), a row a step;
        or the `Events` of N samples.
    labels
        int64 (N,).
    origin
        Where they come from, in words.
    coordinates
        float64 (N, 2): points of a plane that the images were coded from, for figures; None for
        data sets that are no points.
    zero
        Of a series: the byte that stands for 0, and that shorter series are filled up with.
    """

    images: np.ndarray | Events
    labels: np.ndarray
    origin: str
    coordinates: np.ndarray | None = None
    zero: int = 0

    def __len__(self) -> int:
        return int(self.labels.size)

    def pixels(self) -> np.ndarray:
        """Return the images of a data set of images.

        Raises
        ------
        DataError
            If the samples are events.
        """
        if isinstance(self.images, Events):
            raise DataError(f"Samples must be images here, not the events of {self.origin}")
        return self.images

    def series(self) -> np.ndarray:
        """Return the series of a data set of series: uint8 (N, steps, channels).

        Raises
        ------
        DataError
            If the samples are events, or have no axis of channels.
        """
        images = self.pixels()
        if images.ndim != 3:
            raise DataError(
                f"Series must have shape (N, steps, channels), not {images.shape} as those of "
                f"{self.origin}; with one channel that is x[:, :, None]"
            )
        return images

    def head(self, count: int) -> "Samples":
        """Return the first samples, at most ``count``."""
        points = None if self.coordinates is None else self.coordinates[:count]
        return dataclasses.replace(
            self, images=self.images[:count], labels=self.labels[:count], coordinates=points
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """All samples of a data set: what is needed to divide them, and a way to get some.

    Parameters
    ----------
    labels
        int64 (N,).
    numbers
        int64 (N,), 0, 1, 2 for train, validation, test; None where the data set names no parts.
    take
        Returns the images of the samples with the given indices.
    coordinates, zero
        As in `Samples`.
    """

    labels: np.ndarray
    numbers: np.ndarray | None
    take: Callable[[np.ndarray], np.ndarray | Events]
    coordinates: np.ndarray | None = None
    zero: int = 0


def with_validation(numbers: np.ndarray) -> np.ndarray:
    """Move every fifth training sample to validation, where a set names no validation part.

    Parameters
    ----------
    numbers
        int64 (N,), 0 for training and 2 for tests; a copy is returned.
    """
    numbers = numbers.copy()
    train = np.flatnonzero(numbers == 0)
    numbers[train[4::5]] = 1
    return numbers
