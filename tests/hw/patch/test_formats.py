# SPDX-License-Identifier: Apache-2.0
"""Bitstreams of each family taken apart, changed, and packed again."""

import importlib.resources

import numpy as np
import pytest
from apycula import bslib, gowin_pack
from apycula.chipdb import load_chipdb

from hw.patch.ecp5 import Ecp5Bitstream
from hw.patch.gowin import GowinBitstream
from hw.patch.ice40 import Ice40Bitstream
from hw.patch.unpacked import BitstreamError
from tests.hw.patch.blanks import CASES, CHIP, blank, random_blocks

KINDS = {"ice40": Ice40Bitstream, "ecp5": Ecp5Bitstream, "gowin": GowinBitstream}
NOUNS = {"ice40": "iCE40", "ecp5": "ECP5", "gowin": "Gowin"}


@pytest.mark.parametrize("family", list(CASES))
def test_contents_go_in_and_come_out(tmp_path, family):
    path = blank(family, tmp_path)
    _, options, places = CASES[family]
    before = KINDS[family](path, options)
    wanted = random_blocks(family, 1)
    assert wanted.keys() <= before.blocks.keys()
    assert all(not bits.any() for bits in before.blocks.values())

    # Nothing changed: the same file.
    again = tmp_path / f"again{path.suffix}"
    before.save(again, {})
    assert again.read_bytes() == path.read_bytes()

    before.save(again, wanted)
    after = KINDS[family](again, options)
    after.cross_check()
    for place, bits in after.blocks.items():
        expected = wanted.get(place, before.blocks[place])
        assert bits.dtype == np.uint8
        assert np.array_equal(bits, expected)
    # All else is the same, and what is not masked counts.
    assert after.rest == before.rest
    assert after.identity(set(places)) == before.identity(set(places))
    assert after.identity({places[0]}) != before.identity({places[0]})
    assert after.identity(set()) != after.identity(set(places))

    # A file that ends too early, one with a bit turned, one of no bitstream.
    raw = again.read_bytes()
    spoilt = bytearray(raw)
    middle = len(raw) // 2
    spoilt[middle] ^= 1
    for number, content in enumerate((raw[:middle], bytes(spoilt), b"bitstream\n")):
        odd = tmp_path / f"odd{number}{path.suffix}"
        odd.write_bytes(content)
        with pytest.raises(BitstreamError, match=rf"odd{number}\S+ must be a \w+ {NOUNS[family]}"):
            KINDS[family](odd, options).cross_check()


def test_gowin_contents_stand_where_the_packer_puts_them(tmp_path, monkeypatch):
    database = load_chipdb(importlib.resources.files("apycula") / f"{CHIP}.msgpack.xz")
    monkeypatch.setattr(gowin_pack, "device", CHIP, raising=False)
    monkeypatch.setattr(gowin_pack, "bsram_init_map", None)
    rng = np.random.default_rng(3)
    blocks = {}
    for column, subtype, size in ((2, "X9", 288), (5, "", 256)):
        rows = rng.integers(0, 2, (64, size), dtype=np.uint8)
        parameters = {
            f"INIT_RAM_{number:02X}": "".join(map(str, row[::-1]))
            for number, row in enumerate(rows)
        }
        # Rows and columns are counted from 0 there.
        gowin_pack.store_bsram_init_val(
            database, 27, column - 1, "SDP", parameters, {"BSRAM_SUBTYPE": subtype}
        )
        # Without the spare bits, every ninth is 0.
        bits = rows if subtype else np.pad(rows.reshape(-1, 8), ((0, 0), (0, 1)))
        blocks[f"R28C{column}"] = bits.ravel()
    path = blank("gowin", tmp_path)
    GowinBitstream(path, CASES["gowin"][1]).save(path, blocks)
    bitmap, *_ = bslib.read_bitstream(str(path))
    expected = np.array(gowin_pack.bsram_init_map, np.uint8)
    assert np.array_equal(np.array(bitmap, np.uint8)[-len(expected) :], expected)


def test_ecp5_block_rams_without_their_check_sum_are_refused(tmp_path):
    path = blank("ecp5", tmp_path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"\xb2\xd0\x01\x00") + 10] ^= 1
    path.write_bytes(raw)
    with pytest.raises(BitstreamError, match="block RAM 3 in it does not have its CRC"):
        Ecp5Bitstream(path)


def test_a_program_that_reads_something_else_is_heard(tmp_path):
    opened = Ecp5Bitstream(blank("ecp5", tmp_path))
    opened.blocks["4"][7] = 1
    with pytest.raises(BitstreamError, match=r"^Block RAM 4 of .* must be what ecpunpack reads"):
        opened.cross_check()
