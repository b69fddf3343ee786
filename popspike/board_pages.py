# SPDX-License-Identifier: Apache-2.0
"""Pages of the boards in `docs/boards`, written from the files in `hw/boards`.

`docs/tables.py` writes them; a test says when one is out of date.
"""

import shlex
from typing import Any

from hw.boards import BOARDS, Board
from hw.flash.layout import FlashMap
from hw.flow.resource_record import recorded_builds
from popspike.commands.boards import board_facts

__all__ = ["BUILD_COLUMNS", "board_page", "board_table", "build_cells", "build_table"]

#: What `build_cells` says of a recorded build; the clock comes from place and route.
BUILD_COLUMNS = ("boots from flash", "lanes", "LUT4", "FF", "RAM blocks", "clock, MHz")

# Pins in the order of a page, with what they are for.
_LINK_PINS = {"rx": "from the host", "tx": "to the host"}
_SPI_PINS = {"cs": "select", "clk": "clock", "copi": "to the board", "cipo": "from the board"}
_FLASH_PINS = {
    "cs": "select",
    "clk": "clock",
    "copi": "to the flash",
    "cipo": "from the flash",
    "wp": "write protection, held off",
    "hold": "hold, held off",
}


def board_table() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of the list of boards."""
    rows: list[tuple[str, ...]] = []
    for name in BOARDS:
        facts = board_facts(name)
        rows.append(
            (
                f"[`{name}`]({name}.md)",
                facts["device"],
                f"{facts['clock_mhz']:g} MHz",
                facts["link"],
                facts["memory"],
                f"`{facts['largest_network']}`",
                facts["builds"],
                ", ".join(facts["tested_by"]),
            )
        )
    columns = (
        "board",
        "chip",
        "clock",
        "link",
        "memory",
        "largest shipped network that fits",
        "builds",
        "hardware-tested by",
    )
    return columns, rows


def build_table(name: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of the recorded builds for a board."""
    rows: list[tuple[str, ...]] = []
    for build, facts in recorded_builds().items():
        if not build.endswith(f"-{name}"):
            continue
        images = f"{facts['images_per_s']:,.0f}"
        rows.append((f"`{build.removesuffix(f'-{name}')}`", *build_cells(facts), images))
    return ("network", *BUILD_COLUMNS, "images/s, estimated"), rows


def build_cells(facts: dict[str, Any]) -> tuple[str, ...]:
    """Cells of `BUILD_COLUMNS` for an entry of `hw.flow.resource_record`."""
    cells = facts["resources"]
    spram = f" + {cells['spram_blocks']} SPRAM" if cells["spram_blocks"] else ""
    return (
        "yes" if facts["boots_from_flash"] else "no",
        " / ".join(map(str, facts["lanes"])),
        f"{cells['luts']:,}",
        f"{cells['flip_flops']:,}",
        f"{cells['ram_blocks']}{spram}",
        f"{facts['clock_mhz']:.1f}",
    )


def board_page(name: str) -> str:
    """Markdown of a board's page.

    Parameters
    ----------
    name
        Board name.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    """
    board, facts = BOARDS[name], board_facts(name)
    network = facts["largest_network"]
    blocks = [
        f"# {board.title}",
        f"Written by `python docs/tables.py` from `hw/boards/{name.replace('-', '_')}.py`. "
        "Nothing here was run on the board unless somebody is named at the end.",
        _markdown(("what", "value"), _fact_rows(board, facts)),
        *board.notes,
        "## Pins",
        _markdown(("signal", "FPGA pin", "for"), _pin_rows(board)),
        "## Largest shipped network",
        f"{facts['why']}.",
        *_built(name, facts),
        "## Build, load, run",
        _shell(
            f"popspike build largest --board {name}  # folder build/{network}-{name}",
            *_load_lines(board, facts),
            f"popspike load {network} --board {name}",
            f"popspike run {network} --board {name} --images 100",
        ),
        "`--port` names the serial port where more than one board is attached. Any network that "
        "the design has room for can be loaded; `popspike doctor` says what the computer lacks.",
        "## Into the flash",
        *_flash_blocks(board, facts),
        "## Tested on the board by",
        _tested(board),
    ]
    return "\n\n".join(blocks) + "\n"


