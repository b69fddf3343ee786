# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between a user and a board: one clear text, an exit code, the old state kept."""

import os
import select
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware import driver
from firmware.driver import Device
from firmware.image import device_image
from firmware.transport import Closing, PtyTransport
from hw.formats.image_layout import LoadState
from model.network_file import save_network
from popspike import devices
from popspike.gateware import choose_design
from sim.virtual_board import VirtualBoard
from tests.popspike.conftest import Command, small_network

pytestmark = pytest.mark.slow

Disturb = Callable[[int, bytes], bytes]


class Cable(Closing):
    """A line to a board that changes what the host sends, piece by piece."""

    def __init__(self, path: str, disturb: Disturb) -> None:
        self._board = PtyTransport(path)
        self._disturb = disturb
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        self.path = os.ttyname(theirs)
        self._theirs = theirs
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        pieces = 0
        while not self._ended.is_set():
            if select.select([self._ours], [], [], 0.005)[0]:
                pieces += 1
                self._board.write(self._disturb(pieces, os.read(self._ours, 65536)))
            if said := self._board.read(0.005):
                os.write(self._ours, said)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._ours)
        os.close(self._theirs)
        self._board.close()


@pytest.fixture(scope="module")
def board() -> Iterator[VirtualBoard]:
    """A board that holds networks of the size of `small_network` and no larger ones."""
    design, _ = choose_design([small_network()], None)
    with VirtualBoard(design) as board:
        yield board


@pytest.fixture
def held(board: VirtualBoard) -> int:
    """Fingerprint of the network that the board holds when a test begins."""
    network = small_network()
    with Device(board.connect(), timeout=10.0) as device:
        device.load(network)
        device.clear_errors()
    return network.fingerprint()


def state(board: VirtualBoard) -> tuple[LoadState, int, tuple[str, ...]]:
    """What the board holds, and the errors it has seen."""
    with Device(board.connect(), timeout=10.0) as device:
        status = device.status()
    return status.state, status.fingerprint, status.errors


def test_a_network_too_large_for_the_gateware(
    popspike: Command, files: tuple[Path, Path], tmp_path: Path, board: VirtualBoard, held: int
) -> None:
    large = save_network(small_network(hidden=33), tmp_path / "large.safetensors")
    answer = popspike("load", large, "--port", board.path)
    assert answer.code == 2
    assert "error: Neurons of layer 0 must be at most" in answer.error()
    assert state(board) == (LoadState.ACTIVE, held, ())
    # On a chip that cannot hold it, no build begins.
    huge = save_network(small_network(hidden=9000), tmp_path / "huge.safetensors")
    answer = popspike("build", huge, "-b", "icebreaker", "-d", files[1])
    assert answer.code == 2
    assert "error: Networks of icebreaker must fit its" in answer.error()
    assert not Path("build").exists()


def test_a_damaged_network_file_leaves_the_network(
    popspike: Command, files: tuple[Path, Path], board: VirtualBoard, held: int
) -> None:
    whole = files[0].read_bytes()
    for content, text in (
        (whole[: len(whole) // 2], "must be a whole safetensors file"),
        (whole.replace(b'\\"format\\": 3', b'\\"format\\": 9'), "format must be 3, not 9"),
    ):
        files[0].write_bytes(content)
        answer = popspike("load", files[0], "--port", board.path)
        assert answer.code == 2
        assert text in answer.error()
    assert state(board) == (LoadState.ACTIVE, held, ())


def test_images_of_the_wrong_size_are_not_sent(
    popspike: Command, files: tuple[Path, Path], board: VirtualBoard, held: int
) -> None:
    np.savez("wide.npz", x=np.zeros((9, 21), np.uint8), y=np.arange(9) % 3)
    answer = popspike("run", files[0], "-d", "wide.npz", "--port", board.path)
    assert answer.code == 2
    assert "error: Images must have 20 pixels for this network, not 21" in answer.error()
    assert state(board) == (LoadState.ACTIVE, held, ())


def test_corrupted_frames_are_sent_again(
    popspike: Command,
    files: tuple[Path, Path],
    board: VirtualBoard,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_SIMULATED_TIMEOUT_S", 1.0)

    def flip(number: int, piece: bytes) -> bytes:
        if number % 4 != 2:
            return piece
        at = len(piece) // 2
        return piece[:at] + bytes([piece[at] ^ 0x10]) + piece[at + 1 :]

    with Cable(board.path, flip) as cable:
        options = ("-d", files[1], "--images", 5, "--json", "--port", cable.path)
        facts = popspike("run", files[0], *options).json()
    assert facts["runs"][0]["mismatches"] == 0
    # What was under way behind a lost part of the image is refused as a gap.
    assert state(board) in [
        (LoadState.ACTIVE, held, flags) for flags in (("frame",), ("frame", "request"))
    ]


def test_a_line_that_carries_nothing_right(
    popspike: Command,
    files: tuple[Path, Path],
    board: VirtualBoard,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_SIMULATED_TIMEOUT_S", 0.2)
    with Cable(board.path, lambda _number, piece: bytes(len(piece))) as cable:
        answer = popspike("load", files[0], "--port", cable.path)
    assert answer.code == 2
    assert "error: The board does not answer (2 tries in 0.4 seconds). Check the port" in answer.err
    assert state(board)[:2] == (LoadState.ACTIVE, held)


def test_a_load_that_is_cut_leaves_no_network_and_a_clean_one_works(
    popspike: Command,
    files: tuple[Path, Path],
    board: VirtualBoard,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = []

    def break_off(_number: int, piece: bytes) -> bytes:
        # Nothing but parts of the image is so long.
        if not broken and len(piece) < 100:
            return piece
        broken.append(piece)
        return piece[: len(piece) // 2] if len(broken) == 1 else b""

    with Cable(board.path, break_off) as cable, monkeypatch.context() as short:
        short.setattr(driver, "_PART_BYTES", 220)
        short.setattr(devices, "_SIMULATED_TIMEOUT_S", 0.5)
        answer = popspike("load", files[0], "--port", cable.path)
    assert answer.code == 2
    assert "error: The board does not answer" in answer.error()
    assert state(board)[:2] == (LoadState.LOADING, 0)
    facts = popspike("load", files[0], "--port", board.path, "--json").json()
    assert facts["fingerprint"] == f"{held:#010x}"
    assert state(board)[:2] == (LoadState.ACTIVE, held)


@pytest.mark.parametrize("kept", [3, 20, -1])
def test_a_truncated_device_image_is_refused_by_the_board(
    popspike: Command,
    files: tuple[Path, Path],
    board: VirtualBoard,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
    kept: int,
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(driver, "device_image", lambda *given: device_image(*given)[:kept])
        answer = popspike("load", files[0], "--port", board.path)
    assert answer.code == 2
    assert "error: The board refused the request: image (length)" in answer.error()
    assert state(board)[:2] == (LoadState.NONE, 0)
    facts = popspike("load", files[0], "--port", board.path, "--json").json()
    assert facts["fingerprint"] == f"{held:#010x}"
