# SPDX-License-Identifier: Apache-2.0
"""Series as data sets: pixels one by one, vowels, a user's own."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from model.data import DataError, open_dataset
from model.data.catalog import CATALOG, File
from model.data.files import cache_folder, read_role
from model.data.pixel_series import image_order, pixel_order
from model.data.vowels import MEANS, STEPS, measured_scaling, parse_ts, vowel_parts
from tests.model.test_data import described, idx, mirror, place

__all__ = ["mirror"]  # a fixture

# As the code of NRU and of the LMU paper draws them (RandomState(50), second draw).
FIRST_PIXELS = [
    *(46, 466, 537, 44, 515, 589, 362, 765, 270, 539, 264, 125, 471, 437, 369, 364),
    *(701, 689, 375, 769, 383, 385, 225, 665, 106, 103, 58, 256, 504, 381, 158, 533),
]

# Utterances of the first two speakers that validate.
FROZEN_VOWELS = [2, 10, 13, 24, 26, 28, 35, 36, 38, 43, 46, 50]


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


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, **files: File) -> None:
    """Have a set in the catalogue consist of small files that lie in the data folder."""
    monkeypatch.setitem(CATALOG, name, dataclasses.replace(CATALOG[name], files=files))
    monkeypatch.setenv("POPSPIKE_DATA", str(tmp_path))


def vowel_line(steps: int, speaker: int, first: float = 0.0) -> str:
    """All channels as their mean, but the first value of each is away from it by some units."""
    values = np.tile(np.array(MEANS), (steps, 1))
    values[0] += np.rint(first * np.array(STEPS)).astype(int)
    channels = [",".join(f"{v / 1e6:.6f}" for v in channel) for channel in values.T]
    return ":".join([*channels, str(speaker)])


def test_vowels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "# words\n@dimensions 12\n@data\n"
    train = [vowel_line(7 + n % 23, 1 + n // 30) for n in range(270)]
    test = [vowel_line(29, 9, first=3.0), vowel_line(7, 1, first=-500.0), vowel_line(8, 2, 126.7)]
    files = {}
    for part, lines in {"train": train, "test": test}.items():
        name = f"JapaneseVowels_{part.upper()}.ts.gz"
        files[part], packed = described(name, (head + "\n".join(lines) + "\n").encode())
        (tmp_path / name).write_bytes(packed)
    written(tmp_path, monkeypatch, "vowels", **files)
    dataset = open_dataset("vowels")
    parts = {part: dataset.part(part) for part in ("train", "validation", "test")}
    assert [part.series().shape for part in parts.values()] == [
        (216, 29, 12),
        (54, 29, 12),
        (3, 29, 12),
    ]
    assert {part.zero for part in parts.values()} == {128}
    # Of each speaker six utterances validate, always the same ones.
    assert np.bincount(parts["validation"].labels).tolist() == [6] * 9
    assert np.bincount(parts["train"].labels).tolist() == [24] * 9
    assert parts["test"].labels.tolist() == [8, 0, 1]
    expected = np.full((3, 29, 12), 128)
    expected[0, 0], expected[1, 22], expected[2, 21] = 131, 0, 255
    assert np.array_equal(parts["test"].images, expected)
    assert (parts["train"].images == 128).all()


def test_vowel_scaling_as_it_was_measured() -> None:
    series = [np.arange(24).reshape(2, 12) * 1000, np.arange(24, 36).reshape(1, 12) * 1000]
    means, steps = measured_scaling(series)
    assert means == tuple(12_000 + 1000 * channel for channel in range(12))
    # A 32nd of the standard deviation of 0, 12,000 and 24,000.
    assert steps == (round(12_000 * (2 / 3) ** 0.5 / 32),) * 12


def test_vowel_validation_is_frozen() -> None:
    numbers = vowel_parts(np.repeat(np.arange(9), 30))
    assert np.flatnonzero(numbers[:60]).tolist() == FROZEN_VOWELS


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1,2:3,4:1", "Line 2 of f must have 12 channels of one length, not 2 of 2"),
        ("1,2:" * 11 + "3:1", "Line 2 of f must have 12 channels of one length, not 12 of 1, 2"),
        ("1:" * 12 + "x", "Line 2 of f must be numbers: invalid literal for int"),
        ("1:" * 11 + "?:1", "Line 2 of f must be numbers: could not convert string to float"),
        (vowel_line(30, 1), "Line 2 of f must have at most 29 steps, not 30"),
    ],
)
def test_vowel_lines_of_another_form_are_refused(line: str, text: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(text)}"):
        parse_ts(f"@data\n{line}\n".encode(), "f")


def test_shipped_vowels() -> None:
    samples = open_dataset("vowels-samples").part()
    assert samples.series().shape == (90, 29, 12)
    assert samples.zero == 128
    assert np.bincount(samples.labels).tolist() == [10] * 9
    assert (samples.images[:, 0] == 128).all(1).any()  # one that was filled up in front
    centre = samples.images[samples.images != 128].astype(float)
    assert abs(centre.mean() - 128) < 4
    assert 25 < centre.std() < 40


def test_the_same_in_another_packing_is_fetched(mirror, tmp_path: Path, monkeypatch) -> None:
    address, handler = mirror
    raw = b"1:" * 12 + b"1\n"
    file, _ = described("a.ts.gz", raw)
    entry = dataclasses.replace(
        CATALOG["vowels"],
        files={"test": dataclasses.replace(file, elsewhere=address + "a.ts")},
        mirrors=(),
    )
    handler.content = raw[:-2] + b"2\n"
    with pytest.raises(DataError, match="in which the contents of a.ts are not right"):
        read_role(entry, "test")
    handler.content = raw
    seen: list[tuple[str, int, int]] = []
    assert read_role(entry, "test", progress=lambda *now: seen.append(now)) == raw
    assert seen[-1] == ("a.ts", len(raw), len(raw))
    assert [path.name for path in (cache_folder() / "vowels").iterdir()] == ["a.ts"]
    handler.content = b""
    assert read_role(entry, "test") == raw  # from the cache folder


def test_series_of_the_user(tmp_path: Path) -> None:
    x = np.arange(240, dtype=np.uint8).reshape(10, 8, 3)
    path = tmp_path / "own.npz"
    np.savez(path, x=x, y=np.arange(10) % 3, zero=128)
    samples = open_dataset(path).part("test")
    assert np.array_equal(samples.series(), x[[4, 9]])
    assert samples.zero == 128
    assert samples.head(1).zero == 128
    np.savez(path, x=x[:, :, 0], y=np.arange(10) % 3)
    text = r"^Series must have shape \(N, steps, channels\), not \(10, 8\) as those of .*own.npz, "
    with pytest.raises(DataError, match=text):
        open_dataset(path).part().series()


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.zeros((2, 3, 1)), r"not float64 of shape \(2, 3, 1\); scale the values to 0..255"),
        (np.full((2, 3, 1), 256), r"; its values must lie in 0..255, not 256 at \[0, 0, 0\]$"),
        (np.array([[[5], [-1]]]), r"; its values must lie in 0..255, not -1 at \[0, 1, 0\]$"),
        (np.zeros((2, 0, 3), np.uint8), r"\(N, steps, channels\), not uint8 of shape \(2, 0, 3\)"),
        (np.zeros((2, 3, 1, 1), np.uint8), r"not uint8 of shape \(2, 3, 1, 1\)$"),
        (
            np.array([np.zeros((3, 1)), np.zeros((4, 1))], dtype=object),
            "x of .* must be an array of numbers, not of objects; series of several lengths",
        ),
    ],
)
def test_series_of_another_form_are_refused(tmp_path: Path, x: np.ndarray, text: str) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, x=x, y=np.zeros(len(x), int))
    with pytest.raises(DataError, match=text):
        open_dataset(path)


@pytest.mark.parametrize("zero", [np.array(256), np.array(-1), np.array([0, 0]), np.array(0.5)])
def test_zero_is_a_byte(tmp_path: Path, zero: np.ndarray) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, x=np.zeros((2, 3, 1), np.uint8), y=np.zeros(2, int), zero=zero)
    with pytest.raises(DataError, match="^zero of .* must be one integer in 0..255, not"):
        open_dataset(path)
