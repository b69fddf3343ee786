# SPDX-License-Identifier: Apache-2.0
"""Memories found by what they hold, in block RAMs laid out as the tools do it."""

import json
import random

import numpy as np
import pytest

from firmware.resident import contents_of
from hw.design.design import Design
from hw.formats.contents import check_contents, resident_head_bytes
from hw.formats.write_target import write_targets
from hw.patch.memories import StoredMemory, placeholder_contents, stored_bits, stored_memories
from hw.patch.memory_map import MapError, MemoryMap, MemoryPiece, find_pieces
from hw.vendor.block_ram import BLOCK_RAMS
from tests.hw.loading.test_loader import DESIGN, NETWORK
from tests.hw.test_power_up import cases


def laid_out(memory, bits, block, width):
    """Block RAMs of a memory, one column of words of a width after the other."""
    blocks = []
    depth = block.depth(width)
    for column in range(0, memory.row_bits, memory.column_bits):
        end = min(column + memory.column_bits, memory.row_bits)
        for bit in range(column, end, width):
            for row in range(0, memory.rows, depth):
                part = bits[row : row + depth, bit : min(bit + width, end)]
                content = np.zeros(block.bits, np.uint8)
                places = block.places(width)[: part.shape[0], : part.shape[1]]
                content[places] = part
                blocks.append(content)
    return blocks


@pytest.mark.parametrize("family", list(BLOCK_RAMS))
@pytest.mark.parametrize("seed", range(3))
def test_memories_are_found_wherever_they_stand(family, seed):
    block, rng = BLOCK_RAMS[family], np.random.default_rng(seed)
    source = random.Random(seed)
    memories, bits, contents = [], {}, []
    for number in range(5):
        rows, row_bits = source.choice([5, 68, 300, 1100, 2500]), source.randint(1, 40)
        column_bits = source.choice([row_bits, source.randint(1, row_bits)])
        memory = StoredMemory(
            name=f"memory {number}", rows=rows, row_bits=row_bits, column_bits=column_bits
        )
        memories.append(memory)
        bits[memory.name] = rng.integers(0, 2, (rows, row_bits), dtype=np.uint8)
        width = source.choice([width for width in block.widths if width * rows > 40])
        copies = source.choice([1, 1, 3])
        contents += laid_out(memory, bits[memory.name], block, width) * copies
    # What is not ours: empty ones, and one with something else.
    contents += [np.zeros(block.bits, np.uint8)] * 3
    contents.append(rng.integers(0, 2, block.bits, dtype=np.uint8))
    source.shuffle(contents)
    blocks = {f"R{number}": content for number, content in enumerate(contents)}
    pieces = find_pieces(blocks, bits, memories, block)
    assert len({piece.place for piece in pieces}) == len(pieces)
    by_name = {memory.name: memory for memory in memories}
    for piece in pieces:
        memory = by_name[piece.memory]
        found = blocks[piece.place][piece.places(memory, block)]
        rows, columns = piece.rows(memory, block), piece.columns(memory)
        assert np.array_equal(found, bits[piece.memory][rows, columns])
    # Every block that holds something of a memory, but the odd one, is a piece.
    filled = sum(content.any() for content in contents) - 1
    assert len(pieces) == filled


def test_memories_that_cannot_be_found():
    block = BLOCK_RAMS["ice40"]
    memory = StoredMemory(name="weights 0", rows=20, row_bits=16, column_bits=16)
    bits = {"weights 0": np.random.default_rng(1).integers(0, 2, (20, 16), dtype=np.uint8)}
    (content,) = laid_out(memory, bits["weights 0"], block, 16)
    content[3] ^= 1
    with pytest.raises(MapError, match=r"^Memory weights 0 must be in block RAM, but row 0, bit 0"):
        find_pieces({"6 1": content}, bits, [memory], block)
    # Two columns that hold the same.
    bits["weights 0"][:] = 1
    blocks = dict(enumerate(laid_out(memory, bits["weights 0"], block, 8)))
    with pytest.raises(MapError, match=r"it may be weights 0, row 0, bit 0 or weights 0, row 0, b"):
        find_pieces(blocks, bits, [memory], block)


