# SPDX-License-Identifier: Apache-2.0
"""Finds the files of a data set, checks them, and downloads them with resume.

Order: the folder given (``--data-dir``), the folder in ``POPSPIKE_DATA``, what ships with the
package, the cache folder, the public mirrors. A file that is there but damaged is an error and
is never passed over in silence.
"""

import gzip
import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from model.data.catalog import Entry, File
from model.data.errors import DataError

__all__ = [
    "Progress",
    "cache_folder",
    "download",
    "read_checked",
    "read_role",
    "recordings",
    "search_folders",
]

#: Called while a download runs with file name, bytes so far, bytes in all.
Progress = Callable[[str, int, int], None]

_SAMPLES = Path(__file__).resolve().parent.parent / "samples"
_TIMEOUT_S = 20
_TRIES_PER_MIRROR = 3
_CHUNK = 1 << 16
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, OSError)


def cache_folder() -> Path:
    """Folder that downloads go to: ``$XDG_CACHE_HOME/popspike/data`` or below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "popspike" / "data"


def search_folders(entry: Entry, data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """Every folder in which the files of a data set may lie, first choice first."""
    bases = [data_dir, os.environ.get("POPSPIKE_DATA"), _SAMPLES, cache_folder()]
    return [Path(base) / folder for base in bases if base for folder in entry.folders]


def read_role(
    entry: Entry,
    role: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    may_download: bool = True,
) -> bytes:
    """Return the decompressed contents of one file of a data set.

    Parameters
    ----------
    entry, role
        Data set and the file's role in it.
    data_dir
        First folder to look in.
    progress
        Called while a download runs.
    may_download
        Fetch a file that is on no folder of this machine.

    Raises
    ------
    DataError
        If a file is damaged, or is neither there nor to be had from a mirror.
    """
    file = entry.files[role]
    path = _found(search_folders(entry, data_dir), file)
    if path is not None:
        return read_checked(path, file)
    if not may_download:
        raise DataError(f"Data set {entry.name} is not on this machine: no {file.name}")
    if not entry.mirrors and not file.elsewhere:
        raise DataError(
            f"Data set {entry.name} is not on this machine and no mirror of it is known: put "
            f"{file.name} into a folder FOLDER/{entry.folders[0]} and say so with --data-dir "
            "FOLDER or POPSPIKE_DATA=FOLDER"
        )
    folder = cache_folder() / entry.name
    reasons = download(file, folder / file.name, mirrors=entry.mirrors, progress=progress)
    path = _found([folder], file)
    if path is None:
        places = ", ".join(
            str(base) for base in (data_dir, os.environ.get("POPSPIKE_DATA")) if base
        )
        raise DataError(
            f"Data set {entry.name} is not on this machine and could not be downloaded: "
            f"no {file.name} in {places + ' or ' if places else ''}{cache_folder()}; "
            f"{'; '.join(reasons)}.\n"
            "Two ways out: run the command again with a network, or put the files into a folder "
            f"FOLDER/{entry.folders[0]} and say so with --data-dir FOLDER or POPSPIKE_DATA=FOLDER."
        )
    return read_checked(path, file)


def _found(folders: Sequence[Path], file: File) -> Path | None:
    """First place of a file, in its published or raw form."""
    places = (folder / name for folder in folders for name in (file.name, file.raw_name))
    return next((place for place in places if place.is_file()), None)


def read_checked(path: Path, file: File) -> bytes:
    """Return the contents of a file, decompressed if it is a ``.gz``, after its checks.

    A ``.gz`` or ``.zip`` that was packed by another program is fine as long as what counts in it
    is right.

    Raises
    ------
    DataError
        Naming the path, and expected and found size or md5.
    """
    content = path.read_bytes()
    is_published = path.name == file.name
    if is_published and _md5(content) == file.md5:
        return _unpacked(path, content)
    if _is_right(path, content, file):
        return _unpacked(path, content)
    size, md5 = (file.size, file.md5) if is_published else (file.raw_size, file.raw_md5)
    if len(content) < size:
        state = "truncated"
    elif len(content) == size:
        state = "corrupted"
    else:
        state = "another file"
    raise DataError(
        f"File {path} is {state}: expected {size} bytes with md5 {md5}, "
        f"found {len(content)} bytes with md5 {_md5(content)}"
    )


def recordings(content: bytes) -> dict[str, bytes]:
    """Recordings (``.wav``) of a ``.zip`` by name, in the order of the names; folders do not count.

    Raises
    ------
    zipfile.BadZipFile
        If it is no whole archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        places = {Path(place).name: place for place in archive.namelist() if place.endswith(".wav")}
        return {name: archive.read(places[name]) for name in sorted(places)}


