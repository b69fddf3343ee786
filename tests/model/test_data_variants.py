# SPDX-License-Identifier: Apache-2.0
"""Data sets with a number behind their name, and the points of two moons."""

import math

import numpy as np
import pytest

from model.data import DataError, open_dataset
from model.data.moons import population_code


def test_moons() -> None:
    dataset = open_dataset("moons")
    assert [len(dataset.part(p)) for p in ("train", "validation", "test")] == [200, 200, 1000]
    test = dataset.part()
    assert test.images.shape == (1000, 20)
    assert test.images.dtype == np.uint8
    assert np.bincount(test.labels).tolist() == [500, 500]
    points = test.coordinates
    assert points is not None
    assert points.shape == (1000, 2)
    assert (points >= 0).all()
    assert (points <= 1).all()
    assert (test.images == population_code(points)).all()
    assert test.head(3).coordinates.tolist() == points[:3].tolist()
    # Back in the plane of the half circles: noise of 0.1 around radius 1.
    plane = points * (3.6, 2.1) - (1.3, 0.8)
    centre = np.where(test.labels[:, None] == 0, (0, 0), (1, 0.5))
    radius = np.hypot(*(plane - centre).T)
    assert abs(radius.mean() - 1) < 0.02
    assert 0.09 < radius.std() < 0.11


def test_moons_come_from_their_seed() -> None:
    first = open_dataset("moons").part("train")
    assert (first.images == open_dataset("moons:0").part("train").images).all()
    assert (first.images != open_dataset("moons:1").part("train").images).any()
    # Frozen: figures of documents rest on these points.
    assert first.coordinates[0].tolist() == pytest.approx([0.5812103762537112, 0.6203088442459151])
    assert first.labels[:8].tolist() == [0, 1, 1, 0, 1, 1, 0, 1]


def test_population_code() -> None:
    codes = population_code(np.array([[0, 1], [0.5, 1 / 3]])).reshape(2, 2, 10)
    assert codes[0].tolist() == [[255] + [0] * 9, [0] * 9 + [255]]
    assert codes[1, 0].tolist() == [0] * 4 + [128, 128] + [0] * 4
    assert codes[1, 1].tolist() == [0] * 3 + [255] + [0] * 6
    value = 0.5 + 0.5 * math.cos(math.pi * 9 * 0.04)
    assert population_code(np.array([[0.04, 0]]))[0, 0] == round(255 * value)


def test_digits_by_seed() -> None:
    dataset = open_dataset("digits:4")
    parts = [dataset.part(part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [1000, 297, 500]
    everything = open_dataset("digits").part("all").images.reshape(-1, 64)
    together = np.concatenate([part.images for part in parts]).reshape(-1, 64)
    assert sorted(map(tuple, together)) == sorted(map(tuple, everything))
    other = open_dataset("digits:5").part("test")
    assert (other.images != parts[2].images).any()
    assert parts[2].origin == "digits:4, test"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mnist:3", "Data set with a colon must be one of digits:..., n-mnist-1k:..., moons:..., "
         "fsdd:..., not mnist:3"),
        ("moons:x", "Number behind moons (seed of the points) must lie in 0..4294967295, not 'x'"),
        ("digits:-1", "Number behind digits (seed of a split into 1000, 297 and 500) must lie in "
         "0..4294967295, not '-1'"),
        ("n-mnist-1k:11", "Number behind n-mnist-1k (fold 0..10 of the 1,100 that is for tests) "
         "must lie in 0..10, not '11'"),
        ("moons:", "Number behind moons (seed of the points) must lie in 0..4294967295, not ''"),
    ],
)  # fmt: skip
def test_refuses(name: str, text: str) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(name)
    assert str(caught.value) == text
