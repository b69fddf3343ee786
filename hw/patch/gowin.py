# SPDX-License-Identifier: Apache-2.0
"""Gowin bitstreams, taken apart and written by the library that packs them, apycula."""

import functools
import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw.patch.unpacked import BitstreamError, UnpackedBitstream
from hw.vendor.block_ram import BLOCK_RAMS

__all__ = ["GowinBitstream"]

_BITS = BLOCK_RAMS["gowin"].bits
# Frames that hold the contents of a row of block RAMs.
_FRAMES = 256


def _frames_and_columns(first_columns: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Frame within its row of block RAMs, and column within its block, of each bit of a block.

    A word has 16 bits and 2 spare ones; of its address bits 4 and 5 choose a quarter of the
    frames, and bits 6 to 11 the frame in it. Quarters stand in the order 0, 2, 1, 3. The highest
    two bits of the address, with the bit's number, choose the column. As `gowin_pack` has it
    (``store_bsram_init_val``).

    Parameters
    ----------
    first_columns
        Column by ``4 * bit + highest address bits``, from the chip's data.
    """
    number = np.arange(_BITS)
    byte, bit = number // 9, number % 9
    # A spare bit has the address of the bit before.
    address = 8 * byte + np.minimum(bit, 7)
    quarter = np.array([0x00, 0x80, 0x40, 0xC0])[address >> 4 & 3]
    frame = _FRAMES - 1 - (quarter + (address >> 6 & 0x3F))
    line = 4 * (byte % 2 * 9 + bit) + (address >> 12)
    return frame, np.array([first_columns[index] for index in range(72)])[line]


_Places = dict[str, tuple[np.ndarray, np.ndarray]]


@functools.cache
def _geometry(chip: str) -> tuple[tuple[int, int], _Places]:
    """Frames and bits of one, of a chip, and frame and bit of each bit of its block RAMs."""
    from apycula.chipdb import load_chipdb

    resource = importlib.resources.files("apycula") / f"{chip}.msgpack.xz"
    with importlib.resources.as_file(resource) as file:
        database = load_chipdb(file)
    frames, columns = _frames_and_columns(
        {line: database.rev_logicinfo("BSRAM_INIT")[line][0] - 1 for line in range(72)}
    )
    rows = sorted(database.simplio_rows)
    places = {}
    for index, row in enumerate(rows):
        column = 0
        for cell in range(database.cols):
            if "BSRAM" in database[row, cell].bels:
                place = database.height + _FRAMES * index + frames, column + columns
                places[f"R{row + 1}C{cell + 1}"] = place
            column += database[0, cell].width
    return (database.height + _FRAMES * len(rows), database.width), places


class GowinBitstream(UnpackedBitstream):
    """A ``.fs`` file; places of block RAMs are ``"R<row>C<column>"`` of their first cell.

    Parameters
    ----------
    path
        The file.
    options
        Options of ``gowin_pack``, with ``-d`` and the chip.

    Raises
    ------
    BitstreamError
        If the file is not a whole bitstream of this chip.
    """

    def __init__(self, path: Path, options: Sequence[str]) -> None:
        from apycula import bslib

        chip = options[options.index("-d") + 1]
        shape, self._places = _geometry(chip)
        try:
            # Compares the check sum of each frame.
            bitmap, *self._around = bslib.read_bitstream(str(path))
            self._bitmap = np.array(bitmap, dtype=np.uint8)
        except OSError:
            raise
        except Exception as error:  # whatever a library makes of an odd file
            raise BitstreamError(
                f"{path} must be a whole Gowin bitstream, and apycula cannot read it"
            ) from error
        if self._bitmap.shape != shape:
            raise BitstreamError(
                f"{path} must be a bitstream of a {chip} with contents of its block RAMs, of "
                f"{shape} bits, not {self._bitmap.shape}"
            )
        blocks = {name: self._bitmap[place] for name, place in self._places.items()}
        emptied = self._bitmap.copy()
        for place in self._places.values():
            emptied[place] = 0
        header, footer, slots = self._around
        around = repr(([bytes(line) for line in (*header, *footer)], slots))
        super().__init__(blocks=blocks, rest=around.encode() + np.packbits(emptied).tobytes())

    def save(self, path: Path, blocks: Mapping[str, np.ndarray]) -> None:
        """See `UnpackedBitstream.save`."""
        from apycula import bslib

        bitmap = self._bitmap.copy()
        for name, bits in blocks.items():
            bitmap[self._places[name]] = bits
        header, footer, slots = self._around
        bslib.write_bitstream(str(path), bitmap, header, footer, False, slots)

    def cross_check(self) -> None:
        """Nothing: apycula packed the file and has read it, and there is no other program."""
