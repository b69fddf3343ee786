# SPDX-License-Identifier: Apache-2.0
"""The boards that `load` and `run` talk to: on serial ports, or virtual."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from firmware.discovery import find_devices, find_one, open_port
from firmware.driver import Device
from firmware.group import DeviceGroup
from firmware.transport import USUAL_BAUD
from model.description import Network
from popspike.console import err, stage
from popspike.gateware import choose_design

__all__ = [
    "VIRTUAL",
    "BaudOption",
    "FastOption",
    "LikeOption",
    "PortOption",
    "Target",
    "TargetOption",
    "open_device",
]

#: Name of the board that exists in simulation only.
VIRTUAL = "virtual"
#: A board or port that shall be found.
AUTO = "auto"
#: Every board that is found.
ALL = "all"

_TIMEOUT_S = 1.0
# A simulated board is slow, the more so on a busy machine.
_SIMULATED_TIMEOUT_S = 10.0

TargetOption = Annotated[
    str,
    typer.Option(
        "--board",
        "-b",
        help="virtual, auto (whatever board answers), or a name from `popspike boards`.",
    ),
]
PortOption = Annotated[
    list[str] | None,
    typer.Option(
        "--port",
        help="Serial port of the board, such as /dev/ttyUSB1; auto: found by itself, as without "
        "this option; all: every board that is found. Given several times, boards share the work.",
    ),
]
BaudOption = Annotated[
    int, typer.Option(min=1, help="Bits a second, as the bitstream was built for.")
]
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast", help="Raise the speed of the line as far as a self-test both ways allows."
    ),
]
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
        Name of a board, `AUTO` or `VIRTUAL`.
    ports
        Serial ports, or `AUTO` or `ALL`; none: `AUTO`. A virtual board that is kept running has
        one, too.
    baud
        Bits a second that the bitstream was built for.
    is_fast
        Whether the speed of the line shall be raised.
    like
        Board whose gateware a virtual board holds; None: see `choose_design`.
    members
        Most members that a virtual board is built for, where they are drawn.
    """

    board: str
    ports: tuple[str, ...] = ()
    baud: int = USUAL_BAUD
    is_fast: bool = False
    like: str | None = None
    members: int | None = None

    def __post_init__(self) -> None:
        from hw.boards import BOARDS, UnknownBoardError, find_board

        if self.board not in (VIRTUAL, AUTO) and self.board not in BOARDS:
            known = ", ".join((VIRTUAL, AUTO, *BOARDS))
            raise UnknownBoardError(f"Board must be one of {known}, not {self.board!r}")
        if self.like is not None:
            find_board(self.like)
        if len(self.ports) > 1 and {AUTO, ALL} & set(self.ports):
            raise ValueError(f"Ports must be names, or one of auto and all, not {self.ports}")
        if len(set(self.ports)) < len(self.ports):
            raise ValueError(f"Ports must differ from each other, not {self.ports}")
        if self.is_fast and self.is_simulated:
            raise ValueError("Speed must be left as it is for a virtual board: it has no time")

    @property
    def is_simulated(self) -> bool:
        """Whether the board has to be started first."""
        return self.board == VIRTUAL and not self.ports


@contextlib.contextmanager
def open_device(
    target: Target, networks: Sequence[Network]
) -> Iterator[tuple[Device | DeviceGroup, str]]:
    """Open boards that can hold the networks; yields their driver and the ports they are on."""
    if target.is_simulated:
        with _virtual(target, networks) as opened:
            yield opened
        return
    device, where = _open(target)
    with device:
        if target.is_fast:
            with stage("raising the speed of the line"):
                device.raise_speed()
        yield device, where
        if isinstance(device, DeviceGroup):
            for name, error in device.failures.items():
                err.print(f"[yellow]{name} failed, the others did its work:[/] {error}")


def _open(target: Target) -> tuple[Device | DeviceGroup, str]:
    """Open what is named, or look for it."""
    named = None if target.board in (VIRTUAL, AUTO) else target.board
    if target.ports == (ALL,):
        with stage("looking for boards"):
            found = find_devices(board=named, baud=target.baud)
        names = [each.port for each in found]
        return DeviceGroup([each.device for each in found], names), ", ".join(names)
    if target.ports in ((), (AUTO,)):
        with stage("looking for a board"):
            one = find_one(board=named, baud=target.baud)
        return one.device, one.port
    timeout = _SIMULATED_TIMEOUT_S if target.board == VIRTUAL else _TIMEOUT_S
    with contextlib.ExitStack() as stack:
        devices = [
            stack.enter_context(open_port(port, board=named, baud=target.baud, timeout=timeout))
            for port in target.ports
        ]
        stack.pop_all()  # from here on the caller closes them
    if len(devices) == 1:
        return devices[0], target.ports[0]
    return DeviceGroup(devices, target.ports), ", ".join(target.ports)


@contextlib.contextmanager
def _virtual(target: Target, networks: Sequence[Network]) -> Iterator[tuple[Device, str]]:
    """Start a board in simulation."""
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
