# SPDX-License-Identifier: Apache-2.0
"""A data set by name, file or folder, with its parts.

Splits never change: the last 10,000 training images of MNIST-like sets are for validation; a set
that names no split gives every fifth sample to the test part (index 4, 9, ...) and the one before
it (index 3, 8, ...) to validation. A number or word behind a name (``digits:3``) asks for another
split of it, or for other points: see `model.data.known.KNOWN`.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.data.catalog import CATALOG
from model.data.errors import DataError
from model.data.event_files import is_event_file, read_folder, user_events
from model.data.files import Progress, read_role
from model.data.forms import PART_NAMES, load_npz, user_samples
from model.data.known import KNOWN, Request
from model.data.samples import Samples, Source, with_validation
from model.data.speech import SpeechFeatures

__all__ = ["PARTS", "SHIPPED", "Dataset", "names", "open_dataset"]

#: What a data set can be asked for.
PARTS = (*PART_NAMES, "all")

#: The MNIST test digits that ship with the package.
SHIPPED = "mnist-samples"


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
    _source: Callable[[str], Source]

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
        samples = _take(self._source(part), part, f"{self.name}, {part}")
        if not len(samples):
            raise DataError(f"Data set {self.name} must have samples in its part {part}, not none")
        return samples


def _take(source: Source, part: str, origin: str) -> Samples:
    """Return the samples of one part, in the order of the source."""
    numbers = source.numbers
    order = np.arange(source.labels.size)
    if numbers is None:
        numbers = np.choose(order % 5, (0, 0, 0, 1, 2))
    elif not (numbers == 1).any() and (numbers == 0).any():
        numbers = with_validation(numbers)
    if part != "all":
        order = np.flatnonzero(numbers == PART_NAMES.index(part))
    points = source.coordinates
    return Samples(
        images=source.take(order),
        labels=source.labels[order],
        origin=origin,
        coordinates=None if points is None else points[order],
        zero=source.zero,
    )


def _opened(name: str) -> Source:
    """Source of a user's .npz, or of a folder of event files."""
    path = Path(name)
    if path.is_dir():
        return read_folder(path)
    arrays = load_npz(path)
    return user_events(path, arrays) if is_event_file(arrays) else user_samples(path, arrays)


def names() -> tuple[str, ...]:
    """Names that `open_dataset` knows beside the paths of .npz files and folders."""
    return tuple(KNOWN)


def open_dataset(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    download: bool = True,
    speech: SpeechFeatures | None = None,
) -> Dataset:
    """Open a data set by name, or a user's by path.

    Parameters
    ----------
    name
        One of `names`, a name with a number or word (``digits:3``), the path of an .npz file of
        images or series (`model.data.forms.user_samples`) or events
        (`model.data.event_files.user_events`), or of a folder of event files
        (`model.data.event_files.read_folder`).
    data_dir
        First folder to look in for files of known sets.
    progress
        Called with file name, bytes so far and bytes in all while a download runs.
    download
        Fetch files that are not on this machine.
    speech
        How the recordings of ``fsdd`` become series; None: as `SpeechFeatures` has it.

    Raises
    ------
    DataError
        If the name is unknown, or the file or folder cannot be read.
    """
    text = os.fspath(name)
    base, colon, variant = text.partition(":")
    if base in KNOWN:
        known = KNOWN[base]

        def read(role: str) -> bytes:
            return read_role(
                CATALOG[known.entry],
                role,
                data_dir=data_dir,
                progress=progress,
                may_download=download,
            )

        request = Request(
            read=read,
            part="all",
            variant=_variant(base, variant) if colon else None,
            speech=speech,
        )
        return Dataset(
            name=text,
            licence=known.licence,
            _source=lambda part: known.source(dataclasses.replace(request, part=part)),
        )
    if not text.endswith(".npz") and not Path(text).is_dir():
        raise DataError(
            f"Data set must be one of {', '.join(names())}, an .npz file or a folder of event "
            f"files, not {text!r}"
        )
    return Dataset(
        name=text,
        default_part="all" if _opened(text).numbers is None else "test",
        _source=lambda _part: _opened(text),
    )


def _variant(name: str, text: str) -> str | int:
    variants = KNOWN[name].variants
    if variants is None:
        known = ", ".join(f"{name}:..." for name, known in KNOWN.items() if known.variants)
        raise DataError(f"Data set with a colon must be one of {known}, not {name}:{text}")
    return variants.checked(name, text)
