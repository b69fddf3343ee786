# SPDX-License-Identifier: Apache-2.0
"""The data sets that have a name: files they are read from, and how these become samples.

Add a data set here.
"""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.data.catalog import CATALOG
from model.data.errors import DataError
from model.data.event_files import read_subset
from model.data.forms import load_npz, parse_csv, parse_idx, user_samples
from model.data.moons import moons
from model.data.pixel_series import pixel_series
from model.data.samples import Source, with_validation
from model.data.speech import SPEAKERS, SpeechFeatures, spoken_digits
from model.data.vowels import vowels

__all__ = ["KNOWN", "Known", "Request", "Variants"]

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
class Request:
    """What is wanted of a data set.

    Parameters
    ----------
    read
        Returns the decompressed contents of the file that has a role in the data set.
    part
        ``train``, ``validation``, ``test`` or ``all``; what only other parts need is not read.
    variant
        Number or word behind the name; None: nothing.
    speech
        How recordings become series; None: as `SpeechFeatures` has it.
    """

    read: Callable[[str], bytes]
    part: str
    variant: str | int | None = None
    speech: SpeechFeatures | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Of ``train`` and ``test`` what the part is in; validation is taken from ``train``."""
        return {"test": ("test",), "all": ("train", "test")}.get(self.part, ("train",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """A data set that has a name.

    Parameters
    ----------
    source
        Returns its samples: at least those of the part that is wanted.
    entry
        Name of its files in the catalogue; of shipped samples, of the set they were cut from;
        empty for a set that needs no files.
    variants
        What may stand behind the name; None: nothing.
    """

    source: Callable[[Request], Source]
    entry: str = ""
    variants: Variants | None = None

    @property
    def licence(self) -> str:
        """Licence of the data, with its holder."""
        return CATALOG[self.entry].licence if self.entry else "none needed, made from a seed"


def _idx(request: Request) -> Source:
    """Files of MNIST's form; the last 10,000 training images are for validation."""
    read, files = request.read, request.files
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


def _shipped(file: str) -> Callable[[Request], Source]:
    """Samples that ship with the package, in the form of a user's."""
    path = _SAMPLES / file
    return lambda _request: user_samples(path, load_npz(path))


def _digits(request: Request) -> Source:
    """The 8x8 digits; RandomState's numbers are the same with every numpy."""
    images, labels = parse_csv(request.read("samples"))
    numbers, seed = None, request.variant
    if seed is not None:
        numbers = np.repeat(np.arange(3), _DIGITS_SPLIT)
        numbers[np.random.RandomState(int(seed)).permutation(numbers.size)] = numbers.copy()
    return Source(labels=labels, numbers=numbers, take=lambda index: images[index])


def _n_mnist(request: Request) -> Source:
    """The cut of N-MNIST, or one of 11 folds of it: every eleventh sample is for tests."""
    source = read_subset(io.BytesIO(request.read("samples")), "n-mnist-1k.npz")
    if request.variant is None:
        return source
    numbers = np.where(np.arange(source.labels.size) % _FOLDS == request.variant, 2, 0)
    return dataclasses.replace(source, numbers=with_validation(numbers))


def _moons(request: Request) -> Source:
    return moons(int(request.variant or 0))


def _fsdd(request: Request) -> Source:
    speaker = None if request.variant is None else str(request.variant)
    return spoken_digits(request.read("samples"), speaker, request.speech)


def _vowels(request: Request) -> Source:
    return vowels({file: request.read(file) for file in request.files})


def _series(images: Known, *, permuted: bool) -> Known:
    """The same images, pixel by pixel."""

    def source(request: Request) -> Source:
        return pixel_series(images.source(request), permuted=permuted)

    return Known(entry=images.entry, source=source)


_SEEDS = range(1 << 32)
_MNIST = Known(entry="mnist", source=_idx)
_MNIST_SAMPLES = Known(entry="mnist", source=_shipped("mnist-test-300.npz"))

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
    "fsdd": Known(
        entry="fsdd",
        source=_fsdd,
        variants=Variants(meaning="speaker who is held out for tests", values=SPEAKERS),
    ),
    "vowels": Known(entry="vowels", source=_vowels),
    "mnist-samples": _MNIST_SAMPLES,
    "psmnist-samples": _series(_MNIST_SAMPLES, permuted=True),
    "smnist-samples": _series(_MNIST_SAMPLES, permuted=False),
    "fsdd-samples": Known(entry="fsdd", source=_shipped("fsdd-test-60.npz")),
    "vowels-samples": Known(entry="vowels", source=_shipped("vowels-test-90.npz")),
}