def _unpacked(path: Path, content: bytes) -> bytes:
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _is_right(path: Path, content: bytes, file: File) -> bool:
    """Whether what counts in a file is what was published."""
    try:
        raw = _unpacked(path, content)
        if path.suffix == ".zip":
            raw = b"".join(name.encode() + each for name, each in recordings(raw).items())
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        return False
    return len(raw) == file.raw_size and _md5(raw) == file.raw_md5


def download(
    file: File, path: Path, *, mirrors: Sequence[str], progress: Progress | None = None
) -> list[str]:
    """Download one file into place, resuming what an earlier try left in ``<name>.part``.

    Where no mirror has it, the same in another packing is fetched, as a whole, and kept under the
    file's raw name.

    Returns
    -------
    list of str
        Empty if the file is in place and its md5 is right, else why each mirror failed.
    """
    reasons = []
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for mirror in mirrors:
        reason = ""
        for _ in range(_TRIES_PER_MIRROR):
            try:
                _continue_download(mirror + file.name, part, file, progress)
            except _NETWORK_ERRORS as error:
                reason = _words(error)
                if isinstance(error, urllib.error.URLError):
                    break  # no such host, no such file: the same answer would come again
                continue
            size = part.stat().st_size
            if size < file.size:
                reason = f"connection cut after {size} of {file.size} bytes"
                continue
            found = _md5(part.read_bytes())
            if size == file.size and found == file.md5:
                part.replace(path)
                return []
            part.unlink()
            reason = f"sent {size} bytes with md5 {found}, expected {file.size} with md5 {file.md5}"
            break
        reasons.append(f"{mirror} {reason}")
    if file.elsewhere:
        reason = _fetch_elsewhere(file, path.with_name(file.raw_name), progress)
        if not reason:
            return []
        reasons.append(f"{file.elsewhere} {reason}")
    return reasons or ["no mirror is known"]


def _fetch_elsewhere(file: File, path: Path, progress: Progress | None) -> str:
    """Fetch what counts in another packing; why not, or nothing if it is in place."""
    received = bytearray()
    try:
        with urllib.request.urlopen(file.elsewhere, timeout=_TIMEOUT_S) as reply:
            # An archive that is made on request comes without its length.
            total = int(reply.headers.get("Content-Length") or file.raw_size)
            while chunk := reply.read(_CHUNK):
                received += chunk
                if progress and len(received) < total:
                    progress(file.raw_name, len(received), total)
    except _NETWORK_ERRORS as error:
        return _words(error)
    content = bytes(received)
    if progress:
        progress(file.raw_name, len(content), len(content))
    if not _is_right(path, content, file):
        return f"sent {len(content)} bytes in which the contents of {file.raw_name} are not right"
    part = path.with_name(path.name + ".new")
    part.write_bytes(content)
    part.replace(path)
    return ""


def _words(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)


def _continue_download(url: str, part: Path, file: File, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= file.size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
        resumed = have and reply.status == http.client.PARTIAL_CONTENT
        done = have if resumed else 0
        with part.open("ab" if resumed else "wb") as out:
            while chunk := reply.read(_CHUNK):
                out.write(chunk)
                done += len(chunk)
                if progress:
                    progress(file.name, done, file.size)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
