# SPDX-License-Identifier: Apache-2.0
"""Files of event cameras: N-MNIST's ``.bin``, AEDAT 2 of a DVS128, and the ``.npz`` forms."""

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from model.data.errors import DataError
from model.data.forms import PART_NAMES, checked_labels, part_numbers
from model.data.samples import Source
from model.events import EventError, Events

__all__ = [
    "is_event_file",
    "parse_aedat2",
    "parse_bin",
    "read_folder",
    "read_subset",
    "user_events",
]

_BIN_SENSOR = 34
_BIN_BYTES = 5
# A row number that no pixel has marks that the 13 lower bits of the camera's clock began anew.
_BIN_OVERFLOW_ROW = 240
_BIN_OVERFLOW_US = 1 << 13

_AEDAT_FIRST_LINE = b"#!AER-DAT2.0"
_DVS128_SENSOR = 128
_DVS128_SPECIAL = 0x8000  # synchronisation, no pixel
_MNIST_DVS = re.compile(r"mnist_(\d)_scale(\d+)_(\d+)\.aedat", re.IGNORECASE)
_MNIST_DVS_SCALE = 4
_MNIST_DVS_TRAIN = 900  # files of a digit; the rest is for tests

_USER_KEYS = ("t", "x", "y", "p", "offsets", "labels")


def parse_bin(content: bytes) -> dict[str, np.ndarray]:
    """Events of one file of N-MNIST: t, x, y, p.

    5 bytes an event, big-endian: column, row, 1 bit of polarity (1: brighter), 23 bits of time
    in us.

    Raises
    ------
    EventError
        If the length is no multiple of 5.
    """
    if len(content) % _BIN_BYTES:
        raise EventError(f"Length must be {_BIN_BYTES} bytes an event, not {len(content)} bytes")
    table = np.frombuffer(content, dtype=np.uint8).reshape(-1, _BIN_BYTES)
    x, y, p = table[:, 0], table[:, 1], table[:, 2] >> 7
    t = (table[:, 2] & 0x7F).astype(np.int64) << 16
    t |= table[:, 3].astype(np.int64) << 8 | table[:, 4]
    marks = y == _BIN_OVERFLOW_ROW
    if marks.any():
        t += _BIN_OVERFLOW_US * np.cumsum(marks)
        t, x, y, p = (values[~marks] for values in (t, x, y, p))
    return {"t": t, "x": x, "y": y, "p": p}


def parse_aedat2(content: bytes) -> dict[str, np.ndarray]:
    """Events of one AEDAT 2 file of a DVS128: t, x, y, p.

    Lines that begin with ``#``, then 8 bytes an event, big-endian: address and time in us. Of an
    address, bits 1 to 7 are the column counted from the right, bits 8 to 14 the row, and bit 0 is
    0 for brighter (polarity 1 here). Time counts from the first event; a 32-bit clock that wraps
    goes on.

    Raises
    ------
    EventError
        If the first line names another form, or the length does not fit.
    """
    if not content.startswith(_AEDAT_FIRST_LINE):
        raise EventError(
            f"First line must begin with {_AEDAT_FIRST_LINE.decode()}, not {content[:12]!r}"
        )
    start = 0
    while content[start : start + 1] == b"#":
        end = content.find(b"\n", start)
        start = len(content) if end < 0 else end + 1
    if (len(content) - start) % 8:
        raise EventError(f"Length must be 8 bytes an event, not {len(content) - start} bytes")
    table = np.frombuffer(content, dtype=">u4", offset=start).reshape(-1, 2)
    table = table[(table[:, 0] & _DVS128_SPECIAL) == 0]
    address, clock = table[:, 0].astype(np.int64), table[:, 1].astype(np.uint32)
    # Differences modulo 2**32, read as signed: a clock that wraps steps forward.
    passed = np.diff(clock, prepend=clock[:1]).astype(np.int32)
    return {
        "t": np.cumsum(passed, dtype=np.int64),
        "x": _DVS128_SENSOR - 1 - (address >> 1 & 0x7F),
        "y": address >> 8 & 0x7F,
        "p": 1 - (address & 1),
    }


def read_folder(folder: Path) -> Source:
    """List a folder of N-MNIST ``.bin`` or AEDAT 2 files; contents are read when taken.

    The class is the number that names a file's folder, or stands in a name such as
    ``mnist_3_scale04_0001.aedat``. Folders ``Train``, ``Validation``, ``Test`` name the part; of
    MNIST-DVS, files 1 to 900 of a digit are for training and the rest for tests, and of several
    scales scale 4 is taken.

    Raises
    ------
    DataError
        If there are no such files, or a file does not tell its class.
    """
    files = {suffix: sorted(folder.rglob(f"*{suffix}")) for suffix in (".bin", ".aedat")}
    found = [suffix for suffix, paths in files.items() if paths]
    if len(found) != 1:
        state = "both" if found else "none"
        raise DataError(f"Folder {folder} must hold .bin or .aedat files of events, not {state}")
    paths = files[found[0]]
    matches = [_MNIST_DVS.fullmatch(path.name) for path in paths]
    scales = {int(match[2]) for match in matches if match}
    if len(scales) > 1:
        keep = [match is None or int(match[2]) == _MNIST_DVS_SCALE for match in matches]
        paths = [path for path, kept in zip(paths, keep, strict=True) if kept]
        matches = [match for match, kept in zip(matches, keep, strict=True) if kept]
    labels = [
        int(match[1]) if match else _folder_class(path)
        for path, match in zip(paths, matches, strict=True)
    ]
    numbers = [
        _folder_part(path.relative_to(folder), match)
        for path, match in zip(paths, matches, strict=True)
    ]
    bare = [path for path, number in zip(paths, numbers, strict=True) if number is None]
    if 0 < len(bare) < len(paths):
        raise DataError(
            f"Folder {folder} must name the part of every event file or of none, not all but "
            f"that of {bare[0]}"
        )
    parse = parse_bin if found == [".bin"] else parse_aedat2
    sensor = _BIN_SENSOR if found == [".bin"] else _DVS128_SENSOR
    return Source(
        labels=np.array(labels, dtype=np.int64),
        numbers=np.array(numbers, dtype=np.int64) if not bare else None,
        take=lambda index: _read_files([paths[i] for i in index], parse, sensor),
    )


