# SPDX-License-Identifier: Apache-2.0
"""Safetensors with a description as JSON. Torch-free."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from model.whole_file import whole_file

__all__ = ["read_tensor_file", "write_tensor_file"]


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