def _fact_rows(board: Board, facts: dict[str, Any]) -> list[tuple[str, str]]:
    slots = FlashMap()
    first, size = slots.first_slot, slots.slot_bytes
    cells = "logic cells" if board.family == "ice40" else "4-input tables"
    return [
        ("chip", board.chip),
        ("logic", f"{board.luts:,} {cells}, {board.flip_flops:,} flip-flops"),
        ("memory", board.memory_text),
        ("multipliers", str(board.dsp_blocks)),
        ("clock", f"{facts['clock_mhz']:g} MHz; the gateware's comes from {board.pll}"),
        ("link", f"UART through {board.uart_through}" + ("; SPI" if board.spi else "")),
        ("USB", ", ".join(facts["usb_ids"])),
        ("SPI flash", f"{facts['flash']}; {slots.slots} slots of {size >> 10} KiB at {first:#x}"),
        ("programmer", f"`{board.programmer.tool}`"),
        ("tools", ", ".join(f"`{tool}`" for tool in board.tools)),
    ]


def _pin_rows(board: Board) -> list[tuple[str, str, str]]:
    platform = board.platform()
    resources = [("link", board.uart, _LINK_PINS)]
    if board.spi is not None:
        resources.append(("SPI link", board.spi, _SPI_PINS))
    resources.append(("flash", board.flash, _FLASH_PINS))
    rows = [("clock", _pin(platform, (platform.default_clk, 0), None), "input")]
    for group, resource, meanings in resources:
        for signal, meaning in meanings.items():
            pin = _pin(platform, resource, signal)
            if group == "flash" and signal == "clk" and board.flash_clock != "pin":
                pin = f"through the cell {board.flash_clock}"
            if pin:
                rows.append((f"{group} {signal}", pin, meaning))
    return rows


def _pin(platform: Any, resource: tuple[str, int], signal: str | None) -> str:
    """Package pin of a signal of a resource; empty if it has none."""
    found = platform.lookup(*resource)
    ios = found.ios if signal is None else [io for io in found.ios if io.name == signal]
    if not ios:
        return ""
    pins = ios[0] if signal is None else ios[0].ios[0]
    return ", ".join(pins.map_names(platform._conn_pins, found))


def _built(name: str, facts: dict[str, Any]) -> list[str]:
    """What place and route made, as recorded."""
    columns, rows = build_table(name)
    if not rows:
        return ["No build is recorded yet."]
    return ["Recorded builds (place and route; nothing measured on the board):"] + [
        _markdown(columns, rows)
    ]


def _load_lines(board: Board, facts: dict[str, Any]) -> list[str]:
    stem = f"{facts['largest_network']}-{board.name}"
    path = f"build/{stem}/{stem}{board.bitstream_suffix}"
    if board.programmer.load:
        return [f"{_line(board.programmer.load, path)}  # until power goes"]
    return [f"{_line(board.programmer.flash, path)}  # into the flash"]


def _flash_blocks(board: Board, facts: dict[str, Any]) -> list[str]:
    network, name = facts["largest_network_from_flash"], board.name
    less = []
    if network != facts["largest_network"]:
        less = [
            f"`{facts['largest_network']}` leaves no room for the boot from flash, unless "
            f"`--flash` asks for it; `{network}` does."
        ]
    if not board.programmer.data:
        return [
            *less,
            "Bitstream and network in one file, which the gateware boots from at power-up:",
            _shell(
                f"popspike build {network} --board {name}",
                f"popspike flash {network} --board {name} --out flash.bin",
                _line(board.programmer.flash, "flash.bin"),
            ),
        ]
    slot = f"{FlashMap().first_slot:#x}"
    return [
        *less,
        "Bitstream and network, which the gateware boots from at power-up; another network later, "
        "into a slot that is not in use:",
        _shell(
            f"popspike build {network} --board {name}",
            f"popspike flash {network} --board {name}",
            f"popspike flash {network} --board {name} --networks-only --port auto",
        ),
        "By hand, with the `slot0.bin` that `popspike flash` leaves beside the bitstream:",
        _shell(
            _line(board.programmer.flash, f"bitstream{board.bitstream_suffix}"),
            _line(board.programmer.data, "slot0.bin", offset=slot),
        ),
    ]


def _tested(board: Board) -> str:
    if board.tested_by:
        return "\n".join(f"* {who}" for who in board.tested_by)
    file = f"hw/boards/{board.name.replace('-', '_')}.py"
    return (
        "Nobody yet. If you have one: build, load, run, and report network, board revision, date "
        f"and tool versions; the name goes into `tested_by` of `{file}`."
    )


def _line(template: tuple[str, ...], file: str, *, offset: str = "") -> str:
    return shlex.join(part.format(file=file, offset=offset) for part in template)


def _shell(*lines: str) -> str:
    return "\n".join(("```sh", *lines, "```"))


def _markdown(columns: tuple[str, ...], rows: list[Any]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