def _folder_class(path: Path) -> int:
    if not path.parent.name.isdecimal():
        raise DataError(
            f"Event file {path} must lie in a folder that is named by the number of its class, "
            f"not in {path.parent.name!r}"
        )
    return int(path.parent.name)


def _folder_part(path: Path, match: re.Match[str] | None) -> int | None:
    for name in path.parts[:-1]:
        if name.lower() in PART_NAMES:
            return PART_NAMES.index(name.lower())
    if match is None:
        return None
    return PART_NAMES.index("train" if int(match[3]) <= _MNIST_DVS_TRAIN else "test")


def _read_files(
    paths: list[Path], parse: Callable[[bytes], dict[str, np.ndarray]], sensor: int
) -> Events:
    if not paths:
        nothing = np.zeros(0, dtype=np.int64)
        return Events(t=nothing, x=nothing, y=nothing, p=nothing, offsets=np.zeros(1, np.int64))
    contents = []
    for path in paths:
        try:
            contents.append(parse(path.read_bytes()))
        except EventError as error:
            raise DataError(f"Event file {path}: {error}") from None
    try:
        return _joined(contents, sensor)  # checked together: tens of thousands of files are usual
    except EventError:
        for path, content in zip(paths, contents, strict=True):
            try:
                _joined([content], sensor)
            except EventError as error:
                raise DataError(f"Event file {path}: {error}") from None
        raise


def _joined(contents: list[dict[str, np.ndarray]], sensor: int) -> Events:
    counts = [content["t"].size for content in contents]
    return Events(
        t=np.concatenate([content["t"] for content in contents]),
        x=np.concatenate([content["x"] for content in contents]),
        y=np.concatenate([content["y"] for content in contents]),
        p=np.concatenate([content["p"] for content in contents]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        width=sensor,
        height=sensor,
    )


def is_event_file(keys: Mapping[str, Any]) -> bool:
    """Whether the keys of an ``.npz`` are those of events rather than of images."""
    return "offsets" in keys or "t" in keys


def user_events(path: Path, arrays: Mapping[str, np.ndarray]) -> Source:
    """Samples of a user's ``.npz`` of events.

    Keys: ``t`` (us since the sample began), ``x``, ``y``, ``p`` integers (E,); ``offsets`` (N + 1,)
    as in `model.events.Events`; ``labels`` integers 0.. (N,); optional ``split`` as for images,
    ``width`` and ``height`` of the sensor.

    Raises
    ------
    DataError
        Naming the file and what is missing or breaks a rule.
    """
    for key in _USER_KEYS:
        if key not in arrays:
            raise DataError(
                f"Data file {path} must hold {', '.join(_USER_KEYS)}; {key} is missing, it has "
                f"{', '.join(arrays)}"
            )
    sensor = {}
    for key in ("width", "height"):
        value = arrays.get(key, np.array(0))
        if value.size != 1 or value.dtype.kind not in "iu" or (key in arrays and value < 1):
            raise DataError(f"{key} of {path} must be one integer of at least 1, not {value!r}")
        sensor[key] = int(value.reshape(()))
    try:
        events = Events(
            t=arrays["t"],
            x=arrays["x"],
            y=arrays["y"],
            p=arrays["p"],
            offsets=arrays["offsets"],
            width=sensor["width"],
            height=sensor["height"],
        )
    except EventError as error:
        raise DataError(f"Data file {path}: {error}") from None
    return Source(
        labels=checked_labels(path, "labels", arrays["labels"], len(events)),
        numbers=part_numbers(path, arrays.get("split"), len(events)),
        take=lambda index: events[index],
    )


def read_subset(file: IO[bytes], name: str) -> Source:
    """Samples of ``n-mnist-1k.npz``: time as differences, one group of keys a part.

    Raises
    ------
    DataError
        If the archive or an event breaks a rule.
    """
    parts, labels, numbers = [], [], []
    try:
        with np.load(file, allow_pickle=False) as archive:
            for part in ("train", "test"):
                offsets = archive[f"{part}_offsets"].astype(np.int64)
                clock = np.cumsum(archive[f"{part}_dt"], dtype=np.int64)
                # What the clock showed when each sample began.
                start = np.concatenate([[0], clock])[offsets[:-1]]
                parts.append(
                    Events(
                        t=clock - np.repeat(start, np.diff(offsets)),
                        **{key: archive[f"{part}_{key}"] for key in "xyp"},
                        offsets=offsets,
                        width=_BIN_SENSOR,
                        height=_BIN_SENSOR,
                    )
                )
                labels.append(archive[f"{part}_labels"].astype(np.int64))
                numbers.append(np.full(len(parts[-1]), PART_NAMES.index(part)))
    except KeyError as error:
        raise DataError(f"Data file {name} must hold the keys of n-mnist-1k: {error}") from None
    except (EventError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"Data file {name}: {error}") from None
    events = Events.join(parts)
    return Source(
        labels=np.concatenate(labels),
        numbers=np.concatenate(numbers),
        take=lambda index: events[index],
    )