def test_small_pieces_that_hold_the_same_are_told_apart_by_what_is_left():
    block = BLOCK_RAMS["ecp5"]
    memory = StoredMemory(name="thresholds 1", rows=3, row_bits=10, column_bits=10)
    values = np.random.default_rng(2).integers(0, 2, (3, 10), dtype=np.uint8)
    values[:, 9] = values[:, 4] = (1, 0, 1)
    contents = [laid_out(memory, values, block, 9)[0], laid_out(memory, values, block, 1)[9]]
    pieces = find_pieces(dict(enumerate(contents)), {memory.name: values}, [memory], block)
    assert [(piece.place, piece.bit, piece.width) for piece in pieces] == [(0, 0, 9), (1, 9, 1)]


@pytest.mark.parametrize(("network", "folds", "fields"), list(cases()))
def test_every_bit_of_a_network_has_its_place_among_the_memories(network, folds, fields):
    design = Design.for_networks([network], folds, **fields)
    memories = {memory.name: memory for memory in stored_memories(design)}
    assert len(memories) == 1 + len(write_targets(design))
    contents = contents_of(network, design)
    bits = stored_bits(contents, design)
    assert {name: values.shape for name, values in bits.items()} == {
        name: (memory.rows, memory.row_bits) for name, memory in memories.items()
    }
    assert np.packbits(bits["head"], axis=1, bitorder="little").tobytes() == contents.head
    for target in write_targets(design):
        if target.name == "table":
            continue
        name = target.name if target.layer is None else f"{target.name} {target.layer}"
        values = [int("".join(map(str, row[::-1])), 2) for row in bits[name].tolist()]
        assert tuple(values) == contents.rows[target.number]


def test_the_table_is_stored_as_step_and_mark():
    contents = contents_of(NETWORK, DESIGN)
    entries = stored_bits(contents, DESIGN)["table"]
    step_bits = DESIGN.step_bits
    for row, entry in zip(contents.rows[0], entries.tolist(), strict=True):
        assert entry[step_bits] == (row != 0xFFFF)
        if row != 0xFFFF:
            assert sum(bit << place for place, bit in enumerate(entry[:step_bits])) == row


def test_placeholders_are_of_the_design_and_random():
    first, same, other = (placeholder_contents(DESIGN, seed=seed) for seed in (1, 1, 2))
    assert first == same != other
    assert len(first.head) == resident_head_bytes(DESIGN)
    assert check_contents(first, DESIGN) is first


def piece(**fields):
    return MemoryPiece(**{"memory": "head", "place": "3", "width": 9, "row": 0, "bit": 0} | fields)


def test_maps_are_read_as_they_were_written(tmp_path):
    made = MemoryMap(
        family="ecp5",
        options=("--compress",),
        design=DESIGN,
        identity="ab" * 32,
        pieces=(piece(), piece(memory="table", place="4")),
    )
    path = tmp_path / "top.memories.json"
    path.write_text(made.to_json(), encoding="utf-8")
    assert MemoryMap.read(path) == made
    assert made.places == {"3", "4"}

    fields = json.loads(made.to_json())
    for odd, text in (
        ("{", "must be a map of memories, and is not"),
        ("[]", "must be a map of memories, and is not"),
        (json.dumps(fields | {"version": 9}), "Version of .* must be 1, not 9"),
        (json.dumps(fields | {"pieces": [["head", "3", 9]]}), "must be a whole map of memories"),
        (json.dumps(fields | {"family": "abacus"}), "must be a map of this version's memories"),
        (json.dumps(fields | {"memories": []}), "must be a map of this version's memories"),
        (json.dumps({"version": 1}), "must be a whole map of memories"),
        (json.dumps(fields | {"design": {}}), "must be a whole map of memories"),
    ):
        path.write_text(odd, encoding="utf-8")
        with pytest.raises(MapError, match=text):
            MemoryMap.read(path)
