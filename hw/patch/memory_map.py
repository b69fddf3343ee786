# SPDX-License-Identifier: Apache-2.0
"""Where the bits of a gateware's memories stand in its bitstream: found, kept in a file, read."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw.design.design import Design
from hw.patch.memories import StoredMemory, stored_memories
from hw.vendor.block_ram import BLOCK_RAMS, BlockRam

__all__ = ["MapError", "MemoryMap", "MemoryPiece", "find_pieces"]

_VERSION = 1


class MapError(ValueError):
    """A map that is not whole, or memories that could not be found; the text names what."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryPiece:
    """A part of a memory that stands in one block RAM.

    Parameters
    ----------
    memory
        Name of the memory.
    place
        Block RAM, as the family names it.
    width
        Bits of a word of the block.
    row, bit
        Of the memory: lowest bit of the block's first word. Word k holds the bits of row
        ``row + k`` from ``bit`` on, as many as there are.
    """

    memory: str
    place: str
    width: int
    row: int
    bit: int

    def rows(self, memory: StoredMemory, block: BlockRam) -> slice:
        """Rows of the memory that stand here."""
        return slice(self.row, min(self.row + block.depth(self.width), memory.rows))

    def columns(self, memory: StoredMemory) -> slice:
        """Bits of a row that stand here."""
        end = self.bit - self.bit % memory.column_bits + memory.column_bits
        return slice(self.bit, min(self.bit + self.width, end, memory.row_bits))

    def places(self, memory: StoredMemory, block: BlockRam) -> np.ndarray:
        """Number, in the block, of each of these bits: int (rows, columns)."""
        rows, columns = self.rows(memory, block), self.columns(memory)
        return block.places(self.width)[: rows.stop - rows.start, : columns.stop - columns.start]


def _candidates(memory: StoredMemory, block: BlockRam) -> list[MemoryPiece]:
    """All pieces that a memory can be cut into."""
    return [
        MemoryPiece(memory=memory.name, place="", width=width, row=row, bit=bit)
        for width in block.widths
        for row in range(0, memory.rows, block.depth(width))
        for column in range(0, memory.row_bits, memory.column_bits)
        for bit in range(column, min(column + memory.column_bits, memory.row_bits), width)
    ]


def find_pieces(
    blocks: Mapping[str, np.ndarray],
    bits: Mapping[str, np.ndarray],
    memories: Sequence[StoredMemory],
    block: BlockRam,
) -> tuple[MemoryPiece, ...]:
    """Find memories by what they hold.

    Parameters
    ----------
    blocks
        Contents of the block RAMs, by place.
    bits
        Contents of the memories, by name: random bits, so that no two pieces are the same.
    memories
        The memories.
    block
        Their block RAM.

    Raises
    ------
    MapError
        If a bit of a memory stands nowhere, or if a block may be one of two pieces.
    """
    by_name = {memory.name: memory for memory in memories}
    expected: dict[bytes, list[MemoryPiece]] = {}
    for memory in memories:
        for piece in _candidates(memory, block):
            content = np.zeros(block.bits, np.uint8)
            part = bits[memory.name][piece.rows(memory, block), piece.columns(memory)]
            content[piece.places(memory, block)] = part
            # Zeros are what every block without contents holds.
            if part.any():
                # Words of two widths may stand in the same bits.
                alike = expected.setdefault(content.tobytes(), [])
                if (piece.row, piece.bit) not in {(other.row, other.bit) for other in alike}:
                    alike.append(piece)
    covered = {memory.name: np.zeros((memory.rows, memory.row_bits), bool) for memory in memories}

    def view(piece: MemoryPiece) -> np.ndarray:
        """Whether the bits of a piece have been found."""
        memory = by_name[piece.memory]
        return covered[piece.memory][piece.rows(memory, block), piece.columns(memory)]

    open_places = {
        place: expected[content.tobytes()]
        for place, content in blocks.items()
        if content.tobytes() in expected
    }
    found: list[MemoryPiece] = []
    while True:
        sure = [
            dataclasses.replace(pieces[0], place=place)
            for place, pieces in open_places.items()
            if len(pieces) == 1
        ]
        for piece in sure:
            view(piece)[:] = True
        found += sure
        # Small pieces may hold the same; what has been found elsewhere is ruled out.
        rest = {
            place: [piece for piece in pieces if not view(piece).any()] or pieces
            for place, pieces in open_places.items()
            if len(pieces) > 1
        }
        if rest == open_places:
            break
        open_places = rest
    for place, pieces in open_places.items():
        raise MapError(
            f"Block RAM {place} must hold what no two pieces of a memory do, but it may be "
            f"{pieces[0].memory}, row {pieces[0].row}, bit {pieces[0].bit} or "
            f"{pieces[1].memory}, row {pieces[1].row}, bit {pieces[1].bit}"
        )
    for name, seen in covered.items():
        if not seen.all():
            row, bit = np.argwhere(~seen)[0].tolist()
            raise MapError(
                f"Memory {name} must be in block RAM, but row {row}, bit {bit} was found "
                "nowhere in the bitstream"
            )
    return tuple(found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """What a finished bitstream is, and where its network stands in it.

    Parameters
    ----------
    family
        Family of the chip, as `hw.boards.Board.family`.
    options
        Options of the packer.
    design
        The gateware.
    identity
        SHA-256 of everything but the mapped block RAMs, see
        `hw.patch.unpacked.UnpackedBitstream.identity`.
    pieces
        The memories, piece by piece; a memory may be there several times.
    """

    family: str
    options: tuple[str, ...]
    design: Design
    identity: str
    pieces: tuple[MemoryPiece, ...]

    @property
    def places(self) -> frozenset[str]:
        """Block RAMs in which the network stands."""
        return frozenset(piece.place for piece in self.pieces)

    def to_json(self) -> str:
        """Text of a map file."""
        fields = {
            "version": _VERSION,
            "family": self.family,
            "options": list(self.options),
            "identity": self.identity,
            "design": self.design.to_json(),
            "memories": [dataclasses.asdict(memory) for memory in stored_memories(self.design)],
            "pieces": [list(dataclasses.astuple(piece)) for piece in self.pieces],
        }
        return json.dumps(fields) + "\n"

    @classmethod
    def read(cls, path: Path) -> "MemoryMap":
        """Read a map file.

        Raises
        ------
        MapError
            If the file is no map, or one of another version.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            version = fields["version"]
        except (ValueError, TypeError, KeyError):
            raise MapError(f"{path} must be a map of memories, and is not") from None
        if version != _VERSION:
            raise MapError(f"Version of {path} must be {_VERSION}, not {version!r}")
        names = [field.name for field in dataclasses.fields(MemoryPiece)]
        try:
            made = cls(
                family=fields["family"],
                options=tuple(fields["options"]),
                design=Design.from_json(fields["design"]),
                identity=fields["identity"],
                pieces=tuple(
                    MemoryPiece(**dict(zip(names, piece, strict=True)))
                    for piece in fields["pieces"]
                ),
            )
            is_whole = fields["memories"] == json.loads(made.to_json())["memories"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MapError(f"{path} must be a whole map of memories: {error}") from None
        if made.family not in BLOCK_RAMS or not is_whole:
            raise MapError(f"{path} must be a map of this version's memories, and is not")
        return made
