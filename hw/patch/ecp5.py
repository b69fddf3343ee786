# SPDX-License-Identifier: Apache-2.0
"""ECP5 bitstreams, taken apart by ecpunpack and packed by ecppack."""

import numpy as np

from hw.patch.block_ram import BLOCK_RAMS
from hw.patch.text_bitstream import TextBitstream

__all__ = ["Ecp5Bitstream"]

# Words of 9 bits, 8 a line.
_WORDS, _WORD_BITS = 8, 9


class Ecp5Bitstream(TextBitstream):
    """A ``.bit`` file; places of block RAMs are the numbers that the bitstream gives them."""

    noun = "ECP5"
    section = ".bram_init "
    section_lines = BLOCK_RAMS["ecp5"].bits // (_WORDS * _WORD_BITS)

    def unpacker(self, packed: str, text: str) -> list[str]:
        """See `TextBitstream.unpacker`."""
        return ["ecpunpack", "--input", packed, "--textcfg", text]

    def packer(self, text: str, packed: str) -> list[str]:
        """See `TextBitstream.packer`."""
        return ["ecppack", "--input", text, "--bit", packed]

    def read(self, lines: list[str]) -> np.ndarray:
        """See `TextBitstream.read`."""
        words = np.array([int(word, 16) for line in lines for word in line.split()])
        return (words[:, None] >> np.arange(_WORD_BITS) & 1).astype(np.uint8).ravel()

    def write(self, bits: np.ndarray) -> list[str]:
        """See `TextBitstream.write`."""
        words = bits.reshape(-1, _WORDS, _WORD_BITS) @ (1 << np.arange(_WORD_BITS))
        return [" ".join(f"{word:03x}" for word in line) for line in words.tolist()]
