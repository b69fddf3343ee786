# SPDX-License-Identifier: Apache-2.0
"""Data sets: where they are looked for, what is refused, how they are split."""

import dataclasses
import gzip
import hashlib
import http.server
import re
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.data import DataError, names, open_dataset
from model.data.catalog import CATALOG, Entry, File
from model.data.files import cache_folder, download, read_checked, read_role
from model.data.forms import parse_idx


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def described(name: str, raw: bytes) -> tuple[File, bytes]:
    packed = gzip.compress(raw, mtime=0)
    return (
        File(
            name=name,
            size=len(packed),
            md5=hashlib.md5(packed).hexdigest(),
            raw_size=len(raw),
            raw_md5=hashlib.md5(raw).hexdigest(),
        ),
        packed,
    )


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("POPSPIKE_DATA", raising=False)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Entry, dict[str, bytes]]:
    """MNIST's form with 10,020 training and 7 test images of 2x3 pixels, in place of MNIST."""
    rng = np.random.default_rng(1)
    files, contents = {}, {}
    for role, shape in {
        "train-images": (10_020, 2, 3),
        "train-labels": (10_020,),
        "test-images": (7, 2, 3),
        "test-labels": (7,),
    }.items():
        raw = idx(rng.integers(0, 10, shape))
        files[role], contents[role] = described(f"{role}.gz", raw)
    entry = dataclasses.replace(CATALOG["mnist"], files=files, mirrors=())
    monkeypatch.setitem(CATALOG, "mnist", entry)
    return entry, contents


def place(entry: Entry, contents: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True)
    for role, file in entry.files.items():
        (folder / file.name).write_bytes(contents[role])


def test_catalog_is_consistent() -> None:
    for name, entry in CATALOG.items():
        assert entry.name == name
        assert all(re.fullmatch("[0-9a-f]{32}", f.md5 + "") for f in entry.files.values())
        assert all(mirror.endswith("/") for mirror in entry.mirrors)


def test_mnist_like_splits(small, tmp_path: Path) -> None:
    place(*small, tmp_path / "data" / "mnist")
    dataset = open_dataset("mnist", data_dir=tmp_path / "data")
    sizes = {part: len(dataset.part(part)) for part in ("train", "validation", "test", "all")}
    assert sizes == {"train": 20, "validation": 10_000, "test": 7, "all": 10_027}
    assert dataset.part().images.shape == (7, 2, 3)
    everything = dataset.part("all").images
    assert np.array_equal(everything[20:10_020], dataset.part("validation").images)
    assert dataset.part("train").labels.dtype == np.int64


def test_places_are_tried_in_order(small, tmp_path: Path, monkeypatch) -> None:
    entry, contents = small
    place(entry, contents, cache_folder() / "mnist")
    assert len(open_dataset("mnist").part("test")) == 7
    other = tmp_path / "named"
    place(entry, contents | {"test-labels": b"broken"}, other / "mnist")
    monkeypatch.setenv("POPSPIKE_DATA", str(other))
    with pytest.raises(DataError, match="named.*truncated"):
        open_dataset("mnist").part("test")
    place(entry, contents, tmp_path / "first")  # files directly in the folder
    assert len(open_dataset("mnist", data_dir=tmp_path / "first").part("test")) == 7


def test_raw_and_repacked_files_are_read(tmp_path: Path) -> None:
    raw = bytes(range(200)) * 3
    file, packed = described("a.gz", raw)
    (tmp_path / "a").write_bytes(raw)
    (tmp_path / "a.gz").write_bytes(packed)
    (tmp_path / "b.gz").write_bytes(gzip.compress(raw, compresslevel=1, mtime=7))
    for name in ("a", "a.gz", "b.gz"):
        assert read_checked(tmp_path / name, file) == raw


def test_damaged_files_are_named_with_both_checksums(tmp_path: Path) -> None:
    raw = bytes(range(200)) * 3
    file, packed = described("a.gz", raw)
    flipped = bytes([*packed[:30], packed[30] ^ 1, *packed[31:]])
    for content, state in (
        (packed[:40], "truncated"),
        (flipped, "corrupted"),
        (packed + b"x", "another file"),
    ):
        path = tmp_path / "a.gz"
        path.write_bytes(content)
        text = (
            f"File {path} is {state}: expected {file.size} bytes with md5 {file.md5}, found "
            f"{len(content)} bytes with md5 {hashlib.md5(content).hexdigest()}"
        )
        with pytest.raises(DataError, match=f"^{re.escape(text)}$"):
            read_checked(path, file)
    path = tmp_path / "a"
    path.write_bytes(raw[:-1] + b"\0")
    with pytest.raises(DataError, match=f"corrupted: expected 600 bytes with md5 {file.raw_md5}"):
        read_checked(path, file)


