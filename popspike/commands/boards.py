# SPDX-License-Identifier: Apache-2.0
"""`popspike boards`: what bitstreams are built for, and what is known of each board."""

import itertools
from typing import Annotated, Any

import typer

from popspike.console import figures, out, print_json, table
from popspike.fitting import fits, largest_fit
from popspike.options import JsonOption

__all__ = ["board_facts", "boards"]

#: The virtual board, which any computer has.
_VIRTUAL: dict[str, Any] = {
    "name": "virtual",
    "title": "virtual board",
    "device": "none",
    "chip": "none: the gateware is compiled for the host",
    "clock_mhz": None,
    "link": "pty",
    "memory_kbit": None,
    "memory": "memory of the host",
    "largest_network": None,
    "why": "any network",
    "largest_network_from_flash": None,
    "builds": "",
    "tested_by": [],
}


def boards(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One board, with all its facts.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the boards: chip, clock, link, memory, and the largest shipped network that fits.

    "builds" names the clock at which the shipped record has a bitstream of that network for the
    board, made by place and route. "tested by" names people who ran it on the board itself; it is
    empty until somebody reports that.

    Examples:  popspike boards

    popspike boards tang-nano-9k --json
    """
    from hw.boards import BOARDS, find_board

    if name == _VIRTUAL["name"]:
        rows = [_VIRTUAL]
    elif name is not None:
        rows = [board_facts(find_board(name).name)]
    else:
        rows = [*(board_facts(each) for each in BOARDS), _VIRTUAL]
    if json:
        print_json(rows[0] if name else rows)
        return
    if name:
        figures(name, {key.replace("_", " "): _cell(value) for key, value in rows[0].items()})
        return
    out.print(
        table(
            "boards",
            ("name", "chip, clock, link, memory", "largest network, builds", "tested by"),
            [
                (
                    row["name"],
                    _chip_text(row),
                    f"{row['largest_network'] or ''}\n{row['builds']}".strip(),
                    _cell(row["tested_by"]),
                )
                for row in rows
            ],
            unbroken=("chip, clock, link, memory", "largest network, builds"),
        )
    )
    out.print(
        "Networks fit by estimate. builds: clock of a recorded bitstream, from place and route. "
        "Run on the board itself only where somebody is named.",
        highlight=False,
    )


def _chip_text(row: dict[str, Any]) -> str:
    """Chip, clock, link and memory of a board, on two lines."""
    if row is _VIRTUAL:
        return "gateware on the host, pty"
    clock, memory = f"{row['clock_mhz']:g} MHz", f"{row['memory_kbit']:,} kbit"
    return f"{row['device']}, {clock}\n{row['link']}, {memory}"


def board_facts(name: str) -> dict[str, Any]:
    """All that is known of a board; ``builds`` is empty without a recorded build.

    Parameters
    ----------
    name
        Board name.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    """
    from hw.boards import find_board
    from hw.fit.fold import boots_from_flash
    from hw.flow.resource_record import recorded_builds
    from popspike.fitting import reason_text

    board = find_board(name)
    chosen, larger = largest_fit(name)
    built = recorded_builds().get(f"{chosen.name}-{name}")
    booted = next(
        each.name
        for each in itertools.chain([chosen], fits(name))
        if each.design is not None and boots_from_flash(each.design, name)
    )
    return {
        "name": name,
        "title": board.title,
        "device": board.device,
        "chip": board.chip,
        "clock_mhz": board.clock_hz / 1e6,
        "link": "UART" if board.spi is None else "UART, SPI",
        "link_through": board.uart_through,
        "memory_kbit": board.memory_bits // 1024,
        "memory": board.memory_text,
        "flash": f"{board.flash_bytes >> 20} MiB",
        "luts": board.luts,
        "largest_network": chosen.name,
        "why": reason_text(chosen, larger),
        "largest_network_from_flash": booted,
        "builds": f"{built['clock_mhz']:g} MHz" if built else "",
        "usb_ids": [f"{vendor:04x}:{product:04x}" for vendor, product in board.usb_ids],
        "programmer": board.programmer.tool,
        "notes": list(board.notes),
        "tested_by": list(board.tested_by),
    }


def _cell(value: object) -> object:
    """Value of a fact as a cell."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value
