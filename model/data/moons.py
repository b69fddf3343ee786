# SPDX-License-Identifier: Apache-2.0
"""Two moons: points of two interleaving half circles, made from a seed, in a population code.

The numbers of ``numpy.random.RandomState`` are frozen by numpy: a seed means the same points with
every version of it.
"""

import numpy as np

from model.data.samples import Source

__all__ = ["TEST_POINTS", "TRAIN_POINTS", "UNITS", "VALIDATION_POINTS", "moons", "population_code"]

#: Units that code one coordinate.
UNITS = 10
TRAIN_POINTS = 200
VALIDATION_POINTS = 200
TEST_POINTS = 1000

_NOISE = 0.1
# The half circles, three standard deviations of noise wider, are what [0, 1] x [0, 1] shows.
_LOW = np.array([-1.0, -0.5]) - 3 * _NOISE
_HIGH = np.array([2.0, 1.0]) + 3 * _NOISE


def moons(seed: int) -> Source:
    """Return the points of a seed: 200 for training, 200 for validation, 1,000 for tests.

    Class 0 is the upper half circle, class 1 the lower. Coordinates have normal noise of 0.1 and
    are then scaled to [0, 1].
    """
    draw = np.random.RandomState(seed)
    points, labels, numbers = [], [], []
    for number, count in enumerate((TRAIN_POINTS, VALIDATION_POINTS, TEST_POINTS)):
        clean, label = _half_circles(count)
        order = draw.permutation(count)
        noisy = clean[order] + _NOISE * draw.standard_normal((count, 2))
        points.append(((noisy - _LOW) / (_HIGH - _LOW)).clip(0, 1))
        labels.append(label[order])
        numbers.append(np.full(count, number))
    coordinates = np.concatenate(points)
    images = population_code(coordinates)
    return Source(
        labels=np.concatenate(labels),
        numbers=np.concatenate(numbers),
        take=lambda index: images[index],
        coordinates=coordinates,
    )


def _half_circles(count: int) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(0, np.pi, count // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    return np.concatenate([upper, lower]), np.repeat(np.arange(2), count // 2)


def population_code(points: np.ndarray) -> np.ndarray:
    """Intensities of 10 units a coordinate: uint8 (N, 20), the first coordinate's units first.

    Unit k has its centre at k/9 and answers ``0.5 + 0.5 cos(pi 9 (x - k/9))`` up to the centres of
    its neighbours, 0 beyond (raised cosine); 255 stands for 1.

    Parameters
    ----------
    points
        Numbers (N, 2) in 0..1.
    """
    distance = np.asarray(points, dtype=np.float64)[:, :, None] * (UNITS - 1) - np.arange(UNITS)
    answers = 0.5 + 0.5 * np.cos(np.pi * distance.clip(-1, 1))
    return np.rint(255 * answers).astype(np.uint8).reshape(len(answers), -1)
