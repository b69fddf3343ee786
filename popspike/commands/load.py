# SPDX-License-Identifier: Apache-2.0
"""`popspike load`: a network into a running gateware."""

import time
from typing import Annotated

import typer

from firmware.driver import Device
from firmware.group import DeviceGroup
from firmware.transport import USUAL_BAUD
from model.description import Network
from popspike.console import err, figures, print_json, progress
from popspike.devices import (
    VIRTUAL,
    BaudOption,
    FastOption,
    LikeOption,
    PortOption,
    Target,
    TargetOption,
    open_device,
)
from popspike.options import JsonOption, NetworkArgument, find_network

__all__ = ["load", "send"]


def load(
    network: NetworkArgument,
    board: TargetOption = VIRTUAL,
    port: PortOption = None,
    baud: BaudOption = USUAL_BAUD,
    fast: FastOption = False,
    like: LikeOption = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Virtual board: keep it running until Ctrl-C, for `run`."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Load a network over the serial line; it becomes active only when its CRC matches.

    A network that the gateware cannot hold is refused before anything is sent, naming the field.

    Without --port, the board is found among the serial ports.

    Examples:  popspike load bs4nn-mnist-600 --board icebreaker

    popspike load bs4nn-mnist-600 --board auto --port /dev/ttyUSB1 --fast

    popspike load bs4nn-digits --board virtual --keep
    """
    target = Target(board=board, ports=tuple(port or ()), baud=baud, is_fast=fast, like=like)
    loaded = find_network(network)
    with open_device(target, [loaded]) as (device, where):
        seconds = send(device, loaded, network)
        status = device.status()
        facts = {
            "network": network,
            "board": board,
            "port": where,
            "state": status.state.name.lower(),
            "fingerprint": f"{status.fingerprint:#010x}",
            "seconds": round(seconds, 2),
        }
        if json:
            print_json(facts)
        else:
            figures(f"loaded {network}", facts)
        if keep and target.is_simulated:
            err.print(
                f"running until Ctrl-C; in another terminal: popspike run {network} --port {where}"
            )
            while True:
                time.sleep(1)


def send(device: Device | DeviceGroup, network: Network, name: str) -> float:
    """Load a network with a bar on stderr; return the seconds it took."""
    begun = time.monotonic()
    with progress(f"loading {name}, bytes", None) as show:
        device.load(network, progress=show)
    return time.monotonic() - begun
