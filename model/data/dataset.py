# SPDX-License-Identifier: Apache-2.0
"""A data set by name, file or folder, with its parts.

Splits never change: the last 10,000 training images of MNIST-like sets are for validation; a set
that names no split gives every fifth sample to the test part (index 4, 9, ...) and the one before
it (index 3, 8, ...) to validation. A number behind a name (``digits:3``) asks for another split
of it, or for other points: see `VARIANTS`.
"""

import dataclasses
import io
import os
from pathlib import Path

import numpy as np

from model.data.catalog import CATALOG, Entry
from model.data.errors import DataError
from model.data.event_files import is_event_file, read_folder, read_subset, user_events
from model.data.files import Progress, read_role
from model.data.forms import PART_NAMES, load_npz, parse_csv, parse_idx, user_images
from model.data.moons import moons
from model.data.samples import Samples, Source

__all__ = ["MOONS", "PARTS", "SHIPPED", "VARIANTS", "Dataset", "names", "open_dataset"]

#: What a data set can be asked for.
PARTS = (*PART_NAMES, "all")

#: The MNIST test digits that ship with the package.
SHIPPED = "mnist-samples"

#: The points that are made from a seed.
MOONS = "moons"

#: What the number behind a name means, by name: ``name:number``.
VARIANTS = {
    MOONS: "seed of the points",
    "digits": "seed of a split into 1000, 297 and 500",
    "n-mnist-1k": "fold 0..10 of the 1,100 that is for tests",
}

_SHIPPED_FILE = Path(__file__).resolve().parent.parent / "samples" / "mnist-test-300.npz"
_VALIDATION_IMAGES = 10_000
_DIGITS_SPLIT = (1000, 297, 500)
_FOLDS = 11
_MAX_SEED = (1 << 32) - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set whose files are read when a part is asked for.

    Parameters
    ----------
    name
        Name, or path of the file or folder.
    default_part
        What an evaluation takes: ``test``, or ``all`` of a user's file that names no split.
    licence
        Licence of the data; empty for a user's file.
    """

    name: str
    default_part: str = "test"
    licence: str = ""
    _entry: Entry | None = None
    _variant: int | None = None
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
        origin = f"{self.name}, {part}"
        if self._entry is not None and self._entry.form == "idx":
            images, labels = self._idx(part)
            samples = Samples(images=images, labels=labels, origin=origin)
        else:
            samples = _take(self._source(), part, origin)
        if not len(samples):
            raise DataError(f"Data set {self.name} must have samples in its part {part}, not none")
        return samples

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

    def _source(self) -> Source:
        if self._entry is None:
            return moons(self._variant or 0) if self._is_moons else _opened(self.name)
        content = read_role(
            self._entry,
            "samples",
            data_dir=self._data_dir,
            progress=self._progress,
            may_download=self._download,
        )
        if self._entry.form == "n-mnist":
            source = read_subset(io.BytesIO(content), self._entry.files["samples"].name)
            return source if self._variant is None else _fold(source, self._variant)
        images, labels = parse_csv(content)
        source = Source(labels=labels, numbers=None, take=lambda index: images[index])
        return source if self._variant is None else _shuffled(source, self._variant)

    @property
    def _is_moons(self) -> bool:
        return self.name.partition(":")[0] == MOONS


def _take(source: Source, part: str, origin: str) -> Samples:
    """Return the samples of one part, in the order of the source."""
    numbers = source.numbers
    order = np.arange(source.labels.size)
    if numbers is None:
        numbers = np.choose(order % 5, (0, 0, 0, 1, 2))
    elif not (numbers == 1).any() and (numbers == 0).any():
        numbers = _take_validation(numbers)
    if part != "all":
        order = np.flatnonzero(numbers == PART_NAMES.index(part))
    points = source.coordinates
    return Samples(
        images=source.take(order),
        labels=source.labels[order],
        origin=origin,
        coordinates=None if points is None else points[order],
    )


def _opened(name: str) -> Source:
    """Source of what ships as an .npz, of a user's .npz, or of a folder of event files."""
    path = _SHIPPED_FILE if name == SHIPPED else Path(name)
    if path.is_dir():
        return read_folder(path)
    arrays = load_npz(path)
    return user_events(path, arrays) if is_event_file(arrays) else user_images(path, arrays)


def _shuffled(source: Source, seed: int) -> Source:
    """Another split of the 8x8 digits; RandomState's numbers are the same with every numpy."""
    numbers = np.repeat(np.arange(3), _DIGITS_SPLIT)
    numbers[np.random.RandomState(seed).permutation(numbers.size)] = numbers.copy()
    return dataclasses.replace(source, numbers=numbers)


def _fold(source: Source, fold: int) -> Source:
    """One of 11 folds: every eleventh sample is for tests; of the others, every fifth validates."""
    numbers = np.where(np.arange(source.labels.size) % _FOLDS == fold, 2, 0)
    return dataclasses.replace(source, numbers=_take_validation(numbers))


def _take_validation(numbers: np.ndarray) -> np.ndarray:
    """Move every fifth training sample to validation, where a file names no validation part."""
    numbers = numbers.copy()
    train = np.flatnonzero(numbers == 0)
    numbers[train[4::5]] = 1
    return numbers


def names() -> tuple[str, ...]:
    """Names that `open_dataset` knows beside the paths of .npz files and folders."""
    return (*CATALOG, MOONS, SHIPPED)


def open_dataset(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    download: bool = True,
) -> Dataset:
    """Open a data set by name, or a user's by path.

    Parameters
    ----------
    name
        One of `names`, a name with a number (see `VARIANTS`), the path of an .npz file of images
        (`model.data.forms.user_images`) or events (`model.data.event_files.user_events`), or of a
        folder of event files (`model.data.event_files.read_folder`).
    data_dir
        First folder to look in for files of known sets.
    progress
        Called with file name, bytes so far and bytes in all while a download runs.
    download
        Fetch files that are not on this machine.

    Raises
    ------
    DataError
        If the name is unknown, or the file or folder cannot be read.
    """
    text = os.fspath(name)
    base, _, number = text.partition(":")
    if base in names():
        entry = CATALOG.get(base)
        return Dataset(
            name=text,
            licence=_licence(base),
            _entry=entry,
            _variant=_variant(base, number) if base != text else None,
            _data_dir=data_dir,
            _progress=progress,
            _download=download,
        )
    if not text.endswith(".npz") and not Path(text).is_dir():
        raise DataError(
            f"Data set must be one of {', '.join(names())}, an .npz file or a folder of event "
            f"files, not {text!r}"
        )
    return Dataset(name=text, default_part="all" if _opened(text).numbers is None else "test")


def _variant(name: str, number: str) -> int:
    if name not in VARIANTS:
        known = ", ".join(f"{known}:N" for known in VARIANTS)
        raise DataError(f"Data set with a number must be one of {known}, not {name}:{number}")
    limit = _FOLDS - 1 if name == "n-mnist-1k" else _MAX_SEED
    if not number.isdecimal() or int(number) > limit:
        raise DataError(
            f"Number behind {name} ({VARIANTS[name]}) must lie in 0..{limit}, not {number!r}"
        )
    return int(number)


def _licence(name: str) -> str:
    if name == MOONS:
        return "none needed, made from a seed"
    return CATALOG["mnist" if name == SHIPPED else name].licence
