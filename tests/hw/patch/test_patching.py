# SPDX-License-Identifier: Apache-2.0
"""Networks put into bitstreams: what is verified, and what is refused."""

import dataclasses
import json
import shutil
import types

import numpy as np
import pytest
from typer.testing import CliRunner

from firmware.resident import contents_of
from hw.boards import find_board
from hw.patch import patching
from hw.patch.memories import placeholder_contents, stored_bits, stored_memories
from hw.patch.memory_map import MapError, MemoryMap, find_pieces
from hw.patch.patching import (
    map_memories,
    map_path,
    packer_options,
    patch_bitstream,
    read_memories,
)
from hw.patch.resident import finish_resident
from hw.patch.unpacked import BitstreamError
from hw.vendor.block_ram import BLOCK_RAMS
from model.network_file import save_network
from popspike.cli import app
from tests.hw.loading.test_loader import DESIGN, NETWORK, SMALLER
from tests.hw.patch.blanks import CASES, blank
from tests.hw.patch.test_formats import KINDS
from tests.hw.patch.test_memory_map import laid_out

WIDTHS = {"ice40": 8, "ecp5": 18, "gowin": 9}


def placeholders_in(family, folder):
    """A bitstream whose block RAMs hold the placeholders of `DESIGN`, as a build leaves them."""
    path = blank(family, folder)
    _, options, places = CASES[family]
    bits = stored_bits(placeholder_contents(DESIGN), DESIGN)
    contents = [
        content
        for memory in stored_memories(DESIGN)
        for content in laid_out(memory, bits[memory.name], BLOCK_RAMS[family], WIDTHS[family])
    ]
    KINDS[family](path, options).save(path, dict(zip(places, contents, strict=False)))
    assert len(contents) <= len(places)
    return path


