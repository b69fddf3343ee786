# SPDX-License-Identifier: Apache-2.0
"""Block RAMs of the families, their bits numbered as Yosys numbers initial contents."""

import dataclasses

import numpy as np

__all__ = ["BLOCK_RAMS", "BlockRam"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlockRam:
    """A block RAM: how many bits, and which of them a word of each width takes.

    Yosys gives a block its contents as one string of bits, words of the smallest width side by
    side; the rows of wider words follow each other there.

    Parameters
    ----------
    bits
        Bits of a block.
    widths
        Widths that a port can have.
    spare_bits
        Every ninth bit is spare: words of fewer than 9 bits do not reach it.
    """

    bits: int
    widths: tuple[int, ...]
    spare_bits: bool

    def depth(self, width: int) -> int:
        """Words of a width."""
        data_bits = self.bits * 8 // 9 if self.spare_bits and width < 9 else self.bits
        return data_bits // width

    def places(self, width: int) -> np.ndarray:
        """Number of each bit of each word: int (depth, width), bit 0 first."""
        number = np.arange(self.depth(width) * width)
        if self.spare_bits and width < 9:
            number = number // 8 * 9 + number % 8
        return number.reshape(-1, width)


_LARGE = BlockRam(bits=18432, widths=(36, 18, 9, 4, 2, 1), spare_bits=True)

#: Block RAM of each family: SB_RAM40_4K, DP16KD, and Gowin's BSRAM.
BLOCK_RAMS = {
    "ice40": BlockRam(bits=4096, widths=(16, 8, 4, 2), spare_bits=False),
    "ecp5": _LARGE,
    "gowin": _LARGE,
}
