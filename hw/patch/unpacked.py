# SPDX-License-Identifier: Apache-2.0
"""A bitstream taken apart: the contents of its block RAMs, and everything else."""

import abc
import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

__all__ = ["BitstreamError", "UnpackedBitstream"]


class BitstreamError(ValueError):
    """A file that is no whole bitstream of its family; the text names it."""


class UnpackedBitstream(abc.ABC):
    """A bitstream taken apart.

    Parameters
    ----------
    blocks
        Contents of each block RAM by its place: uint8 of 0 and 1, numbered as in
        `hw.vendor.block_ram`.
    rest
        Everything else that the bitstream says.
    """

    def __init__(self, *, blocks: dict[str, np.ndarray], rest: bytes) -> None:
        self.blocks = blocks
        self.rest = rest

    def identity(self, masked: Collection[str]) -> str:
        """SHA-256 of everything but the contents of these block RAMs, in hexadecimal."""
        digest = hashlib.sha256(self.rest)
        for place, bits in sorted(self.blocks.items()):
            digest.update(place.encode())
            if place not in masked:
                digest.update(np.packbits(bits).tobytes())
        return digest.hexdigest()

    @abc.abstractmethod
    def save(self, path: Path, blocks: Mapping[str, np.ndarray]) -> None:
        """Write a bitstream that differs in the contents of these block RAMs.

        Raises
        ------
        hw.flow.tools.ToolError
            If the packer fails.
        """

    @abc.abstractmethod
    def cross_check(self) -> None:
        """Read the file with another program, where there is one, and compare.

        Raises
        ------
        BitstreamError
            If that program cannot read the file, or reads something else.
        """
