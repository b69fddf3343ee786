# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there, and safetensors with a description as JSON. Torch-free."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

__all__ = ["read_tensor_file", "whole_file", "write_tensor_file"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes the path at the end: a kill leaves no partial file.

    Missing folders are made. If the block raises, what it wrote is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensor_file(
    path: Path, tensors: Mapping[str, np.ndarray], *, key: str, description: Mapping[str, Any]
) -> Path:
    """Write tensors, and a description under a key of the metadata; returns the path."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with whole_file(path) as temporary:
        save_file(arrays, temporary, metadata={key: json.dumps(description)})
    return path


def read_tensor_file(
    path: Path, *, key: str, noun: str, error: type[ValueError]
) -> tuple[Any, dict[str, np.ndarray]]:
    """Read what `write_tensor_file` wrote.

    Parameters
    ----------
    path
        The file.
    key
        Of the description.
    noun
        What the file is, in texts of errors.
    error
        Class of errors.

    Returns
    -------
    tuple
        The description as JSON gives it, and the tensors by name.

    Raises
    ------
    ValueError
        Of the class ``error``, if the file is missing, damaged or of another kind; the text names
        the file.
    """
    if not path.is_file():
        raise error(f"{noun} {path} does not exist")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(key)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as reason:
        raise error(f"{noun} {path} must be a whole safetensors file: {reason}") from None
    if text is None:
        raise error(f"{noun} {path} has no field {key!r}")
    try:
        return json.loads(text), tensors
    except ValueError as reason:
        raise error(f"{noun} {path}: {reason}") from None
