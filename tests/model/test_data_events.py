# SPDX-License-Identifier: Apache-2.0
"""Events as data sets: the published file forms, folders, a user's own, and every refusal."""

import dataclasses
import hashlib
import io
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.data import DataError, open_dataset
from model.data.catalog import CATALOG, File
from model.data.event_files import parse_aedat2, parse_bin
from model.events import RASTERS, EventError, Events, rasterise

HEADER = b"#!AER-DAT2.0\r\n# made by a test\r\n"
EVENTS = [(5, 3, 30, 1), (70_000, 0, 33, 0), (8_388_607, 33, 0, 1)]  # t, x, y, p


def bin_file(events: list[tuple[int, int, int, int]]) -> bytes:
    """As the published description says it, event by event."""
    return b"".join(struct.pack(">BBI", x, y, (p << 31 | t << 8))[:5] for t, x, y, p in events)


def aedat_file(events: list[tuple[int, int, int, int]], start: int = 0) -> bytes:
    return HEADER + b"".join(
        struct.pack(">II", y << 8 | (127 - x) << 1 | (1 - p), (start + t) % (1 << 32))
        for t, x, y, p in events
    )


def listed(events: Events) -> list[tuple[int, int, int, int]]:
    columns = (events.t, events.x, events.y, events.p)
    return [tuple(row) for row in np.stack(columns, axis=1).tolist()]


def test_bin_form() -> None:
    found = parse_bin(bin_file(EVENTS))
    assert [tuple(row) for row in np.stack(list(found.values()), axis=1).tolist()] == EVENTS


def test_bin_form_with_a_clock_that_began_anew() -> None:
    found = parse_bin(bin_file([(8000, 1, 1, 0), (0, 0, 240, 0), (10, 2, 2, 1)]))
    assert found["t"].tolist() == [8000, 8202]
    assert found["x"].tolist() == [1, 2]


def test_bin_form_refuses_half_an_event() -> None:
    with pytest.raises(EventError, match=r"^Length must be 5 bytes an event, not 14 bytes$"):
        parse_bin(bin_file(EVENTS)[:-1])


def test_aedat_form() -> None:
    events = [(0, 48, 60, 1), (7, 127, 0, 0), (7, 0, 127, 1)]
    for start in (0, 123_456, (1 << 32) - 3):  # the last clock wraps
        found = parse_aedat2(aedat_file(events, start))
        assert [tuple(row) for row in np.stack(list(found.values()), axis=1).tolist()] == events


def test_aedat_form_drops_marks_of_synchronisation() -> None:
    content = aedat_file([(0, 48, 60, 1)]) + struct.pack(">II", 0x8000, 3)
    assert parse_aedat2(content)["t"].tolist() == [0]
    assert parse_aedat2(HEADER)["t"].size == 0


def test_aedat_form_refuses() -> None:
    text = "First line must begin with #!AER-DAT2.0, not b'#!AER-DAT3.1'"
    with pytest.raises(EventError, match=f"^{re.escape(text)}$"):
        parse_aedat2(b"#!AER-DAT3.1\r\n")
    with pytest.raises(EventError, match=r"^Length must be 8 bytes an event, not 7 bytes$"):
        parse_aedat2(aedat_file([(0, 1, 1, 1)])[:-1])


def test_folder_of_bin_files(tmp_path: Path) -> None:
    for part, count in (("Train", 6), ("Test", 2)):
        for index in range(count):
            path = tmp_path / part / str(index % 3) / f"{index:05}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bin_file([(index, index, 1, 0)]))
    dataset = open_dataset(tmp_path)
    sizes = [len(dataset.part(part)) for part in ("train", "validation", "test", "all")]
    assert sizes == [5, 1, 2, 8]
    test = dataset.part()  # a split is named: test
    assert isinstance(test.images, Events)
    assert test.labels.tolist() == [0, 1]
    assert test.images.x.tolist() == [0, 1]
    assert (test.images.width, test.images.height) == (34, 34)
    everything = dataset.part("all").images
    assert everything.offsets.tolist() == list(range(9))


