# SPDX-License-Identifier: Apache-2.0
import shlex

import pytest

from firmware.discovery import Port, list_ports
from firmware.machine import port_advice, programmer_advice, rule_advice
from hw.boards import BOARDS

BOARD = Port(name="/dev/ttyUSB1", vendor=0x0403, product=0x6010, text="Dual RS232")
OTHER = Port(name="/dev/ttyACM0", vendor=0x1234, product=0x0001)


def test_ports_that_may_be_opened():
    plain = Port(name="/dev/ttyS0")
    found = port_advice([plain, BOARD, OTHER], access=lambda path: True)
    assert [each.name for each in found] == ["/dev/ttyUSB1", "/dev/ttyACM0"]
    assert "0403:6010 Dual RS232: port of icebreaker" in found[0].found
    assert found[1].found == "1234:0001"
    assert all(each.ok and not each.say for each in found)


@pytest.mark.parametrize("owner", ["dialout", "uucp"])
def test_the_group_to_join_is_said(owner):
    found = port_advice([BOARD, OTHER], access=lambda path: False, group=lambda path: owner)
    assert [each.ok for each in found] == [False, True]  # the other is no board
    for each in found:
        assert each.found.endswith("this user may not open it")
        assert each.say == f"sudo usermod -aG {owner} $USER   (then log out and in again)"
    [found] = port_advice([BOARD], access=lambda path: False, group=lambda path: "root")
    assert "give yourself the right to open it" in found.say


def test_a_machine_without_ports():
    [found] = port_advice([Port(name="/dev/ttyS0")])
    assert found.ok
    assert "plug a board in" in found.say
    assert port_advice(list_ports())


def test_files_of_the_system(tmp_path):
    path = tmp_path / "port"
    path.write_text("")
    port = Port(name=str(path), vendor=0x0403, product=0x6010)
    assert port_advice([port])[0].ok
    missing = Port(name=str(tmp_path / "COM3"), vendor=0x0403, product=0x6010)
    assert port_advice([missing])[0].ok  # opening it will tell


def test_the_rules_that_are_missing_are_written_by_one_command(tmp_path):
    ids = sorted({usb_id for board in BOARDS.values() for usb_id in board.usb_ids})
    [found] = rule_advice([OTHER], folders=[tmp_path], system="linux")
    assert found.ok  # no board is there
    assert not rule_advice([BOARD], folders=[tmp_path], system="linux")[0].ok
    words = shlex.split(found.say)
    rules = words[2 : words.index("|")]
    assert len(rules) == len(ids)
    # What it writes is what is looked for.
    (tmp_path / "60-popspike.rules").write_text("\n".join(rules))
    [found] = rule_advice([BOARD], folders=[tmp_path], system="linux")
    assert (found.ok, found.found, found.say) == (True, "for all boards", "")


@pytest.mark.parametrize(
    ("rule", "covers"),
    [
        ('ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6010", MODE="0666"', True),
        ('SUBSYSTEM=="usb", ATTR{idVendor}=="0403", TAG+="uaccess"', True),
        ('ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6014", MODE="0666"', False),
        ('ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6010", SYMLINK+="board"', False),
        ('# ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6010", MODE="0666"', False),
    ],
)
def test_rules_of_others_count(tmp_path, rule, covers):
    (tmp_path / "99-other.rules").write_text(rule + "\n")
    [found] = rule_advice([BOARD], folders=[tmp_path, tmp_path / "none"], system="linux")
    assert ("0403:6010" not in found.found) is covers


def test_other_systems_have_no_rules():
    assert rule_advice([BOARD], system="darwin") == []


def test_programmers():
    have = {"iceprog": "/usr/bin/iceprog"}
    found = {each.name: each for each in programmer_advice(which=have.get, system="linux")}
    assert set(found) == {board.programmer.tool for board in BOARDS.values()}
    assert (found["iceprog"].found, found["iceprog"].say) == ("/usr/bin/iceprog", "")
    assert found["openFPGALoader"].say == "sudo apt install openfpgaloader"
    assert "ulx3s-25f" in found["openFPGALoader"].found
    assert all(each.ok for each in found.values())
    [only] = programmer_advice([BOARDS["pico-ice"]], which=have.get, system="darwin")
    assert only.say == "brew install dfu-util"