def map_of(path, family):
    return map_memories(
        path,
        family=family,
        options=CASES[family][1],
        design=DESIGN,
        contents=placeholder_contents(DESIGN),
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An iCE40 bitstream with placeholders, and its map."""
    path = placeholders_in("ice40", tmp_path_factory.mktemp("built"))
    mapped = map_of(path, "ice40")
    map_path(path).write_text(mapped.to_json(), encoding="utf-8")
    return path, mapped


@pytest.mark.parametrize("family", list(CASES))
def test_a_network_is_put_in_and_read_back(tmp_path, family):
    path = placeholders_in(family, tmp_path)
    before = path.read_bytes()
    mapped = map_of(path, family)
    contents = contents_of(NETWORK, DESIGN)
    out = tmp_path / "new" / f"out{path.suffix}"
    made = patch_bitstream(path, mapped, contents, out)
    assert path.read_bytes() == before != out.read_bytes()
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    # Read once more, not by the map: found by what it holds.
    opened = KINDS[family](out, CASES[family][1])
    wanted = stored_bits(contents, DESIGN)
    random = {name: bits for name, bits in wanted.items() if bits.any()}
    memories = [memory for memory in stored_memories(DESIGN) if memory.name in random]
    pieces = find_pieces(opened.blocks, wanted, memories, BLOCK_RAMS[family])
    assert {(piece.memory, piece.place) for piece in pieces} <= {
        (piece.memory, piece.place) for piece in mapped.pieces
    }
    assert made.blocks == len(mapped.places)
    assert made.bits == sum(bits.size for bits in wanted.values())
    assert 0 < made.changed_bits < made.bits


def test_a_patched_bitstream_can_be_patched_again_in_its_own_place(tmp_path, built):
    path, mapped = built
    out = tmp_path / "out.bin"
    patch_bitstream(path, mapped, contents_of(NETWORK, DESIGN), out)
    patch_bitstream(out, mapped, contents_of(SMALLER, DESIGN), out)
    found = read_memories(out, mapped)
    for name, bits in stored_bits(contents_of(SMALLER, DESIGN), DESIGN).items():
        assert np.array_equal(found[name], bits)


def refusals(built, folder):
    """Bitstreams that are not the map's, with what is said."""
    path, _ = built
    raw = path.read_bytes()
    odd = folder / "odd.bin"
    odd.write_bytes(raw[: len(raw) // 2])
    yield odd, "must be a whole iCE40 bitstream"
    other = folder / "other.bin"
    # Contents of a block that no memory stands in: another design.
    unpacked = KINDS["ice40"](path)
    _, mapped = built
    place = next(place for place in unpacked.blocks if place not in mapped.places)
    unpacked.save(other, {place: np.ones(BLOCK_RAMS["ice40"].bits, np.uint8)})
    yield other, "is one of another design or build"


def test_other_bitstreams_are_refused_and_nothing_is_written(tmp_path, built):
    _, mapped = built
    contents = contents_of(NETWORK, DESIGN)
    out = tmp_path / "out.bin"
    out.write_bytes(b"before")
    for path, text in refusals(built, tmp_path):
        with pytest.raises(BitstreamError, match=text):
            patch_bitstream(path, mapped, contents, out)
        assert out.read_bytes() == b"before"
    with pytest.raises(ValueError, match="Head of contents must have"):
        patch_bitstream(built[0], mapped, dataclasses.replace(contents, head=b""), out)
    assert not [file for file in tmp_path.iterdir() if "part" in file.name]


def test_a_bit_that_does_not_read_back_is_refused(tmp_path, built, monkeypatch):
    path, mapped = built
    contents, out = contents_of(NETWORK, DESIGN), tmp_path / "out.bin"
    kind = KINDS["ice40"]

    class Careless(kind):
        """Turns one bit of what it writes."""

        def save(self, path, blocks):
            place = mapped.pieces[0].place
            turned = blocks[place].copy()
            turned[0] ^= 1
            super().save(path, {**blocks, place: turned})

    monkeypatch.setitem(patching._KINDS, "ice40", Careless)
    with pytest.raises(BitstreamError, match="must read back from the patched file as it was wri"):
        patch_bitstream(path, mapped, contents, out)
    assert list(tmp_path.iterdir()) == []


def test_maps_that_do_not_cover_or_contradict_are_refused(tmp_path, built):
    path, mapped = built
    fewer = dataclasses.replace(mapped, pieces=mapped.pieces[:-1])
    # A block that is not masked counts for the identity.
    with pytest.raises(BitstreamError, match="another design or build"):
        read_memories(path, fewer)
    unpacked = KINDS["ice40"](path)
    fewer = dataclasses.replace(fewer, identity=unpacked.identity(fewer.places))
    with pytest.raises(MapError, match="must cover them all"):
        read_memories(path, fewer)
    twice = dataclasses.replace(mapped.pieces[0], place=mapped.pieces[1].place)
    doubled = dataclasses.replace(mapped, pieces=(*mapped.pieces, twice))
    with pytest.raises(BitstreamError, match="Copies of head in .* must be equal, and differ"):
        read_memories(path, doubled)


def test_a_packer_that_gives_another_file_is_found_out(tmp_path, built):
    other = tmp_path / "other.bin"
    # A comment that unpacking loses.
    other.write_bytes(built[0].read_bytes() + b"\0")
    with pytest.raises((MapError, BitstreamError)):
        map_of(other, "ice40")


def test_a_build_is_finished_with_its_network_and_a_map(tmp_path):
    path = placeholders_in("ice40", tmp_path)
    made = types.SimpleNamespace(
        path=path, board=find_board("icebreaker"), packing=("icepack", "top.asc", "top.bin")
    )
    final = tmp_path / "final.bin"
    patched = finish_resident(
        made,
        design=DESIGN,
        placeholders=placeholder_contents(DESIGN),
        contents=contents_of(NETWORK, DESIGN),
        path=final,
    )
    assert patched.path == final
    mapped = MemoryMap.read(tmp_path / "final.memories.json")
    found = read_memories(final, mapped)
    for name, bits in stored_bits(contents_of(NETWORK, DESIGN), DESIGN).items():
        assert np.array_equal(found[name], bits)
    assert not [file for file in tmp_path.iterdir() if "part" in file.name]


def test_options_of_packers():
    assert packer_options(["icepack", "top.asc", "top.bin"]) == ()
    command = ["ecppack", "--compress", "--input", "top.config", "--bit", "top.bit"]
    assert packer_options([*command, "--svf", "top.svf"]) == ("--compress",)
    command = ["gowin_pack", "-d", "GW1N-9C", "-o", "top.fs", "--mspi_as_gpio", "top.pnr.json"]
    assert packer_options(command) == ("-d", "GW1N-9C", "--mspi_as_gpio")


def test_patch_at_the_command_line(tmp_path, built):
    path, mapped = built
    network, out = tmp_path / "net.safetensors", tmp_path / "out.bin"
    save_network(NETWORK, network)
    runner = CliRunner()
    done = runner.invoke(app, ["patch", str(path), str(network), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["verified"] is True
    assert facts["fingerprint"] == f"{NETWORK.fingerprint():#010x}"
    assert facts["bits_read_back"] == 8 * 44 + sum(
        memory.rows * memory.row_bits for memory in stored_memories(DESIGN)[1:]
    )
    assert MemoryMap.read(map_path(path)) == mapped

    # Without a map, without a bitstream, with a network that is too large.
    alone = tmp_path / "alone.bin"
    shutil.copyfile(path, alone)
    for arguments, text in (
        ([str(alone), str(network)], "Map of memories must be at"),
        ([str(tmp_path / "none.bin"), str(network)], "Bitstream must be a file"),
        ([str(path), "bs4nn-digits"], "must be at most"),
    ):
        refused = tmp_path / "refused.bin"
        done = runner.invoke(app, ["patch", *arguments, "--out", str(refused)])
        assert done.exit_code != 0
        assert text in str(done.exception)
        assert not refused.exists()
