# SPDX-License-Identifier: Apache-2.0
"""Put a network into a finished bitstream, and prove it by taking the result apart again."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.design.design import Design
from hw.formats.contents import Contents, check_contents
from hw.patch.ecp5 import Ecp5Bitstream
from hw.patch.gowin import GowinBitstream
from hw.patch.ice40 import Ice40Bitstream
from hw.patch.memories import stored_bits, stored_memories
from hw.patch.memory_map import MapError, MemoryMap, find_pieces
from hw.patch.unpacked import BitstreamError, UnpackedBitstream
from hw.vendor.block_ram import BLOCK_RAMS
from model.whole_file import whole_file

__all__ = [
    "Patched",
    "map_memories",
    "map_path",
    "packer_options",
    "patch_bitstream",
    "read_memories",
]

# What packers are given beside options.
_FILE_OPTIONS = ("--input", "--bit", "--svf", "-o")
_FILES = (".asc", ".bin", ".json")
_KINDS = {"ice40": Ice40Bitstream, "ecp5": Ecp5Bitstream, "gowin": GowinBitstream}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patched:
    """A bitstream that was patched and verified.

    Parameters
    ----------
    path
        The file.
    blocks
        Block RAMs in which the network stands.
    bits
        Bits of the memories that were compared after the finished file was taken apart.
    changed_bits
        Bits that differ from the file before.
    """

    path: Path
    blocks: int
    bits: int
    changed_bits: int


def map_path(path: Path) -> Path:
    """Where the map of a bitstream is kept: beside it, as ``NAME.memories.json``."""
    return path.with_suffix(".memories.json")


def packer_options(command: Sequence[str]) -> tuple[str, ...]:
    """Options of a packer's command line, without program and files."""
    options, words = [], iter(command[1:])
    for word in words:
        if word in _FILE_OPTIONS:
            next(words)
        elif not word.endswith(_FILES):
            options.append(word)
    return tuple(options)


def _open(family: str, path: Path, options: Sequence[str]) -> UnpackedBitstream:
    return _KINDS[family](path, options)


def map_memories(
    path: Path, *, family: str, options: Sequence[str], design: Design, contents: Contents
) -> MemoryMap:
    """Find the memories of a bitstream that was built with placeholders.

    Parameters
    ----------
    path
        The bitstream.
    family
        Of its chip.
    options
        Options of the packer that made it.
    design
        The gateware.
    contents
        The placeholders.

    Raises
    ------
    MapError
        If a memory is not found, or if taking the file apart and packing it again does not give
        the same file.
    """
    unpacked = _open(family, path, options)
    unpacked.cross_check()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.again")
    try:
        unpacked.save(temporary, {})
        if temporary.read_bytes() != path.read_bytes():
            raise MapError(f"{path} must be the same file when packed again, and is not")
    finally:
        temporary.unlink(missing_ok=True)
    pieces = find_pieces(
        unpacked.blocks,
        stored_bits(contents, design),
        stored_memories(design),
        BLOCK_RAMS[family],
    )
    return MemoryMap(
        family=family,
        options=tuple(options),
        design=design,
        identity=unpacked.identity({piece.place for piece in pieces}),
        pieces=pieces,
    )


def _open_mapped(path: Path, memory_map: MemoryMap) -> UnpackedBitstream:
    """Take apart a bitstream that a map belongs to."""
    unpacked = _open(memory_map.family, path, memory_map.options)
    missing = memory_map.places - unpacked.blocks.keys()
    if missing or unpacked.identity(memory_map.places) != memory_map.identity:
        unpacked.cross_check()  # says if the file is damaged
        raise BitstreamError(
            f"{path} must be the bitstream that the map of memories was made of, and is one of "
            "another design or build"
        )
    return unpacked


def read_memories(path: Path, memory_map: MemoryMap) -> dict[str, np.ndarray]:
    """Read the memories out of a bitstream, by name: uint8 (rows, row_bits), bit 0 first.

    Raises
    ------
    BitstreamError
        If the file is not whole, is of another design or build, or if copies of a memory differ.
    """
    block = BLOCK_RAMS[memory_map.family]
    memories = {memory.name: memory for memory in stored_memories(memory_map.design)}
    unset = 2
    found = {
        memory.name: np.full((memory.rows, memory.row_bits), unset, np.uint8)
        for memory in memories.values()
    }
    unpacked = _open_mapped(path, memory_map)
    unpacked.cross_check()
    for piece in memory_map.pieces:
        memory = memories[piece.memory]
        bits = unpacked.blocks[piece.place][piece.places(memory, block)]
        view = found[piece.memory][piece.rows(memory, block), piece.columns(memory)]
        if not ((view == unset) | (view == bits)).all():
            raise BitstreamError(f"Copies of {piece.memory} in {path} must be equal, and differ")
        view[:] = bits
    if any((bits == unset).any() for bits in found.values()):
        raise MapError("Map of memories must cover them all, and does not")
    return found


def patch_bitstream(path: Path, memory_map: MemoryMap, contents: Contents, out: Path) -> Patched:
    """Write a bitstream with other contents, and verify it before it gets its name.

    Parameters
    ----------
    path
        Bitstream of a gateware in which a network is resident; it is not changed unless it is
        ``out``, too.
    memory_map
        Its map.
    contents
        The new contents.
    out
        Where the new bitstream goes.

    Raises
    ------
    BitstreamError
        If the file is not whole or is of another design or build, or if what is read back is not
        what was wanted; nothing is written then.
    ValueError
        If the contents are not of the map's design.
    """
    wanted = stored_bits(check_contents(contents, memory_map.design), memory_map.design)
    unpacked = _open_mapped(path, memory_map)
    block = BLOCK_RAMS[memory_map.family]
    memories = {memory.name: memory for memory in stored_memories(memory_map.design)}
    changed = {place: unpacked.blocks[place].copy() for place in memory_map.places}
    for piece in memory_map.pieces:
        memory = memories[piece.memory]
        rows, columns = piece.rows(memory, block), piece.columns(memory)
        changed[piece.place][piece.places(memory, block)] = wanted[piece.memory][rows, columns]
    with whole_file(out) as temporary:
        unpacked.save(temporary, changed)
        found = read_memories(temporary, memory_map)
        for name, bits in wanted.items():
            if not np.array_equal(found[name], bits):
                raise BitstreamError(
                    f"Memory {name} must read back from the patched file as it was written, and "
                    "does not; nothing was written"
                )
    return Patched(
        path=out,
        blocks=len(memory_map.places),
        bits=sum(bits.size for bits in found.values()),
        changed_bits=sum(
            int(np.count_nonzero(unpacked.blocks[place] != bits)) for place, bits in changed.items()
        ),
    )
