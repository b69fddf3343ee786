# SPDX-License-Identifier: Apache-2.0
"""The shipped networks, by name. No torch here: the host driver lists and loads them too."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from model.description import Network
from model.network_file import NetworkFileError, load_network

if TYPE_CHECKING:
    from model.yardstick import Yardstick

__all__ = [
    "NETWORKS",
    "YARDSTICKS",
    "load",
    "load_yardstick",
    "names",
    "path",
    "yardstick_names",
    "yardstick_path",
]

#: Folder of the shipped networks, ``<name>.safetensors`` each.
NETWORKS = Path(__file__).resolve().parent / "networks"
#: Folder of their yardsticks of float weights, which no gateware runs.
YARDSTICKS = NETWORKS / "full"

_SUFFIX = ".safetensors"


def names() -> tuple[str, ...]:
    """Names of the shipped networks, sorted."""
    return tuple(sorted(file.stem for file in NETWORKS.glob(f"*{_SUFFIX}")))


def path(name: str | os.PathLike[str]) -> Path:
    """Where a network lies.

    Parameters
    ----------
    name
        Name of a shipped network, or the path of a file (with its ``.safetensors``).

    Raises
    ------
    NetworkFileError
        If there is no such network.
    """
    given = os.fspath(name)
    if given in names():
        return NETWORKS / f"{given}{_SUFFIX}"
    if Path(given).suffix == _SUFFIX or Path(given).is_file():
        return Path(given)
    if given in yardstick_names():
        raise NetworkFileError(
            f"Network must have weights of one bit here, which the yardstick {given} has not; "
            "`popspike eval` takes it"
        )
    raise NetworkFileError(
        f"Network must be a {_SUFFIX} file or one of {', '.join(names())}, not {given!r}"
    )


def load(name: str | os.PathLike[str]) -> Network:
    """Load a shipped network by name, or any network by the path of its file.

    Raises
    ------
    NetworkFileError
        If there is no such network, or its file cannot be read.
    """
    return load_network(path(name))


def yardstick_names() -> tuple[str, ...]:
    """Names of the shipped yardsticks, sorted."""
    return tuple(sorted(file.stem for file in YARDSTICKS.glob(f"*{_SUFFIX}")))


def yardstick_path(name: str) -> Path:
    """Where a shipped yardstick lies.

    Raises
    ------
    NetworkFileError
        If there is none of that name.
    """
    if name not in yardstick_names():
        raise NetworkFileError(
            f"Yardstick must be one of {', '.join(yardstick_names())}, not {name!r}"
        )
    return YARDSTICKS / f"{name}{_SUFFIX}"


def load_yardstick(name: str) -> "Yardstick":
    """Load a shipped yardstick by name (needs torch).

    Raises
    ------
    NetworkError
        If there is none of that name, or its file cannot be read.
    """
    from model.yardstick import load_yardstick

    return load_yardstick(yardstick_path(name))
