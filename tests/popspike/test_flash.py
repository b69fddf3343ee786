# SPDX-License-Identifier: Apache-2.0
"""`popspike flash` with programmers that are scripts of ours."""

import dataclasses
import json
import time

import pytest

from firmware.flash import slots_of
from firmware.image import device_image
from hw.boards import find_board
from hw.fit.fold import default_design
from hw.flash.layout import IMAGE_OFFSET, FlashMap
from model.network_file import load_network, save_network
from tests.popspike.conftest import small_network

MAP = FlashMap()
BITSTREAM = bytes(range(200))


@pytest.fixture
def built(popspike, tmp_path):
    """What `popspike build` leaves for ``first``, and two networks; returns design and folder."""
    networks = [small_network(1), small_network(2)]
    for network, name in zip(networks, ("first", "second"), strict=True):
        save_network(network, tmp_path / f"{name}.safetensors")
    design = default_design(networks, "icebreaker")
    folder = tmp_path / "build" / "first-icebreaker"
    folder.mkdir(parents=True)
    (folder / "first-icebreaker.bin").write_bytes(BITSTREAM)
    write_report(folder, design)
    return design, folder


def write_report(folder, built_design, **fields):
    """As `popspike build` does."""
    facts = {
        "board": "icebreaker",
        "bitstream": "build/first-icebreaker/first-icebreaker.bin",
        "design": built_design.to_json(),
        "flash": dataclasses.asdict(MAP),
        "bitstream_bytes": len(BITSTREAM),
    }
    (folder / "report.json").write_text(json.dumps(facts | fields))


def programmer(folder, monkeypatch, *, code=0):
    """Put an iceprog first on PATH that writes down what it is given."""
    script = folder / "bin" / "iceprog"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\necho no board >&2\nexit {code}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")


def test_one_file_for_the_whole_flash(popspike, built, tmp_path):
    design, _ = built
    begun = int(time.time())
    facts = popspike(
        "flash",
        "first.safetensors",
        "second.safetensors",
        "--slot",
        2,
        "--out",
        "all.bin",
        "--json",
    ).json()
    content = (tmp_path / "all.bin").read_bytes()
    assert content.startswith(BITSTREAM + b"\xff" * 100)
    found = slots_of(content)
    assert list(found) == [2, 3]
    assert begun <= found[2].generation <= time.time()
    assert found[3].generation == found[2].generation - 1  # the first one is booted
    for (slot, fields), shown, name in zip(
        found.items(), facts["slots"], ("first", "second"), strict=True
    ):
        network = load_network(tmp_path / f"{name}.safetensors")
        image = device_image(network, design)
        place = MAP.address(slot) + IMAGE_OFFSET
        assert content[place : place + len(image)] == image
        assert fields.design_hash == design.design_hash()
        assert (fields.length, fields.fingerprint) == (len(image), network.fingerprint())
        assert shown == {
            "slot": slot,
            "network": f"{name}.safetensors",
            "address": f"{MAP.address(slot):#x}",
            "generation": fields.generation,
            "length": len(image),
            "fingerprint": f"{network.fingerprint():#010x}",
        }
    assert facts["commands"] == []
    answer = popspike("flash", "first.safetensors", "--networks-only", "--out", "some.bin")
    assert answer.code == 0
    assert "in some.bin" in answer.out
    assert (tmp_path / "some.bin").read_bytes()[: MAP.first_slot] == b"\xff" * MAP.first_slot


def test_the_programmer_writes_networks_and_then_the_bitstream(
    popspike, built, tmp_path, monkeypatch
):
    _, folder = built
    programmer(tmp_path, monkeypatch)
    facts = popspike("flash", "first.safetensors", "second.safetensors", "--json").json()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [" ".join(line[1:]) for line in facts["commands"]]
    assert calls == [
        "-o 0x200000 build/first-icebreaker/slot0.bin",
        "-o 0x280000 build/first-icebreaker/slot1.bin",
        "build/first-icebreaker/first-icebreaker.bin",
    ]
    raw = (folder / "slot1.bin").read_bytes()
    assert slots_of(b"\xff" * MAP.address(1) + raw)[1].fingerprint == small_network(2).fingerprint()
    (tmp_path / "calls").unlink()
    assert popspike("flash", "first.safetensors", "--networks-only", "--slot", 3).code == 0
    assert (tmp_path / "calls").read_text() == "-o 0x380000 build/first-icebreaker/slot3.bin\n"


def test_a_programmer_that_fails_or_is_not_there(popspike, built, tmp_path, monkeypatch):
    programmer(tmp_path, monkeypatch, code=3)
    error = popspike("flash", "first.safetensors").error()
    assert error == (
        "error: Programmer iceprog failed with 3: no board; see that the board is plugged in and "
        "yours to use; then type: iceprog -o 0x200000 build/first-icebreaker/slot0.bin iceprog "
        "build/first-icebreaker/first-icebreaker.bin"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    error = popspike("flash", "first.safetensors", "--networks-only").error()
    assert error == (
        "error: Programmer iceprog must be on PATH, and is not: install it; then type: "
        "iceprog -o 0x200000 build/first-icebreaker/slot0.bin"
    )


def test_a_board_whose_tool_writes_from_the_beginning_only(popspike, built):
    design, folder = built
    write_report(folder, design, board="pico-ice")
    line = ("flash", "first.safetensors", "--board", "pico-ice")
    line += ("--bitstream", folder / "first-icebreaker.bin")
    assert (
        "dfu-util writes the flash of pico-ice from its beginning only" in popspike(*line).error()
    )
    assert popspike(*line, "--out", "all.bin").code == 0
    assert find_board("pico-ice").programmer.data == ()


def test_mistakes_are_named(popspike, built, tmp_path):
    design, folder = built

    def error(*line):
        return popspike("flash", *line).error()

    assert error("--board", "icebreaker") == "error: Networks must be given, or --boot"
    text = error("second.safetensors")
    assert "Bitstream must be at build/second-icebreaker/second-icebreaker.bin, and is not" in text
    assert "run `popspike build NET --board icebreaker`" in text
    text = "error: Networks must be left out with --boot, which writes none"
    assert error("first.safetensors", "--boot", 1) == text
    text = "error: Board must be one with a flash, and not simulated, for --boot"
    assert error("--boot", 1, "--board", "virtual") == text
    assert error("first.safetensors", "--slot", 4) == "error: Slot must be in 0..3, not 4"
    many = ["first.safetensors"] * 5
    assert error(*many) == "error: Networks for the flash must be at most 4, not 5"
    save_network(small_network(1, hidden=99), tmp_path / "large.safetensors")
    text = error("first.safetensors", "large.safetensors")
    assert "99" in text
    assert not (folder / "slot0.bin").exists()
    for fields, wanted in (
        ({"board": "ulx3s-25f"}, "must be icebreaker, not ulx3s-25f"),
        ({"bitstream": "b/other.bin"}, "must be first-icebreaker.bin, not other.bin"),
        ({"flash": None}, "was built without a boot from flash; build it with --flash"),
        ({"bitstream_bytes": 201}, "must have the 201 bytes that were built, not 200: build it"),
        ({"design": 7}, "report.json must be a report of `popspike build`"),
    ):
        write_report(folder, design, **fields)
        assert wanted in error("first.safetensors")
    (folder / "report.json").unlink()
    assert "Report of the bitstream must be at" in error("first.safetensors")
    assert "Board must be one of" in error("first.safetensors", "--board", "nano")
    assert not list(tmp_path.rglob("*.part"))