def test_folder_without_parts_gives_every_fifth_to_tests(tmp_path: Path) -> None:
    for index in range(10):
        path = tmp_path / str(index // 5) / f"{index:05}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bin_file(EVENTS))
    dataset = open_dataset(tmp_path)
    assert len(dataset.part()) == 10
    assert dataset.part("test").labels.tolist() == [0, 1]


def test_folder_of_mnist_dvs(tmp_path: Path) -> None:
    events = [(0, 48, 73, 1), (4_999, 48, 73, 0), (5_000, 73, 48, 1), (5_001, 74, 48, 1)]
    for digit, scale, number in ((3, 4, 1), (3, 4, 900), (3, 4, 901), (3, 8, 1), (7, 4, 1000)):
        folder = tmp_path / f"grabbed_data{digit}" / f"scale{scale}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"mnist_{digit}_scale{scale:02}_{number:04}.aedat"
        (folder / name).write_bytes(aedat_file(events, 1000))
    dataset = open_dataset(tmp_path)
    assert dataset.part("all").labels.tolist() == [3, 3, 3, 7]  # scale 8 is left out
    test = dataset.part("test")
    assert test.labels.tolist() == [3, 7]
    assert listed(test.images[0]) == events
    raster = rasterise(RASTERS["mnist-dvs"], test.images)
    assert raster.shape == (2, 400, 1352)
    assert [np.flatnonzero(raster[0, step]).tolist() for step in range(3)] == [
        [25 * 26, 676 + 25 * 26],  # row 73, column 48, both polarities
        [676 + 25],  # row 48, column 73; column 74 lies outside the crop
        [],
    ]


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "Folder {} must hold .bin or .aedat files of events, not none"),
        (
            {"0/a.bin": b"", "0/a.aedat": HEADER},
            "Folder {} must hold .bin or .aedat files of events, not both",
        ),
        (
            {"zero/a.bin": b""},
            "Event file {}/zero/a.bin must lie in a folder that is named by the number of its "
            "class, not in 'zero'",
        ),
        (
            {"0/b.bin": b"", "Train/0/a.bin": b""},
            "Folder {0} must name the part of every event file or of none, not all but that of "
            "{0}/0/b.bin",
        ),
        (
            {"0/a.bin": b"1234"},
            "Event file {}/0/a.bin: Length must be 5 bytes an event, not 4 bytes",
        ),
        (
            {"0/a.bin": bin_file([(0, 34, 0, 0)])},
            "Event file {}/0/a.bin: Column of event 0 of sample 0 must lie in 0..33, not 34",
        ),
        (
            {"0/a.bin": bin_file([(9, 1, 0, 0), (8, 1, 0, 0)])},
            "Event file {}/0/a.bin: Time of event 1 of sample 0 must be at least the 9 us of the "
            "event before it, not 8 us",
        ),
    ],
)
def test_folder_refuses(tmp_path: Path, files: dict[str, bytes], text: str) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(text.format(folder))}$"):
        open_dataset(folder).part("all")


def own(**changed: Any) -> dict[str, Any]:
    fields = {
        "t": [0, 5, 5, 0],
        "x": [1, 2, 3, 4],
        "y": [0, 0, 1, 1],
        "p": [0, 1, 0, 1],
        "offsets": [0, 3, 4],
        "labels": [1, 0],
    }
    return {key: np.array(value) for key, value in {**fields, **changed}.items() if value != "no"}


