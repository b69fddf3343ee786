# SPDX-License-Identifier: Apache-2.0
"""The data sets that have a name: files they are read from, and how these become samples."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.data.catalog import CATALOG
from model.data.errors import DataError
from model.data.event_files import read_subset
from model.data.forms import load_npz, parse_csv, parse_idx, user_images
from model.data.moons import moons
from model.data.pixel_series import pixel_series
from model.data.samples import Source, with_validation

__all__ = ["KNOWN", "Known", "Read", "Variants"]

#: Returns the decompressed contents of the file that has a role in a data set.
Read = Callable[[str], bytes]

_SAMPLES = Path(__file__).resolve().parent.parent / "samples"
_VALIDATION_IMAGES = 10_000
_DIGITS_SPLIT = (1000, 297, 500)
_FOLDS = 11


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variants:
    """What may stand behind a name and a colon.

    Parameters
    ----------
    meaning
        What it means, in words.
    values
        The words that are known, or the range of a number.
    """

    meaning: str
    values: range | tuple[str, ...]

    def checked(self, name: str, text: str) -> str | int:
        """Return the number or word behind a name.

        Raises
        ------
        DataError
            If it is none of `values`.
        """
        if isinstance(self.values, tuple):
            if text in self.values:
                return text
            kind, rule = "Word", f"be one of {', '.join(self.values)}"
        else:
            if text.isdecimal() and int(text) in self.values:
                return int(text)
            kind, rule = "Number", f"lie in {self.values[0]}..{self.values[-1]}"
        raise DataError(f"{kind} behind {name} ({self.meaning}) must {rule}, not {text!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """A data set that has a name.

    Parameters
    ----------
    source
        Called with a reader of its files, the part that is wanted (what only other parts need is
        not read), and the number or word behind the name, None if there is none.
    entry
        Name of its files in the catalogue; of shipped samples, of the set they were cut from;
        empty for a set that needs no files.
    variants
        What may stand behind the name; None: nothing.
    """

    source: Callable[[Read, str, str | int | None], Source]
    entry: str = ""
    variants: Variants | None = None

    @property
    def licence(self) -> str:
        """Licence of the data, with its holder."""
        return CATALOG[self.entry].licence if self.entry else "none needed, made from a seed"


def _idx(read: Read, part: str, _variant: str | int | None) -> Source:
    """Files of MNIST's form; the last 10,000 training images are for validation."""
    files = {"test": ("test",), "all": ("train", "test")}.get(part, ("train",))
    images = [parse_idx(read(f"{file}-images"), f"{file}-images") for file in files]
    labels = [parse_idx(read(f"{file}-labels"), f"{file}-labels") for file in files]
    numbers = np.full(sum(map(len, labels)), 2)
    if files[0] == "train":
        numbers[: len(labels[0])] = 0
        numbers[: len(labels[0])][-_VALIDATION_IMAGES:] = 1
    everything = np.concatenate(images)
    return Source(
        labels=np.concatenate(labels).astype(np.int64),
        numbers=numbers,
        take=lambda index: everything[index],
    )


def _mnist_samples(_read: Read, _part: str, _variant: str | int | None) -> Source:
    path = _SAMPLES / "mnist-test-300.npz"
    return user_images(path, load_npz(path))


def _digits(read: Read, _part: str, seed: str | int | None) -> Source:
    """The 8x8 digits; RandomState's numbers are the same with every numpy."""
    images, labels = parse_csv(read("samples"))
    numbers = None
    if seed is not None:
        numbers = np.repeat(np.arange(3), _DIGITS_SPLIT)
        numbers[np.random.RandomState(int(seed)).permutation(numbers.size)] = numbers.copy()
    return Source(labels=labels, numbers=numbers, take=lambda index: images[index])


def _n_mnist(read: Read, _part: str, fold: str | int | None) -> Source:
    """The cut of N-MNIST, or one of 11 folds of it: every eleventh sample is for tests."""
    source = read_subset(io.BytesIO(read("samples")), "n-mnist-1k.npz")
    if fold is None:
        return source
    numbers = np.where(np.arange(source.labels.size) % _FOLDS == fold, 2, 0)
    return dataclasses.replace(source, numbers=with_validation(numbers))


def _moons(_read: Read, _part: str, seed: str | int | None) -> Source:
    return moons(int(seed or 0))


def _series(images: Known, *, permuted: bool) -> Known:
    """The same images, pixel by pixel."""

    def source(read: Read, part: str, variant: str | int | None) -> Source:
        return pixel_series(images.source(read, part, variant), permuted=permuted)

    return Known(entry=images.entry, source=source)


_SEEDS = range(1 << 32)
_MNIST = Known(entry="mnist", source=_idx)
_MNIST_SAMPLES = Known(entry="mnist", source=_mnist_samples)

#: Every data set that has a name, by name.
KNOWN: dict[str, Known] = {
    "mnist": _MNIST,
    "fashion-mnist": Known(entry="fashion-mnist", source=_idx),
    "digits": Known(
        entry="digits",
        source=_digits,
        variants=Variants(meaning="seed of a split into 1000, 297 and 500", values=_SEEDS),
    ),
    "n-mnist-1k": Known(
        entry="n-mnist-1k",
        source=_n_mnist,
        variants=Variants(
            meaning="fold 0..10 of the 1,100 that is for tests", values=range(_FOLDS)
        ),
    ),
    "moons": Known(source=_moons, variants=Variants(meaning="seed of the points", values=_SEEDS)),
    "psmnist": _series(_MNIST, permuted=True),
    "smnist": _series(_MNIST, permuted=False),
    "mnist-samples": _MNIST_SAMPLES,
    "psmnist-samples": _series(_MNIST_SAMPLES, permuted=True),
    "smnist-samples": _series(_MNIST_SAMPLES, permuted=False),
}
