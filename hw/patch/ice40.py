# SPDX-License-Identifier: Apache-2.0
"""iCE40 bitstreams, taken apart and packed by icepack."""

import numpy as np

from hw.patch.text_bitstream import TextBitstream

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


class Ice40Bitstream(TextBitstream):
    """A ``.bin`` file; places of block RAMs are ``"X Y"`` of their data tiles."""

    noun = "iCE40"
    section = ".ram_data "
    section_lines = _ROWS

    def unpacker(self, packed: str, text: str) -> list[str]:
        """See `TextBitstream.unpacker`."""
        return ["icepack", "-u", packed, text]

    def packer(self, text: str, packed: str) -> list[str]:
        """See `TextBitstream.packer`."""
        return ["icepack", text, packed]

    def read(self, lines: list[str]) -> np.ndarray:
        """See `TextBitstream.read`."""
        raw = np.frombuffer(bytes.fromhex("".join(lines)), np.uint8)
        rows = np.unpackbits(raw).reshape(_ROWS, _ROW_BITS)
        bits = np.empty_like(rows)
        bits[:, _row_places()] = rows
        return bits.ravel()

    def write(self, bits: np.ndarray) -> list[str]:
        """See `TextBitstream.write`."""
        rows = np.packbits(bits.reshape(_ROWS, _ROW_BITS)[:, _row_places()], axis=1)
        return [row.tobytes().hex() for row in rows]
