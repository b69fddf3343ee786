# SPDX-License-Identifier: Apache-2.0
"""The memories of a gateware that hold its network, as the gateware stores them."""

import dataclasses
import random

import numpy as np

from hw.design.design import Design, ceil_div
from hw.formats.contents import Contents, resident_head_bytes
from hw.formats.write_target import WriteTarget, write_targets
from hw.inputs.intensity_table import table_entry, table_entry_bits
from hw.parts.row_memory import column_bits

__all__ = ["StoredMemory", "placeholder_contents", "stored_bits", "stored_memories"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredMemory:
    """One memory as it stands in block RAM.

    Parameters
    ----------
    name
        ``"head"``, or name and, where there is one, layer of the write target.
    rows, row_bits
        Its size.
    column_bits
        Bits of each of the memories that its rows are spread over.
    """

    name: str
    rows: int
    row_bits: int
    column_bits: int


def _name(target: WriteTarget) -> str:
    return target.name if target.layer is None else f"{target.name} {target.layer}"


def stored_memories(design: Design) -> tuple[StoredMemory, ...]:
    """The memories of a design in which a network is resident."""
    head = resident_head_bytes(design)
    memories = [StoredMemory(name="head", rows=head, row_bits=8, column_bits=8)]
    for target in write_targets(design):
        bits = target.row_bits
        columns = column_bits(rows=target.rows, row_bits=bits)
        if target.name == "table":
            bits = columns = table_entry_bits(design)
        memories.append(
            StoredMemory(name=_name(target), rows=target.rows, row_bits=bits, column_bits=columns)
        )
    return tuple(memories)


def stored_bits(contents: Contents, design: Design) -> dict[str, np.ndarray]:
    """Bits of each of `stored_memories` by its name: uint8 (rows, row_bits), bit 0 first."""
    values = {"head": list(contents.head)}
    for target in write_targets(design):
        rows = list(contents.rows[target.number])
        if target.name == "table":
            rows = [table_entry(row, design) for row in rows]
        values[_name(target)] = rows
    bits = {}
    for memory in stored_memories(design):
        size = ceil_div(memory.row_bits, 8)
        raw = b"".join(row.to_bytes(size, "little") for row in values[memory.name])
        packed = np.frombuffer(raw, np.uint8).reshape(memory.rows, size)
        bits[memory.name] = np.unpackbits(packed, axis=1, count=memory.row_bits, bitorder="little")
    return bits


def placeholder_contents(design: Design, *, seed: int = 1) -> Contents:
    """Random contents, so that each piece of a memory is found by what it holds.

    No loader takes them: a bitstream with placeholders powers up without a network.
    """
    source = random.Random(seed)
    return Contents(
        head=source.randbytes(resident_head_bytes(design)),
        rows={
            target.number: tuple(source.getrandbits(target.row_bits) for _ in range(target.rows))
            for target in write_targets(design)
        },
    )
