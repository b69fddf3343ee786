# SPDX-License-Identifier: Apache-2.0
"""Boards found among serial ports that exist in these lists only."""

from types import SimpleNamespace

import pytest

import firmware.discovery
import firmware.driver
from firmware.discovery import Port, find_devices, find_one, list_ports, open_port
from firmware.driver import Device
from firmware.transport import LinkError, Transport
from hw.boards import BOARDS, UnknownBoardError
from tests.firmware.plain_board import DESIGN, Board, named

FTDI = dict(zip(("vendor", "product"), BOARDS["icebreaker"].usb_ids[0], strict=True))
ULX3S = dict(zip(("vendor", "product"), BOARDS["ulx3s-25f"].usb_ids[0], strict=True))


class Silent(Transport):
    """A port with something else on it."""

    def __init__(self):
        self.clock = 0.0
        self.closed = False

    def write(self, message):
        pass

    def read(self, timeout):
        self.clock += timeout
        return b""

    def time(self):
        return self.clock

    def close(self):
        self.closed = True


class Machine:
    """Serial ports with what is on them."""

    def __init__(self, **lines):
        self.lines = lines
        self.opened = []

    def __call__(self, port, *, baud):
        self.opened.append((port, baud))
        line = self.lines[port]
        if isinstance(line, Exception):
            raise line
        return line


def test_ports_of_the_system():
    def comports():
        yield SimpleNamespace(device="/dev/ttyUSB1", vid=0x0403, pid=0x6010, description="Dual")
        yield SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, description=None)

    plain, usb = list_ports(comports)
    assert (plain.name, plain.usb_id, plain.boards) == ("/dev/ttyS0", "", ())
    assert (usb.name, usb.usb_id, usb.text) == ("/dev/ttyUSB1", "0403:6010", "Dual")
    assert "icebreaker" in usb.boards
    assert isinstance(list_ports(), list)


def test_the_port_that_answers_is_the_board():
    # An iCEBreaker's first port programs it.
    machine = Machine(a=Silent(), b=named("icebreaker"))
    ports = [Port(name="a", **FTDI), Port(name="b", **FTDI), Port(name="c")]
    found = find_one(ports=ports, opener=machine, baud=1_000_000)
    assert (found.port, found.board) == ("b", "icebreaker")
    assert found.device.design == DESIGN
    assert machine.opened == [("a", 1_000_000), ("b", 1_000_000)]
    assert machine.lines["a"].closed
    assert not machine.lines["b"].closed


def test_a_board_is_chosen_by_what_it_says_it_is():
    machine = Machine(a=named("icebreaker"), b=named("ulx3s-25f"), c=Board())
    ports = [Port(name=name, **ULX3S) for name in "abc"]
    found = find_devices(board="ulx3s-25f", ports=ports, opener=machine)
    # One whose bitstream does not name it may be it.
    assert [(each.port, each.board) for each in found] == [("b", "ulx3s-25f"), ("c", "")]
    assert machine.lines["a"].closed
    with pytest.raises(LinkError, match=r"with --port all: b \(ulx3s-25f\), c \(not named\)"):
        find_one(board="ulx3s-25f", ports=ports, opener=machine)
    assert all(line.closed for line in machine.lines.values())


def test_ports_of_other_adapters_are_not_touched():
    machine = Machine()
    other = [Port(name="modem", vendor=0x1234, product=1), Port(name="console")]
    with pytest.raises(LinkError) as error:
        find_devices(board="icebreaker", ports=other, opener=machine)
    assert machine.opened == []
    assert str(error.value) == (
        "No icebreaker answers at 115200 baud on a serial port:\n"
        "  there is no such USB serial port\n"
        "`popspike doctor` says what to do; --port names a port that is not found"
    )


def test_what_each_port_said_is_told():
    foreign = Board()
    foreign.registers[0] = 1
    machine = Machine(a=LinkError("Permission denied"), b=Silent(), c=foreign)
    ports = [Port(name=name, **FTDI) for name in "abc"]
    with pytest.raises(LinkError) as error:
        find_devices(ports=ports, opener=machine)
    text = str(error.value)
    assert "  a (0403:6010): Permission denied\n" in text
    assert "  b (0403:6010): The board does not answer (2 tries in 0.6 seconds)" in text
    assert "  c (0403:6010): The board cannot be used: Register magic must be 0x4b505350" in text
    assert machine.lines["b"].closed
    assert foreign.closed


def test_names_are_checked_first():
    with pytest.raises(UnknownBoardError, match="Board must be one of .*, not 'arty'"):
        find_devices(board="arty", ports=[])
    with pytest.raises(LinkError, match="Board on a must be icebreaker, not ulx3s-25f"):
        open_port("a", board="icebreaker", opener=Machine(a=named("ulx3s-25f")))


def test_a_device_opens_itself(monkeypatch):
    machine = Machine(a=named("icebreaker"))
    monkeypatch.setattr(firmware.discovery, "list_ports", lambda: [Port(name="a", **FTDI)])
    monkeypatch.setattr(
        firmware.discovery.find_one,
        "__kwdefaults__",
        {**find_one.__kwdefaults__, "opener": machine},
    )
    monkeypatch.setattr(
        firmware.discovery.open_port,
        "__kwdefaults__",
        {**open_port.__kwdefaults__, "opener": machine},
    )
    with Device.open() as device:
        assert device.design == DESIGN
    with Device.open("a", board="icebreaker") as device:
        assert device.design == DESIGN
    with pytest.raises(LinkError, match="Board on a must be ulx3s-25f, not icebreaker"):
        Device.open("a", board="ulx3s-25f")
