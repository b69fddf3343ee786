# SPDX-License-Identifier: Apache-2.0
"""Boards found among the serial ports: by their USB numbers, then by what their registers say."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from firmware.answers import DeviceError
from firmware.driver import Device
from firmware.speed import wake
from firmware.transport import USUAL_BAUD, LinkError, Transport, open_transport
from hw.boards import BOARDS, find_board
from hw.formats.register_map import board_code, register_address

__all__ = ["Found", "Port", "board_name", "find_devices", "find_one", "list_ports", "open_port"]

# Seconds that a port gets to answer while boards are looked for.
_PATIENCE = 0.3
_TIMEOUT = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Port:
    """A serial port of this machine.

    Parameters
    ----------
    name
        To open it by, for example ``/dev/ttyUSB1`` or ``COM3``.
    vendor, product
        USB numbers; none where the port is not on USB.
    text
        What its adapter says of itself.
    """

    name: str
    vendor: int | None = None
    product: int | None = None
    text: str = ""

    @property
    def usb_id(self) -> str:
        """``vendor:product`` in hexadecimal; empty where it is not on USB."""
        if self.vendor is None or self.product is None:
            return ""
        return f"{self.vendor:04x}:{self.product:04x}"

    @property
    def boards(self) -> tuple[str, ...]:
        """Boards whose serial port has these USB numbers; adapters are not theirs alone."""
        usb_id = (self.vendor, self.product)
        return tuple(name for name, board in BOARDS.items() if usb_id in board.usb_ids)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """A board that answers.

    Parameters
    ----------
    port
        Where.
    board
        Its name; empty if its bitstream does not say.
    device
        Its driver, open.
    """

    port: str
    board: str
    device: Device


def list_ports(comports: Callable[[], Iterable[Any]] | None = None) -> list[Port]:
    """Serial ports of this machine, by name.

    Parameters
    ----------
    comports
        Lists them, as `serial.tools.list_ports.comports` does, which is the default.
    """
    from serial.tools import list_ports as system

    found = [
        Port(name=each.device, vendor=each.vid, product=each.pid, text=each.description or "")
        for each in (comports or system.comports)()
    ]
    return sorted(found, key=lambda port: port.name)


def open_port(
    port: str,
    *,
    board: str | None = None,
    baud: int = USUAL_BAUD,
    timeout: float = _TIMEOUT,
    opener: Callable[..., Transport] = open_transport,
) -> Device:
    """Open the board on a port, and wake it if it was left at another speed.

    Parameters
    ----------
    port
        Name of the port.
    board
        Name of the board that shall be there; one whose bitstream does not name it counts.
    baud
        Bits a second that its gateware was built for.
    timeout
        Seconds that a reply may take.
    opener
        Opens a port, as `firmware.transport.open_transport` does.

    Raises
    ------
    LinkError
        If the port cannot be opened, nothing answers, or it is another board.
    """
    return _open(port, board=board, baud=baud, timeout=timeout, opener=opener).device


def _open(
    port: str, *, board: str | None, baud: int, timeout: float, opener: Callable[..., Transport]
) -> Found:
    """The same, with the name that the board was asked for."""
    device = Device(opener(port, baud=baud), timeout=timeout)
    try:
        wake(device)
        name = board_name(device)
        if board is not None and name not in ("", board):
            raise DeviceError(f"Board on {port} must be {board}, not {name}")
    except BaseException:
        device.close()
        raise
    return Found(port=port, board=name, device=device)


def board_name(device: Device) -> str:
    """Name that the bitstream of a board gives; empty if it gives none that is known.

    Raises
    ------
    DeviceError
        If it is not one of ours, or does not answer.
    """
    _ = device.design  # raises for what is not one of ours
    code = device.read_registers(register_address("board"), 1)[0]
    return next((name for name in BOARDS if board_code(name) == code), "")


def find_devices(
    *,
    board: str | None = None,
    baud: int = USUAL_BAUD,
    ports: Sequence[Port] | None = None,
    opener: Callable[..., Transport] = open_transport,
) -> list[Found]:
    """Open every board that answers on a serial port; the caller closes them.

    A board has more than one port, and adapters are used for much else. So every port with the USB
    numbers of a board is asked for its registers, or, if no board is named, every USB port. A
    question is a row of zeros and a frame.

    Parameters
    ----------
    board
        Name of a board, if only those shall be found; one whose bitstream does not name it counts
        if its USB numbers do.
    baud
        Bits a second that the gateware was built for.
    ports
        Where to look; none: `list_ports`.
    opener
        As for `open_port`.

    Raises
    ------
    hw.boards.UnknownBoardError
        If the board is not one of ours.
    LinkError
        If none answers; the text says what each port said.
    """
    if board is not None:
        find_board(board)
    looked = list_ports() if ports is None else list(ports)
    asked = [port for port in looked if port.usb_id and (board is None or board in port.boards)]
    found, said = [], []
    for port in asked:
        try:
            one = _open(port.name, board=board, baud=baud, timeout=_PATIENCE, opener=opener)
        except LinkError as error:
            said.append(f"{port.name} ({port.usb_id}): {error}")
            continue
        one.device.timeout = _TIMEOUT
        found.append(one)
    if not found:
        what = board or "board"
        ports_text = "\n".join(f"  {line}" for line in said) or "  there is no such USB serial port"
        raise LinkError(
            f"No {what} answers at {baud} baud on a serial port:\n{ports_text}\n"
            "`popspike doctor` says what to do; --port names a port that is not found"
        )
    return found


def find_one(
    *,
    board: str | None = None,
    baud: int = USUAL_BAUD,
    ports: Sequence[Port] | None = None,
    opener: Callable[..., Transport] = open_transport,
) -> Found:
    """Open the only board that answers; see `find_devices`.

    Raises
    ------
    LinkError
        If none answers, or several do; the text names them.
    """
    found = find_devices(board=board, baud=baud, ports=ports, opener=opener)
    if len(found) > 1:
        for each in found:
            each.device.close()
        names = ", ".join(f"{each.port} ({each.board or 'not named'})" for each in found)
        raise LinkError(f"One board must be chosen with --port, or all with --port all: {names}")
    return found[0]
