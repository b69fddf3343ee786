# SPDX-License-Identifier: Apache-2.0
"""`popspike build`: a bitstream with its clock met, and a report."""

from pathlib import Path
from typing import Annotated

import typer

from popspike.building import build_design, report_text
from popspike.console import out, print_json, stage
from popspike.cycles import pace_of
from popspike.fitting import LARGEST, largest_fit, reason_text
from popspike.options import (
    BoardOption,
    BuiltMembersOption,
    DataDirOption,
    DatasetOption,
    JsonOption,
    find_network,
)

__all__ = ["build"]


def build(
    network: Annotated[
        list[str],
        typer.Argument(
            metavar="NET...",
            help="Networks (zoo names or files) that it shall hold; or 'largest': the shipped one "
            "with most weight bits that fits the board.",
        ),
    ],
    board: BoardOption = "icebreaker",
    clock: Annotated[
        float | None,
        typer.Option(help="Clock in MHz; default: the fastest that the tool finds."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default: build/NET-BOARD.")
    ] = None,
    baud: Annotated[
        int, typer.Option(min=1, help="Bits a second of the serial line after reset.")
    ] = 115200,
    link: Annotated[
        str, typer.Option(help="uart, or spi where the board has pins for it.")
    ] = "uart",
    flash: Annotated[
        bool | None,
        typer.Option(
            "--flash/--no-flash",
            help="The gateware boots networks from the board's flash; default: where there is room "
            "for that.",
        ),
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Most place and route runs.")] = 4,
    native: Annotated[
        bool, typer.Option("--native", help="Programs on PATH in place of the Python wheels.")
    ] = False,
    resident: Annotated[
        bool,
        typer.Option(
            "--resident",
            help="The first network is in the bitstream, active at power-up; `popspike patch` "
            "replaces it.",
        ),
    ] = False,
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    members: BuiltMembersOption = None,
    json: JsonOption = False,
) -> None:
    """Build a bitstream whose clock is met; one that misses its clock fails and leaves none.

    The gateware holds any of the networks given, and every smaller one of the same kind; they are
    loaded at run time. With --resident the first one is in the bitstream, and a map of its memories
    beside it. Cycles an image are the mean over the test set of the first network where
    its data are at hand, else over the shipped digits.

    Examples:  popspike build bs4nn-mnist-256 --board icebreaker

    popspike build bs4nn-mnist-600 bs4nn-mnist-256 --board ulx3s-85f --clock 100 --json

    popspike build largest --board tang-nano-9k
    """
    from hw.fit.fold import boots_from_flash, default_design

    reason = ""
    if network == [LARGEST]:
        if members is not None or resident:
            raise ValueError("Network must be named with --members or --resident, not 'largest'")
        chosen, larger = largest_fit(board, flash=flash)
        network, reason = [chosen.name], reason_text(chosen, larger)
    networks = [find_network(name) for name in network]
    name = f"{Path(network[0]).stem}-{board}"
    folder = output or Path("build") / name
    design = default_design(networks, board, members=members, resident=resident, flash=flash)
    pace = pace_of(networks[0], design, dataset=dataset, data_dir=data_dir)
    with stage(f"building for {board}") as say:
        facts = build_design(
            design,
            board=board,
            name=name,
            folder=folder,
            pace=pace,
            clock_mhz=clock,
            baud=baud,
            link=link,
            flash=boots_from_flash(design, board) if flash is None else flash,
            reason=reason,
            attempts=attempts,
            native=native,
            resident=networks[0] if resident else None,
            say=say,
        )
    if json:
        print_json(facts)
    else:
        out.print(report_text(facts), highlight=False, markup=False)
        out.print(f"also in {folder / 'report.json'} and report.txt", highlight=False)
