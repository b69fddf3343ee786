# SPDX-License-Identifier: Apache-2.0
"""`popspike bench`: how full the serial line is in a batch."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from model.data import Samples
from model.description import Network
from popspike.console import err, out, print_json, stage, table
from popspike.gateware import choose_design
from popspike.options import (
    DataDirOption,
    DatasetOption,
    JsonOption,
    MembersOption,
    SeedOption,
    find_network,
    samples_at_hand,
)
from sim.choice import Choice

__all__ = ["bench"]


def bench(
    network: Annotated[
        list[str], typer.Argument(metavar="NET...", help="Networks (zoo names or files).")
    ],
    images: Annotated[int, typer.Option(min=1, help="Samples in the batch.")] = 50,
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    like: Annotated[
        str | None,
        typer.Option(help="Board whose gateware is simulated; default: as for verify."),
    ] = None,
    clock_mhz: Annotated[float, typer.Option(min=0.001, help="Clock of the gateware.")] = 12.0,
    baud: Annotated[int, typer.Option(min=1, help="Bits a second.")] = 1_000_000,
    turnaround_ms: Annotated[
        float, typer.Option(min=0.0, help="The host looks at the line once in so many ms.")
    ] = 1.0,
    window: Annotated[
        int | None, typer.Option(min=1, help="Most samples under way; default: as for run.")
    ] = None,
    members: MembersOption = None,
    seed: SeedOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how full the serial line is while a batch is classified, in simulated time.

    The gateware of a board runs cycle by cycle with the host driver at the other end of its line;
    the time that a host and its USB adapter take is the turnaround. The line to the board is full
    where its share is 100 %, unless the answers fill the line back first. The payload is what is
    left for bytes of samples.

    Example:  popspike bench bs4nn-mnist-256 bs4nn-digits --baud 3000000 --clock-mhz 24
    """
    choice = Choice(members=members, seed=seed)
    loaded = [find_network(name) for name in network]
    for each in loaded:
        choice.check(each)
    samples = [samples_at_hand(each, dataset, data_dir).head(images) for each in loaded]
    rows = []
    with stage("compiling") as say:
        for name, each, part in zip(network, loaded, samples, strict=True):
            say(f"simulating {name}")
            pace = {
                "clock_hz": round(clock_mhz * 1e6),
                "baud": baud,
                "turnaround": round(turnaround_ms * clock_mhz * 1e3),
                "window": window,
            }
            rows.append({"network": name, **_measure(each, part, like, choice, pace)})
    if json:
        print_json(rows)
    else:
        out.print(
            table(
                f"serial line in a batch, simulated: {baud:,} baud, {clock_mhz:g} MHz, "
                f"host looks every {turnaround_ms:g} ms",
                ("network", "bytes", "to board", "from board", "payload", "samples/s", "repeated"),
                [
                    (
                        Path(row["network"]).name,
                        f"{row['sample_bytes']:.0f}",
                        f"{100 * row['to_board']:.1f} %",
                        f"{100 * row['from_board']:.1f} %",
                        f"{100 * row['payload']:.1f} %",
                        f"{row['samples_per_s']:,.0f}",
                        row["repeated"],
                    )
                    for row in rows
                ],
            )
        )
    if any(row["mismatches"] for row in rows):
        err.print("[bold red]the board differs from the golden model[/]")
        raise typer.Exit(1)


def _measure(
    network: Network, samples: Samples, like: str | None, choice: Choice, pace: dict[str, Any]
) -> dict[str, Any]:
    """Figures of one network."""
    from model.golden import run
    from sim.throughput import measure_link

    design, made_for = choose_design([network], like, members=choice.members)
    begun = time.monotonic()
    found = measure_link(network, samples.images, design, choice=choice, **pace)
    if network.is_stepwise:
        golden = run(network, samples.images, members=choice.members, seed=choice.seed)
    else:
        golden = run(network, samples.images)
    return {
        "gateware": made_for,
        "dataset": samples.origin,
        "samples": found.samples,
        "sample_bytes": found.sample_bytes,
        "divisor": found.divisor,
        "cycles": found.cycles,
        "to_board": found.to_board,
        "from_board": found.from_board,
        "line": found.line,
        "payload": found.payload,
        "samples_per_s": found.samples * pace["clock_hz"] / found.cycles,
        "repeated": found.repeated,
        "mismatches": int((found.winners != golden.winners.numpy()).sum()),
        "wall_seconds": round(time.monotonic() - begun, 1),
    }
