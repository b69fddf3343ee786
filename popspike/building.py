# SPDX-License-Identifier: Apache-2.0
"""From networks to a bitstream with a report, for `build` and `demo`."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw.design.design import Design
from model.description import Network
from popspike.cycles import Pace

__all__ = ["build_design", "report_text"]


def build_design(
    design: Design,
    *,
    board: str,
    name: str,
    folder: Path,
    pace: Pace,
    clock_mhz: float | None = None,
    baud: int = 115200,
    link: str = "uart",
    flash: bool = True,
    reason: str = "",
    attempts: int = 4,
    native: bool = False,
    resident: Network | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Build a bitstream and write ``report.json`` and ``report.txt`` beside it.

    Parameters
    ----------
    design
        Gateware.
    board
        Board name.
    name
        Name of the bitstream, without its ending.
    folder
        Where bitstream and reports go; the tools work in a folder below.
    pace
        Cycles an image.
    clock_mhz
        Clock to meet; None: picked.
    baud
        Bits a second of the serial line after reset.
    link
        ``"uart"`` or ``"spi"``.
    flash
        The gateware boots networks from the board's flash.
    reason
        Why this network, for the report; empty: it was asked for.
    attempts, native
        As `hw.flow.build.build_bitstream` takes them.
    resident
        Network that is active at power-up; `hw.patch` can replace it. None: there is none.
    say
        Called with a line of text as the build goes on.

    Returns
    -------
    dict
        What ``report.json`` holds.
    """
    from firmware.resident import contents_of
    from hw.board_top import BoardTop
    from hw.boards import find_board
    from hw.fit.estimate import bandwidth_share, estimate
    from hw.flash.layout import FlashMap
    from hw.flow.build import build_bitstream
    from hw.flow.on_board import check_pins
    from hw.flow.report import sum_resources
    from hw.link.uart_receiver import divisor_for
    from hw.patch.memories import placeholder_contents
    from hw.patch.patching import map_path
    from hw.patch.resident import finish_resident

    chosen = find_board(board)
    check_pins(chosen, link)
    if link == "uart":
        # Before old files go; the clock that comes out is checked again.
        divisor_for(1e6 * (clock_mhz or chosen.target_mhz), baud)
    bitstream = folder / f"{name}{chosen.bitstream_suffix}"
    # What an earlier build left says nothing of this one.
    for old in (bitstream, map_path(bitstream)):
        old.unlink(missing_ok=True)
    flash_map = FlashMap() if flash else None
    contents = None if resident is None else contents_of(resident, design)
    placeholders = None if resident is None else placeholder_contents(design)
    made = build_bitstream(
        board=chosen,
        make_top=lambda clock_hz: BoardTop(
            design=design,
            divisor=divisor_for(clock_hz, baud) if link == "uart" else None,
            clock_hz=round(clock_hz),
            link=link,
            flash=flash_map,
            contents=placeholders,
            board=board,
        ),
        path=bitstream
        if placeholders is None
        else folder / "tools" / f"placeholders{bitstream.suffix}",
        folder=folder / "tools",
        clock_mhz=clock_mhz,
        target_mhz=None if design.memory is None else chosen.series_target_mhz,
        multiplies=design.memory is not None,
        native=native,
        attempts=attempts,
        on_stage=say,
    )
    if contents is not None and placeholders is not None:
        say("network into the bitstream")
        finish_resident(
            made, design=design, placeholders=placeholders, contents=contents, path=bitstream
        )
    used, available = made.place.resources.to_json(), made.place.available.to_json()
    # On iCE40 a flip-flop shares its cell with a table, and only the netlist counts it.
    used["flip_flops"] = used["flip_flops"] or sum_resources(made.parts).flip_flops
    before = estimate(design, chosen, flash=flash)
    share = bandwidth_share(bits=pace.weight_bits, cycles=pace.cycles_per_image, board=chosen)
    facts = {
        "bitstream": str(bitstream),
        "bitstream_bytes": bitstream.stat().st_size,
        "resident": None if resident is None else f"{resident.fingerprint():#010x}",
        "board": board,
        "reason": reason,
        "link": link,
        "flash": dataclasses.asdict(flash_map) if flash_map else None,
        "clock_mhz": made.clock_mhz,
        "achieved_mhz": made.place.achieved_mhz,
        "cycles_per_image": pace.cycles_per_image,
        "cycles_over": f"{pace.images} images of {pace.origin}",
        "fed_by": f"{design.sample_input}, {design.pixels_per_cycle} a cycle, encoded on chip; "
        "the link is slower",
        "latency_us": pace.latency_cycles / made.clock_mhz,
        "images_per_s": 1e6 * made.clock_mhz / pace.cycles_per_image,
        "bandwidth_share": share,
        "value_cycles": pace.value_cycles,
        "work": {part: work.to_json() for part, work in pace.work.items()},
        "resources": used,
        "estimated": before.total.to_json(),
        "available": available,
        "parts": {part: cells.to_json() for part, cells in made.parts.items()},
        "estimated_parts": {part: cells.to_json() for part, cells in before.parts.items()},
        "baud": baud if link == "uart" else None,
        "design": design.to_json(),
        "attempts": [dataclasses.asdict(attempt) for attempt in made.attempts],
        "critical_path": list(made.place.critical_path),
        "seconds": made.seconds,
    }
    (folder / "report.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    path = ["", "critical path", *made.place.critical_path, ""]
    text = report_text(facts) + "\n".join(path)
    (folder / "report.txt").write_text(text, encoding="utf-8")
    return facts


def report_text(facts: dict[str, Any]) -> str:
    """Text form of a report, without the critical path."""
    lines = [
        f"{facts['bitstream']} for {facts['board']}",
        *([f"chosen           {facts['reason']}"] if facts["reason"] else []),
        f"link             {_link_text(facts)}",
        f"flash            "
        f"{'boots networks from it' if facts['flash'] else 'not used by the gateware'}",
        f"clock            {facts['clock_mhz']:.2f} MHz "
        f"(slowest path allows {facts['achieved_mhz']:.2f} MHz)",
        f"cycles an image  {facts['cycles_per_image']:.1f} (over {facts['cycles_over']})",
        f"fed by           {facts['fed_by']}",
        f"latency          {facts['latency_us']:.1f} us",
        f"images a second  {facts['images_per_s']:,.0f} (estimated: clock / cycles)",
        f"weight bandwidth {100 * facts['bandwidth_share']:.1f} % of what the chip's memories can "
        "read is used",
        *_work_rows(facts),
        "",
        *_part_rows(facts),
    ]
    return "\n".join(lines) + "\n"


def _link_text(facts: dict[str, Any]) -> str:
    """Kind of the link, and its speed after reset."""
    return "SPI" if facts["link"] == "spi" else f"UART, {facts['baud']} bits a second after reset"


def _work_rows(facts: dict[str, Any]) -> list[str]:
    """What the energy of an image goes with, counted."""
    rows = []
    if facts["value_cycles"]:
        rows.append(f"input value      {facts['value_cycles']} cycles of the memory")
    for part, work in facts["work"].items():
        rows.append(
            f"work of {part:<9}{work['multiplications']:,.0f} multiplications, "
            f"{work['additions']:,.0f} additions, {work['bits_read']:,.0f} memory bits read an "
            "image (counted)"
        )
    return rows


def _part_rows(facts: dict[str, Any]) -> list[str]:
    """Each part as it came out, and as it was estimated where the estimate knows it."""
    names = [name.replace("_", " ") for name in facts["resources"]]
    rows = ["part".ljust(26) + "".join(f"{name:>15}" for name in names)]
    built = {
        **facts["parts"],
        "placed in all": facts["resources"],
        "of the chip": facts["available"],
    }
    guessed = {**facts["estimated_parts"], "placed in all": facts["estimated"]}
    for part in [*built, *(part for part in guessed if part not in built)]:
        for cells, suffix in ((built.get(part), ""), (guessed.get(part), ", estimated")):
            if cells is not None:
                numbers = "".join(f"{count:>15,}" for count in cells.values())
                rows.append(f"{part + suffix:<26}{numbers}")
    return rows
