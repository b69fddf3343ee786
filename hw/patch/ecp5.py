# SPDX-License-Identifier: Apache-2.0
"""ECP5 bitstreams: contents of block RAMs replaced in the file, and read by ecpunpack, too."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw.patch.text_form import PACKED, TEXT, unpack
from hw.patch.unpacked import BitstreamError, UnpackedBitstream
from hw.vendor.block_ram import BLOCK_RAMS

__all__ = ["Ecp5Bitstream"]

_PREAMBLE = b"\xff\xff\xbd\xb3"
# Commands LSC_EBR_ADDRESS (number of the block above 11 bits of address) and LSC_EBR_WRITE (256
# frames of 72 bits, a CRC behind them); then words of 9 bits, highest first.
_SECTION = re.compile(rb"\xf6\0\0\0(....)\xb2\xd0\x01\0", re.DOTALL)
_ADDRESS_BITS, _WORD_BITS = 11, 9
_DATA_BYTES, _CRC_BYTES = BLOCK_RAMS["ecp5"].bits // 8, 2
_TEXT_WORDS = 8  # in a line of ecpunpack
_POLYNOMIAL = 0x8005


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value & 0x8000 else 0)) & 0xFFFF
        table.append(value)
    return table


_TABLE = _crc_table()


def _crc(data: bytes) -> bytes:
    """CRC-16 of commands (polynomial 0x8005, from 0, highest bit first)."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ _TABLE[value >> 8 ^ byte]
    return value.to_bytes(_CRC_BYTES, "big")


def _words(bits: np.ndarray) -> np.ndarray:
    """Bits of words of 9, turned round: from the file's order to ours, and back."""
    return bits.reshape(-1, _WORD_BITS)[:, ::-1].ravel()


class Ecp5Bitstream(UnpackedBitstream):
    """A ``.bit`` file; places of block RAMs are the numbers that the bitstream gives them.

    Everything else stays as it is, byte for byte.

    Parameters
    ----------
    path
        The file.
    options
        Options of ecppack with which it was made; not needed.

    Raises
    ------
    BitstreamError
        If the file is no ECP5 bitstream, or if contents of a block RAM do not have their CRC.
    """

    def __init__(self, path: Path, options: Sequence[str] = ()) -> None:
        del options
        self._path, self._raw = path, path.read_bytes()
        if _PREAMBLE not in self._raw:
            raise BitstreamError(f"{path} must be a whole ECP5 bitstream, and has no preamble")
        self._starts: dict[str, int] = {}
        blocks = {}
        masked = bytearray(self._raw)
        for found in _SECTION.finditer(self._raw):
            number, address = divmod(int.from_bytes(found[1], "big"), 1 << _ADDRESS_BITS)
            if address:
                continue
            begin, end = found.end(), found.end() + _DATA_BYTES
            if self._raw[end : end + _CRC_BYTES] != _crc(self._raw[found.start() : end]):
                raise BitstreamError(
                    f"{path} must be a whole ECP5 bitstream, and block RAM {number} in it does not "
                    "have its CRC"
                )
            self._starts[str(number)] = begin
            content = np.frombuffer(self._raw[begin:end], np.uint8)
            blocks[str(number)] = _words(np.unpackbits(content))
            masked[begin : end + _CRC_BYTES] = bytes(_DATA_BYTES + _CRC_BYTES)
        super().__init__(blocks=blocks, rest=bytes(masked))

    def save(self, path: Path, blocks: Mapping[str, np.ndarray]) -> None:
        """See `UnpackedBitstream.save`."""
        raw = bytearray(self._raw)
        for place, bits in blocks.items():
            begin = self._starts[place]
            end = begin + _DATA_BYTES
            raw[begin:end] = np.packbits(_words(bits)).tobytes()
            # From the first of the two commands, of 8 and 4 bytes.
            raw[end : end + _CRC_BYTES] = _crc(raw[begin - 12 : end])
        path.write_bytes(raw)

    def cross_check(self) -> None:
        """See `UnpackedBitstream.cross_check`: ecpunpack checks every CRC and reads the blocks."""
        form = unpack(
            self._path,
            ["ecpunpack", "--input", PACKED, "--textcfg", TEXT],
            noun="ECP5",
            section=".bram_init ",
            size=BLOCK_RAMS["ecp5"].bits // (_TEXT_WORDS * _WORD_BITS),
        )
        if form.starts.keys() != self.blocks.keys():
            raise BitstreamError(f"{self._path} must hold the block RAMs that ecpunpack finds")
        for place, bits in self.blocks.items():
            words = np.array(
                [int(word, 16) for line in form.section(place) for word in line.split()]
            )
            read = words[:, None] >> np.arange(_WORD_BITS) & 1
            if not np.array_equal(read, bits.reshape(-1, _WORD_BITS)):
                raise BitstreamError(
                    f"Block RAM {place} of {self._path} must be what ecpunpack reads, and is not"
                )
