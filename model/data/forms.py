# SPDX-License-Identifier: Apache-2.0
"""File forms: IDX, the 8x8 digits' table, and a user's .npz."""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from model.data.errors import DataError
from model.data.samples import Source

__all__ = [
    "PART_NAMES",
    "checked_labels",
    "load_npz",
    "parse_csv",
    "parse_idx",
    "part_numbers",
    "user_samples",
]

#: Parts in the order of the numbers that an .npz may use for them.
PART_NAMES = ("train", "validation", "test")

_IDX_UBYTE = 0x08
# Values of the 8x8 digits are 0..16; times 15 they fill 0..240 of a byte.
_CSV_SCALE = 15


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """Return the uint8 array of an IDX file (big-endian header, then the values).

    Raises
    ------
    DataError
        If the header names another type, or another number of values than there are.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _IDX_UBYTE:
        raise DataError(f"IDX file {name} must start with 00 00 08, not {content[:3].hex(' ')}")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"IDX file {name} must have a header of {start} bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    values = np.frombuffer(content, dtype=np.uint8, offset=start)
    if values.size != int(np.prod(shape)):
        raise DataError(
            f"IDX file {name} must hold {int(np.prod(shape))} values, not {values.size}"
        )
    return values.reshape(shape)


def parse_csv(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (N, 8, 8) and labels int64 (N,) of the 8x8 digits' table."""
    rows = [[int(value) for value in line.split(",")] for line in content.decode().split()]
    table = np.array(rows, dtype=np.int64)
    images = (table[:, :-1] * _CSV_SCALE).astype(np.uint8)
    return images.reshape(-1, 8, 8), table[:, -1]


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file.

    Raises
    ------
    DataError
        If there is no such file, or it is not a whole archive.
    """
    if not path.is_file():
        raise DataError(f"Data file {path} does not exist")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: _array(path, archive, key) for key in archive.files}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, AttributeError) as error:
        raise DataError(f"Data file {path} must be a whole .npz archive: {error}") from None


def _array(path: Path, archive: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    try:
        return archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
    raise DataError(
        f"{key} of {path} must be an array of numbers, not of objects; series of several lengths "
        "must be filled up in front, with the byte that stands for 0"
    )


def user_samples(path: Path, arrays: Mapping[str, np.ndarray]) -> Source:
    """Samples of a user's ``.npz`` of images or series.

    Keys: ``x`` uint8 (N, features), (N, height, width) or (N, steps, channels); ``y`` integers 0..
    (N,); optional ``split`` (N,), each ``train``, ``validation`` or ``test``, or 0, 1, 2 for these;
    optional ``zero``, the byte that stands for 0 in a series, else 0.

    Raises
    ------
    DataError
        Naming the file and the key that is missing or of another form.
    """
    for key in ("x", "y"):
        if key not in arrays:
            known = ", ".join(arrays) or "nothing"
            raise DataError(f"Data file {path} must hold x and y; {key} is missing, it has {known}")
    x, y = arrays["x"], arrays["y"]
    if x.dtype != np.uint8 or x.ndim not in (2, 3) or 0 in x.shape:
        raise DataError(
            f"x of {path} must be uint8 of shape (N, features), (N, height, width) or "
            f"(N, steps, channels), not {x.dtype} of shape {x.shape}{_misfit(x)}"
        )
    return Source(
        labels=checked_labels(path, "y", y, len(x)),
        numbers=part_numbers(path, arrays.get("split"), x.shape[0]),
        take=lambda index: x[index],
        zero=_zero(path, arrays.get("zero", np.array(0))),
    )


def _misfit(values: np.ndarray) -> str:
    """What to do about values of another kind than bytes, as the end of a sentence."""
    if values.dtype.kind == "f":
        return "; scale the values to 0..255 and round them"
    if values.dtype.kind not in "iu":
        return ""
    wrong = np.argwhere((values < 0) | (values > 255))
    if not len(wrong):
        return ""
    place = tuple(map(int, wrong[0]))
    return f"; its values must lie in 0..255, not {values[place]} at {list(place)}"


def _zero(path: Path, zero: np.ndarray) -> int:
    if zero.size != 1 or zero.dtype.kind not in "iu" or not 0 <= int(zero.reshape(())) <= 255:
        raise DataError(f"zero of {path} must be one integer in 0..255, not {zero!r}")
    return int(zero.reshape(()))


def checked_labels(path: Path, key: str, labels: np.ndarray, count: int) -> np.ndarray:
    """Labels of a user's file as int64 (count,).

    Raises
    ------
    DataError
        Naming the file and the key, if there are others than integers from 0, one a sample.
    """
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DataError(
            f"{key} of {path} must be integers of shape ({count},), "
            f"not {labels.dtype} of shape {labels.shape}"
        )
    if labels.size and labels.min() < 0:
        raise DataError(f"{key} of {path} must not be negative, not {labels.min()}")
    return labels.astype(np.int64)


def part_numbers(path: Path, split: np.ndarray | None, count: int) -> np.ndarray | None:
    """Part of each sample as 0, 1, 2, from what a user's file calls ``split``.

    Raises
    ------
    DataError
        If there is no value for each sample, or another value.
    """
    if split is None:
        return None
    if split.shape == (count,) and split.dtype.kind in "iu" and np.isin(split, (0, 1, 2)).all():
        return split.astype(np.int64)
    if split.shape == (count,) and split.dtype.kind in "US":
        words = split.astype(str)
        if np.isin(words, PART_NAMES).all():
            return sum(number * (words == word) for number, word in enumerate(PART_NAMES))
    raise DataError(
        f"split of {path} must be {count} values out of {', '.join(PART_NAMES)} or 0, 1, 2, "
        f"not {split.dtype} of shape {split.shape}"
    )
