# SPDX-License-Identifier: Apache-2.0
"""iCE40 bitstreams, taken apart and packed by icepack."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw.patch.unpacked import BitstreamError, UnpackedBitstream
from hw.tools import MissingToolError, ToolError, run_tool

__all__ = ["Ice40Bitstream"]

_SECTION = ".ram_data "
_ROWS, _ROW_BITS = 16, 256


def _row_places() -> np.ndarray:
    """Number of the bit that stands at each place of a row of 256 bits.

    The text has the bits of INIT_0 to INIT_F, highest first; inside each group of 16 bits the
    order of the address is turned round (the mapping of SB_RAM40_4K in Yosys).
    """
    bit = np.arange(_ROW_BITS)
    swapped = sum(((bit >> low) & 1) << (3 - low) for low in range(4))
    return (bit & ~0xF | swapped)[::-1]


class Ice40Bitstream(UnpackedBitstream):
    """A ``.bin`` file; places of block RAMs are ``"X Y"`` of their data tiles.

    Parameters
    ----------
    path
        The file.
    options
        Further options of the packer.

    Raises
    ------
    BitstreamError
        If the file is not a whole iCE40 bitstream.
    """

    def __init__(self, path: Path, options: Sequence[str] = ()) -> None:
        self._options = list(options)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(path, Path(folder) / "top.bin")
            try:
                run_tool(["icepack", "-u", "top.bin", "top.asc"], folder=Path(folder))
            except MissingToolError:
                raise
            except ToolError as error:
                raise BitstreamError(f"{path} must be a whole iCE40 bitstream: {error}") from None
            text = (Path(folder) / "top.asc").read_text(encoding="ascii")
        self._lines = text.splitlines()
        self._starts = {
            line.removeprefix(_SECTION): number + 1
            for number, line in enumerate(self._lines)
            if line.startswith(_SECTION)
        }
        order = _row_places()
        blocks = {}
        for place, start in self._starts.items():
            raw = bytes.fromhex("".join(self._lines[start : start + _ROWS]))
            rows = np.unpackbits(np.frombuffer(raw, np.uint8)).reshape(_ROWS, _ROW_BITS)
            bits = np.empty_like(rows)
            bits[:, order] = rows
            blocks[place] = bits.ravel()
        inside = {
            number for start in self._starts.values() for number in range(start, start + _ROWS)
        }
        rest = [line for number, line in enumerate(self._lines) if number not in inside]
        super().__init__(blocks=blocks, rest="\n".join(rest).encode())

    def save(self, path: Path, blocks: Mapping[str, np.ndarray]) -> None:
        """See `UnpackedBitstream.save`."""
        lines = list(self._lines)
        for place, bits in blocks.items():
            rows = np.packbits(bits.reshape(_ROWS, _ROW_BITS)[:, _row_places()], axis=1)
            start = self._starts[place]
            lines[start : start + _ROWS] = [row.tobytes().hex() for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "top.asc").write_text("\n".join(lines) + "\n", encoding="ascii")
            command = ["icepack", *self._options, "top.asc", "top.bin"]
            run_tool(command, folder=Path(folder))
            shutil.copyfile(Path(folder) / "top.bin", path)
