# SPDX-License-Identifier: Apache-2.0
"""ECP5 bitstreams, taken apart by ecpunpack and packed by ecppack."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw.patch.block_ram import BLOCK_RAMS
from hw.patch.unpacked import BitstreamError, UnpackedBitstream
from hw.tools import MissingToolError, ToolError, run_tool

__all__ = ["Ecp5Bitstream"]

_SECTION = ".bram_init "
# Words of 9 bits, 8 a line.
_LINES, _WORDS, _WORD_BITS = BLOCK_RAMS["ecp5"].bits // 72, 8, 9


class Ecp5Bitstream(UnpackedBitstream):
    """A ``.bit`` file; places of block RAMs are the numbers that the bitstream gives them.

    Parameters
    ----------
    path
        The file.
    options
        Further options of the packer, as the file was made: what they set is not all in it.

    Raises
    ------
    BitstreamError
        If the file is not a whole ECP5 bitstream.
    """

    def __init__(self, path: Path, options: Sequence[str] = ()) -> None:
        self._options = list(options)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(path, Path(folder) / "top.bit")
            command = ["ecpunpack", "--input", "top.bit", "--textcfg", "top.config"]
            try:
                run_tool(command, folder=Path(folder))
            except MissingToolError:
                raise
            except ToolError as error:
                raise BitstreamError(f"{path} must be a whole ECP5 bitstream: {error}") from None
            text = (Path(folder) / "top.config").read_text(encoding="ascii")
        self._lines = text.splitlines()
        self._starts = {
            line.removeprefix(_SECTION): number + 1
            for number, line in enumerate(self._lines)
            if line.startswith(_SECTION)
        }
        blocks = {}
        for place, start in self._starts.items():
            words = " ".join(self._lines[start : start + _LINES]).split()
            values = np.array([int(word, 16) for word in words])
            bits = values[:, None] >> np.arange(_WORD_BITS) & 1
            blocks[place] = bits.astype(np.uint8).ravel()
        inside = {
            number for start in self._starts.values() for number in range(start, start + _LINES)
        }
        rest = [line for number, line in enumerate(self._lines) if number not in inside]
        super().__init__(blocks=blocks, rest="\n".join(rest).encode())

    def save(self, path: Path, blocks: Mapping[str, np.ndarray]) -> None:
        """See `UnpackedBitstream.save`."""
        lines = list(self._lines)
        for place, bits in blocks.items():
            values = bits.reshape(_LINES, _WORDS, _WORD_BITS) @ (1 << np.arange(_WORD_BITS))
            start = self._starts[place]
            lines[start : start + _LINES] = [
                " ".join(f"{word:03x}" for word in line) for line in values.tolist()
            ]
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "top.config").write_text("\n".join(lines) + "\n", encoding="ascii")
            command = ["ecppack", *self._options, "--input", "top.config", "--bit"]
            run_tool([*command, "top.bit"], folder=Path(folder))
            shutil.copyfile(Path(folder) / "top.bit", path)