def test_missing_data_names_two_ways_out(small, monkeypatch) -> None:
    # nothing listens on port 1
    entry = dataclasses.replace(small[0], mirrors=("http://127.0.0.1:1/",))
    monkeypatch.setitem(CATALOG, "mnist", entry)
    with pytest.raises(DataError, match="(?s)not on this machine.*Two ways out.*POPSPIKE_DATA="):
        open_dataset("mnist").part("test")


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file with ranges; cuts the connection as often as `cuts` says."""

    content = b""
    cuts = 0
    ranges: list[str] = []

    def do_GET(self) -> None:
        cls = type(self)
        start = 0
        asked = self.headers.get("Range")
        cls.ranges.append(asked or "")
        if asked:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = cls.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if cls.cuts:
            cls.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[tuple[str, type[Server]]]:
    handler = type("Handler", (Server,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_resumes_and_shows_progress(mirror, tmp_path: Path) -> None:
    address, handler = mirror
    file, packed = described("a.gz", np.random.default_rng(2).bytes(5000))
    handler.content, handler.cuts = packed, 1
    seen: list[tuple[str, int, int]] = []
    path = tmp_path / "new" / "a.gz"
    reasons = download(file, path, mirrors=[address], progress=lambda *now: seen.append(now))
    assert reasons == []
    assert path.read_bytes() == packed
    assert handler.ranges == ["", f"bytes={len(packed) // 2}-"]
    assert seen[-1] == ("a.gz", len(packed), len(packed))
    assert not path.with_name("a.gz.part").exists()


def test_download_continues_an_earlier_run_and_goes_on_to_the_next_mirror(
    mirror, tmp_path: Path
) -> None:
    address, handler = mirror
    file, packed = described("a.gz", np.random.default_rng(3).bytes(3000))
    handler.content = packed
    (tmp_path / "a.gz.part").write_bytes(packed[:1000])
    assert download(file, tmp_path / "a.gz", mirrors=["http://127.0.0.1:9/", address]) == []
    assert handler.ranges == ["bytes=1000-"]


def test_download_of_a_wrong_file_is_refused(mirror, tmp_path: Path) -> None:
    address, handler = mirror
    file, packed = described("a.gz", bytes(1000))
    handler.content = bytes(len(packed))
    entry = dataclasses.replace(CATALOG["mnist"], files={"samples": file}, mirrors=(address,))
    wrong = hashlib.md5(handler.content).hexdigest()
    with pytest.raises(DataError, match=f"with md5 {wrong}, expected {file.size} with md5"):
        read_role(entry, "samples")
    assert not list((cache_folder() / "mnist").iterdir())


def test_cut_download_says_how_far_it_came(mirror, tmp_path: Path) -> None:
    address, handler = mirror
    file, packed = described("a.gz", np.random.default_rng(4).bytes(900))
    handler.content, handler.cuts = packed, 99
    [reason] = download(file, tmp_path / "a.gz", mirrors=[address])
    assert re.search(rf"cut after \d+ of {file.size} bytes", reason)
    assert (tmp_path / "a.gz.part").exists()


def test_idx_header_is_checked() -> None:
    good = idx(np.zeros((2, 3), np.uint8))
    assert parse_idx(good, "f").shape == (2, 3)
    for content, text in (
        (b"PK\3\4" + good, "IDX file f must start with 00 00 08, not 50 4b 03"),
        (good[:6], "IDX file f must have a header of 12 bytes"),
        (good[:-1], "IDX file f must hold 6 values, not 5"),
    ):
        with pytest.raises(DataError, match=f"^{text}$"):
            parse_idx(content, "f")


def test_shipped_sets_need_no_files() -> None:
    digits = open_dataset("digits")
    assert [len(digits.part(p)) for p in ("train", "validation", "test")] == [1079, 359, 359]
    assert digits.part().images.shape == (359, 8, 8)
    assert digits.part("all").images.max() == 240
    samples = open_dataset("mnist-samples").part()
    assert samples.images.shape == (300, 28, 28)
    assert np.bincount(samples.labels).tolist() == [30] * 10


def test_unknown_names() -> None:
    known = ", ".join(names())
    text = f"Data set must be one of {known}, an .npz file or a folder of event files, not 'cifar'"
    with pytest.raises(DataError, match=f"^{text}$"):
        open_dataset("cifar")
    with pytest.raises(DataError, match="^Part must be one of train, validation, test, all, not "):
        open_dataset("digits").part("dev")
    with pytest.raises(DataError, match="must have samples in its part train, not none"):
        open_dataset("mnist-samples").part("train")


def test_npz_of_the_user(tmp_path: Path) -> None:
    x = np.arange(60, dtype=np.uint8).reshape(10, 6)
    y = np.arange(10) % 3
    path = tmp_path / "own.npz"
    np.savez(path, x=x, y=y)
    own = open_dataset(path)
    assert len(own.part()) == 10  # no split named: an evaluation takes all of it
    assert own.part("test").labels.tolist() == [1, 0]
    assert own.part("validation").labels.tolist() == [0, 2]
    assert len(own.part("train")) == 6
    np.savez(path, x=x.reshape(10, 2, 3), y=y, split=np.array(["train"] * 7 + ["test"] * 3))
    own = open_dataset(path)
    assert own.part().images.shape == (3, 2, 3)
    assert own.part("validation").labels.tolist() == [1]
    assert len(own.part("train")) == 6
    np.savez(path, x=x, y=y, split=np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]))
    assert open_dataset(path).part("validation").labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": np.zeros((2, 3), np.uint8)}, "must hold x and y; y is missing"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(2, int)}, "x of .* must be uint8 .*not float64"),
        ({"x": np.zeros(2, np.uint8), "y": np.zeros(2, int)}, r"not uint8 of shape \(2,\)"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.zeros(3, int)}, "y of .* must be integers"),
        ({"x": np.zeros((2, 3), np.uint8), "y": np.array([0, -1])}, "must not be negative, not -1"),
        (
            {"x": np.zeros((1, 3), np.uint8), "y": np.zeros(1, int), "split": np.array(["dev"])},
            "split of .* must be 1 values out of train, validation, test",
        ),
    ],
)
def test_npz_of_another_form_is_refused(tmp_path: Path, arrays, text: str) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=text):
        open_dataset(path)


def test_truncated_or_missing_npz(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    with pytest.raises(DataError, match=r"own.npz does not exist"):
        open_dataset(path)
    np.savez(path, x=np.zeros((9, 9), np.uint8), y=np.zeros(9, int))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"own.npz must be a whole .npz archive"):
        open_dataset(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"own.npz must be a whole .npz archive"):
        open_dataset(path)
