# SPDX-License-Identifier: Apache-2.0
"""A data set by name or file, with its parts.

Splits never change: the last 10,000 training images of MNIST-like sets are for validation; a set
that names no split gives every fifth sample to the test part (index 4, 9, ...) and the one before
it (index 3, 8, ...) to validation.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np

from model.data.catalog import CATALOG, Entry
from model.data.errors import DataError
from model.data.files import Progress, read_role
from model.data.forms import PART_NAMES, parse_csv, parse_idx, read_npz

__all__ = ["PARTS", "SHIPPED", "Dataset", "Samples", "names", "open_dataset"]

#: What a data set can be asked for.
PARTS = (*PART_NAMES, "all")

#: The MNIST test digits that ship with the package.
SHIPPED = "mnist-samples"

_SHIPPED_FILE = Path(__file__).resolve().parent.parent / "samples" / "mnist-test-300.npz"
_VALIDATION_IMAGES = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """Images with labels.

    Parameters
    ----------
    images
        uint8 (N, height, width) or (N, features).
    labels
        int64 (N,).
    origin
        Where they come from, in words.
    """

    images: np.ndarray
    labels: np.ndarray
    origin: str

    def __len__(self) -> int:
        return int(self.labels.size)

    def head(self, count: int) -> "Samples":
        """Return the first samples, at most ``count``."""
        return dataclasses.replace(self, images=self.images[:count], labels=self.labels[:count])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set whose files are read when a part is asked for.

    Parameters
    ----------
    name
        Name, or path of the file.
    default_part
        What an evaluation takes: ``test``, or ``all`` of a user's file that names no split.
    licence
        Licence of the data; empty for a user's file.
    """

    name: str
    default_part: str = "test"
    licence: str = ""
    _entry: Entry | None = None
    _data_dir: str | os.PathLike[str] | None = None
    _progress: Progress | None = None
    _download: bool = True

    def part(self, part: str | None = None) -> Samples:
        """Return one part.

        Parameters
        ----------
        part
            ``train``, ``validation``, ``test``, ``all``, or None for `default_part`.

        Raises
        ------
        DataError
            If files are missing or damaged, or the part has no samples.
        """
        part = part or self.default_part
        if part not in PARTS:
            raise DataError(f"Part must be one of {', '.join(PARTS)}, not {part!r}")
        if self._entry is not None and self._entry.form == "idx":
            images, labels = self._idx(part)
        else:
            images, labels, numbers = self._table()
            if part != "all":
                keep = numbers == PART_NAMES.index(part)
                images, labels = images[keep], labels[keep]
        if not labels.size:
            raise DataError(f"Data set {self.name} must have samples in its part {part}, not none")
        return Samples(images=images, labels=labels, origin=f"{self.name}, {part}")

    def _idx(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        files = ("train", "test") if part == "all" else ("test" if part == "test" else "train",)
        images = np.concatenate([self._read(f"{file}-images") for file in files])
        labels = np.concatenate([self._read(f"{file}-labels") for file in files]).astype(np.int64)
        border = -_VALIDATION_IMAGES
        pick = {"train": slice(None, border), "validation": slice(border, None)}.get(part)
        return (images, labels) if pick is None else (images[pick], labels[pick])

    def _read(self, role: str) -> np.ndarray:
        assert self._entry is not None
        content = read_role(
            self._entry,
            role,
            data_dir=self._data_dir,
            progress=self._progress,
            may_download=self._download,
        )
        return parse_idx(content, self._entry.files[role].name)

    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self._entry is not None:
            content = read_role(self._entry, "samples", data_dir=self._data_dir)
            images, labels = parse_csv(content)
            numbers = None
        else:
            path = _SHIPPED_FILE if self.name == SHIPPED else Path(self.name)
            images, labels, numbers = read_npz(path)
        order = np.arange(labels.size)
        if numbers is None:
            return images, labels, np.choose(order % 5, (0, 0, 0, 1, 2))
        if self.name != SHIPPED and not (numbers == 1).any():
            numbers = _take_validation(numbers)
        return images, labels, numbers


def _take_validation(numbers: np.ndarray) -> np.ndarray:
    """Move every fifth training sample to validation, where a file names no validation part."""
    numbers = numbers.copy()
    train = np.flatnonzero(numbers == 0)
    numbers[train[4::5]] = 1
    return numbers


def names() -> tuple[str, ...]:
    """Names that `open_dataset` knows beside the paths of .npz files."""
    return (*CATALOG, SHIPPED)


def open_dataset(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    download: bool = True,
) -> Dataset:
    """Open a data set by name, or a user's .npz by path.

    Parameters
    ----------
    name
        One of `names`, or the path of an .npz file (see `read_npz` for its keys).
    data_dir
        First folder to look in for files of known sets.
    progress
        Called with file name, bytes so far and bytes in all while a download runs.
    download
        Fetch files that are not on this machine.

    Raises
    ------
    DataError
        If the name is unknown, or the .npz cannot be read.
    """
    text = os.fspath(name)
    if text in CATALOG:
        entry = CATALOG[text]
        return Dataset(
            name=text,
            licence=entry.licence,
            _entry=entry,
            _data_dir=data_dir,
            _progress=progress,
            _download=download,
        )
    if text == SHIPPED:
        return Dataset(name=text, licence=CATALOG["mnist"].licence)
    if not text.endswith(".npz"):
        raise DataError(
            f"Data set must be one of {', '.join(names())} or an .npz file, not {text!r}"
        )
    _, _, numbers = read_npz(Path(text))
    return Dataset(name=text, default_part="all" if numbers is None else "test")