def test_npz_of_events(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **own())
    samples = open_dataset(path).part()
    assert samples.labels.tolist() == [1, 0]
    assert isinstance(samples.images, Events)
    assert (samples.images.width, len(samples.head(1).images)) == (0, 1)
    np.savez(path, **own(split=["train", "test"], width=5, height=2))
    dataset = open_dataset(path)
    assert dataset.default_part == "test"
    test = dataset.part()
    assert listed(test.images) == [(0, 4, 1, 1)]
    assert (test.images.width, test.images.height) == (5, 2)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"labels": "no"},
            "Data file {} must hold t, x, y, p, offsets, labels; labels is missing, it has "
            "t, x, y, p, offsets",
        ),
        ({"width": [3, 3]}, "width of {} must be one integer of at least 1, not array([3, 3])"),
        ({"height": 0}, "height of {} must be one integer of at least 1, not array(0)"),
        (
            {"t": [0, 5, 4, 0]},
            "Data file {}: Time of event 2 of sample 0 must be at least the 5 us of the event "
            "before it, not 4 us",
        ),
        ({"height": 1}, "Data file {}: Row of event 2 of sample 0 must lie in 0..0, not 1"),
        (
            {"offsets": [0, 3, 3, 4]},
            "labels of {} must be integers of shape (3,), not int64 of shape (2,)",
        ),
        ({"labels": [0, -1]}, "labels of {} must not be negative, not -1"),
        (
            {"split": ["dev", "test"]},
            "split of {} must be 2 values out of train, validation, test or 0, 1, 2, not <U4 of "
            "shape (2,)",
        ),
    ],
)
def test_npz_of_events_refuses(tmp_path: Path, changed: dict[str, Any], text: str) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **own(**changed))
    with pytest.raises(DataError, match=f"^{re.escape(text.format(path))}$"):
        open_dataset(path)


def subset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """A file of the form of n-mnist-1k with 22 samples, in place of it."""
    arrays: dict[str, Any] = {}
    for part, count in (("train", 20), ("test", 2)):
        arrays |= {f"{part}_{key}": np.arange(2 * count, dtype=np.uint8) % 2 for key in "xyp"}
        arrays[f"{part}_dt"] = np.tile(np.array([100, 7], np.uint16), count)
        arrays[f"{part}_offsets"] = 2 * np.arange(count + 1, dtype=np.int32)
        arrays[f"{part}_labels"] = (np.arange(count) % 10).astype(np.uint8)
    arrays = {key: value for key, value in {**arrays, **changed}.items() if value is not None}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    sums = {"size": len(content), "md5": hashlib.md5(content).hexdigest()}
    file = File(name="n-mnist-1k.npz", **sums, raw_size=sums["size"], raw_md5=sums["md5"])
    entry = dataclasses.replace(CATALOG["n-mnist-1k"], files={"samples": file})
    monkeypatch.setitem(CATALOG, "n-mnist-1k", entry)
    (tmp_path / "n-mnist-1k.npz").write_bytes(content)


def test_n_mnist_subset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subset(tmp_path, monkeypatch)
    dataset = open_dataset("n-mnist-1k", data_dir=tmp_path)
    assert [len(dataset.part(part)) for part in ("train", "validation", "test")] == [16, 4, 2]
    assert listed(dataset.part("test").images) == [(100, 0, 0, 0), (107, 1, 1, 1)] * 2


def test_n_mnist_folds_cover_everything_once(tmp_path: Path, monkeypatch) -> None:
    subset(tmp_path, monkeypatch, train_labels=np.arange(20), test_labels=np.arange(20, 22))
    seen = []
    for fold in range(11):
        dataset = open_dataset(f"n-mnist-1k:{fold}", data_dir=tmp_path)
        parts = [dataset.part(part).labels for part in ("train", "validation", "test")]
        assert [len(part) for part in parts] == [16, 4, 2]
        assert sorted(np.concatenate(parts)) == list(range(22))
        seen += parts[2].tolist()
    assert sorted(seen) == list(range(22))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"test_dt": None},
            "Data file n-mnist-1k.npz must hold the keys of n-mnist-1k: ",
        ),
        (
            {"test_y": np.array([0, 1, 40, 1])},
            "Data file n-mnist-1k.npz: Row of event 0 of sample 1 must lie in 0..33, not 40",
        ),
    ],
)
def test_n_mnist_subset_refuses(tmp_path: Path, monkeypatch, changed, text: str) -> None:
    subset(tmp_path, monkeypatch, **changed)
    with pytest.raises(DataError, match=f"^{re.escape(text)}"):
        open_dataset("n-mnist-1k", data_dir=tmp_path).part()


def test_n_mnist_subset_that_is_nowhere(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("POPSPIKE_DATA", raising=False)
    with pytest.raises(DataError, match=r"no mirror of it is known: put n-mnist-1k\.npz into"):
        open_dataset("n-mnist-1k").part()
