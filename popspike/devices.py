# SPDX-License-Identifier: Apache-2.0
"""The board that `load` and `run` talk to: on a serial port, or virtual."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from firmware.driver import Device
from firmware.transport import open_transport
from model.description import Network
from popspike.console import stage
from popspike.gateware import choose_design

__all__ = [
    "VIRTUAL",
    "BaudOption",
    "LikeOption",
    "PortOption",
    "Target",
    "TargetOption",
    "open_device",
]

#: Name of the board that exists in simulation only.
VIRTUAL = "virtual"

_TIMEOUT_S = 1.0
# A simulated board is slow, the more so on a busy machine.
_SIMULATED_TIMEOUT_S = 10.0

TargetOption = Annotated[
    str,
    typer.Option("--board", "-b", help="virtual, icebreaker, ulx3s-25f or ulx3s-85f."),
]
PortOption = Annotated[
    str | None, typer.Option(help="Serial port of the board, such as /dev/ttyUSB1.")
]
BaudOption = Annotated[int, typer.Option(help="Bits a second, as the bitstream was built for.")]
LikeOption = Annotated[
    str | None,
    typer.Option(help="Board whose gateware the virtual board holds; default: as for verify."),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Where the networks shall go.

    Parameters
    ----------
    board
        Name of a board, or `VIRTUAL`.
    port, baud
        Serial port; a virtual board that is kept running has one, too.
    like
        Board whose gateware a virtual board holds; None: see `choose_design`.
    members
        Most members that a virtual board is built for, where they are drawn.
    """

    board: str
    port: str | None
    baud: int
    like: str | None = None
    members: int | None = None

    def __post_init__(self) -> None:
        from hw.boards import BOARDS, UnknownBoardError, find_board

        if self.board != VIRTUAL and self.board not in BOARDS:
            known = ", ".join((VIRTUAL, *BOARDS))
            raise UnknownBoardError(f"Board must be one of {known}, not {self.board!r}")
        if self.like is not None:
            find_board(self.like)
        if self.board != VIRTUAL and self.port is None:
            raise ValueError(f"Board {self.board} must be named by its serial port, with --port")

    @property
    def is_simulated(self) -> bool:
        """Whether the board has to be started first."""
        return self.board == VIRTUAL and self.port is None


@contextlib.contextmanager
def open_device(target: Target, networks: Sequence[Network]) -> Iterator[tuple[Device, str]]:
    """Open a board that can hold the networks; yields its driver and the port it is on."""
    if not target.is_simulated:
        port = target.port or ""
        timeout = _SIMULATED_TIMEOUT_S if target.board == VIRTUAL else _TIMEOUT_S
        with Device(open_transport(port, baud=target.baud), timeout=timeout) as device:
            yield device, port
        return
    from sim.virtual_board import VirtualBoard

    design, _ = choose_design(networks, target.like, members=target.members)
    board = VirtualBoard(design)
    with stage("compiling and starting the virtual board (quick when done before)"):
        board.start()
    try:
        with Device(board.connect(), timeout=_SIMULATED_TIMEOUT_S) as device:
            yield device, board.path
    finally:
        board.close()
