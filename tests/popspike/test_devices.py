# SPDX-License-Identifier: Apache-2.0
"""`load` and `run` on boards that are found, named, or several; the boards are plain Python."""

from pathlib import Path

import numpy as np
import pytest

import firmware.discovery
from firmware.discovery import Port
from firmware.transport import LinkError
from hw.boards import BOARDS
from model.network_file import save_network
from tests.firmware.plain_board import NETWORK, named
from tests.popspike.conftest import Command

FTDI = dict(zip(("vendor", "product"), BOARDS["icebreaker"].usb_ids[0], strict=True))


@pytest.fixture
def machine(monkeypatch):
    """Ports a and b with a board each; a third one is broken."""
    lines = {"a": named("icebreaker"), "b": named("icebreaker"), "c": None}

    def opener(port, *, baud):
        if lines.get(port) is None:
            raise LinkError(f"Cannot open serial port {port}: Permission denied")
        return lines[port]

    for function in (
        firmware.discovery.open_port,
        firmware.discovery.find_one,
        firmware.discovery.find_devices,
    ):
        defaults = {**function.__kwdefaults__, "opener": opener}
        monkeypatch.setattr(function, "__kwdefaults__", defaults)
    ports = [Port(name=name, **FTDI) for name in lines]
    monkeypatch.setattr(firmware.discovery, "list_ports", lambda: ports)
    return lines


@pytest.fixture
def network(tmp_path):
    return save_network(NETWORK, tmp_path / "network.safetensors")


def test_the_only_board_is_found(popspike: Command, machine, network: Path) -> None:
    machine["b"] = None
    facts = popspike("load", network, "--board", "auto", "--json").json()
    assert (facts["port"], facts["state"]) == ("a", "active")
    assert machine["a"].network.fingerprint() == NETWORK.fingerprint()
    assert popspike("load", network, "--board", "icebreaker", "--json").json()["port"] == "a"
    assert popspike("load", network, "--port", "auto", "--json").json()["port"] == "a"


def test_several_boards(popspike: Command, machine, network: Path) -> None:
    answer = popspike("load", network, "--board", "auto")
    assert answer.code == 2
    assert "with --port all: a (icebreaker), b (icebreaker)" in answer.error()
    assert popspike("load", network, "--port", "all", "--json").json()["port"] == "a, b"
    named_ports = ("--port", "a", "--port", "b")
    assert popspike("load", network, *named_ports, "--json").json()["port"] == "a, b"
    images = np.random.default_rng(0).integers(0, 256, (60, 6), dtype=np.uint8)
    np.savez("data.npz", x=images, y=np.zeros(60, int))
    # The plain board knows no golden model: what is looked at is who did the work.
    answer = popspike("run", network, *named_ports, "-d", "data.npz", "--images", 60, "--json")
    assert answer.code == 1
    assert "the board differs from the golden model" in answer.error()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--board", "tang-nano-9k"), "No tang-nano-9k answers at 115200 baud"),
        (("--board", "ulx3s-12f", "--port", "a"), "Board on a must be ulx3s-12f, not icebreaker"),
        (("--port", "c"), "Cannot open serial port c: Permission denied"),
        (("--port", "a", "--port", "a"), "Ports must differ from each other, not ('a', 'a')"),
        (("--port", "a", "--port", "all"), "Ports must be names, or one of auto and all"),
        (("--fast",), "Speed must be left as it is for a virtual board"),
        (("--port", "a", "--fast"), "The link of this board has no speed that could be changed"),
    ],
)
def test_what_cannot_be(
    popspike: Command, machine, network: Path, options: tuple[str, ...], text: str
) -> None:
    answer = popspike("load", network, *options)
    assert answer.code == 2
    assert text in answer.error()
