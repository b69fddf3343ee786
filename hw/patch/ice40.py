# SPDX-License-Identifier: Apache-2.0
"""iCE40 bitstreams, taken apart and packed by icepack."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw.flow.tools import run_tool
from hw.patch.text_form import PACKED, TEXT, unpack
from hw.patch.unpacked import UnpackedBitstream

__all__ = ["Ice40Bitstream"]

_ROWS, _ROW_BITS = 16, 256


def _row_places() -> np.ndarray:
    """Number of the bit that stands at each place of a row of 256 bits.

    The text has the bits of INIT_0 to INIT_F, highest first; inside each group of 16 bits the
    order of the address is turned round (the mapping of SB_RAM40_4K in Yosys).
    """
    bit = np.arange(_ROW_BITS)
    turned = sum(((bit >> low) & 1) << (3 - low) for low in range(4))
    return (bit & ~0xF | turned)[::-1]


def _read(lines: Sequence[str]) -> np.ndarray:
    raw = np.frombuffer(bytes.fromhex("".join(lines)), np.uint8)
    rows = np.unpackbits(raw).reshape(_ROWS, _ROW_BITS)
    bits = np.empty_like(rows)
    bits[:, _row_places()] = rows
    return bits.ravel()


def _write(bits: np.ndarray) -> list[str]:
    rows = np.packbits(bits.reshape(_ROWS, _ROW_BITS)[:, _row_places()], axis=1)
    return [row.tobytes().hex() for row in rows]


class Ice40Bitstream(UnpackedBitstream):
    """A ``.bin`` file; places of block RAMs are ``"X Y"`` of their data tiles.

    Parameters
    ----------
    path
        The file.
    options
        Options of icepack with which it was made.

    Raises
    ------
    BitstreamError
        If the file is not a whole iCE40 bitstream.
    """

    def __init__(self, path: Path, options: Sequence[str] = ()) -> None:
        self._options = list(options)
        self._form = unpack(
            path, ["icepack", "-u", PACKED, TEXT], noun="iCE40", section=".ram_data ", size=_ROWS
        )
        blocks = {place: _read(self._form.section(place)) for place in self._form.starts}
        super().__init__(blocks=blocks, rest=self._form.rest.encode())

    def save(self, path: Path, blocks: Mapping[str, np.ndarray]) -> None:
        """See `UnpackedBitstream.save`."""
        lines = list(self._form.lines)
        for place, bits in blocks.items():
            start = self._form.starts[place]
            lines[start : start + _ROWS] = _write(bits)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / TEXT).write_text("\n".join(lines) + "\n", encoding="ascii")
            run_tool(["icepack", *self._options, TEXT, PACKED], folder=Path(folder))
            shutil.copyfile(Path(folder) / PACKED, path)

    def cross_check(self) -> None:
        """Nothing: icepack packed the file and has read it, and there is no other program."""
