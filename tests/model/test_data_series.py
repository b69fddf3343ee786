# SPDX-License-Identifier: Apache-2.0
"""Series as data sets: pixels one by one, vowels, spoken digits, a user's own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model.data import open_dataset
from model.data.catalog import CATALOG
from model.data.pixel_series import image_order, pixel_order
from tests.model.test_data import described, idx, place

# As the code of NRU and of the LMU paper draws them (RandomState(50), second draw).
FIRST_PIXELS = [
    *(46, 466, 537, 44, 515, 589, 362, 765, 270, 539, 264, 125, 471, 437, 369, 364),
    *(701, 689, 375, 769, 383, 385, 225, 665, 106, 103, 58, 256, 504, 381, 158, 533),
]


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("POPSPIKE_DATA", raising=False)


def test_orders_are_those_of_nru() -> None:
    assert pixel_order(784)[: len(FIRST_PIXELS)].tolist() == FIRST_PIXELS
    assert pixel_order(784)[-4:].tolist() == [324, 649, 472, 74]
    assert image_order()[:8].tolist() == [6820, 11854, 9635, 45077, 18764, 22779, 11348, 49404]
    assert sorted(pixel_order(784)) == list(range(784))
    assert sorted(image_order()) == list(range(60_000))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """MNIST with images of 2x3 pixels."""
    rng = np.random.default_rng(1)
    arrays = {
        "train-images": rng.integers(0, 256, (60_000, 2, 3), dtype=np.uint8),
        "train-labels": rng.integers(0, 10, 60_000, dtype=np.uint8),
        "test-images": rng.integers(0, 256, (7, 2, 3), dtype=np.uint8),
        "test-labels": rng.integers(0, 10, 7, dtype=np.uint8),
    }
    files, contents = {}, {}
    for role, array in arrays.items():
        files[role], contents[role] = described(f"{role}.gz", idx(array))
    entry = dataclasses.replace(CATALOG["mnist"], files=files, mirrors=())
    monkeypatch.setitem(CATALOG, "mnist", entry)
    place(entry, contents, tmp_path / "data" / "mnist")
    monkeypatch.setenv("POPSPIKE_DATA", str(tmp_path / "data"))
    return arrays


@pytest.mark.parametrize("name", ["smnist", "psmnist"])
def test_pixel_series(small, name: str) -> None:
    pixels = pixel_order(6) if name == "psmnist" else np.arange(6)
    parts = {part: open_dataset(name).part(part) for part in ("train", "validation", "test")}
    assert [len(part) for part in parts.values()] == [50_000, 10_000, 7]
    for part, file, order in (
        ("train", "train", image_order()[:50_000]),
        ("validation", "train", image_order()[50_000:]),
        ("test", "test", np.arange(7)),
    ):
        images = small[f"{file}-images"][order].reshape(-1, 6)[:, pixels]
        assert np.array_equal(parts[part].images, images[:, :, None])
        assert np.array_equal(parts[part].labels, small[f"{file}-labels"][order])
    assert len(open_dataset(name).part("all")) == 60_007


def test_shipped_pixel_series() -> None:
    images = open_dataset("mnist-samples").part().images.reshape(300, 784)
    rows, permuted = (open_dataset(f"{name}-samples").part() for name in ("smnist", "psmnist"))
    assert np.array_equal(rows.images[:, :, 0], images)
    assert np.array_equal(permuted.images[:, :, 0], images[:, pixel_order(784)])
    assert permuted.images.shape == (300, 784, 1)
    assert np.bincount(permuted.labels).tolist() == [30] * 10
