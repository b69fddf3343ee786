# SPDX-License-Identifier: Apache-2.0
"""`popspike demo`: everything once, on the digits that ship with the package, in one table."""

import json as json_module
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from popspike.console import err, out, print_json
from popspike.options import JsonOption, find_network

__all__ = ["demo"]

_DEMO_DATA = "mnist-samples"


def demo(
    network: Annotated[
        str, typer.Option("--network", "-n", help="A name from `popspike zoo`.")
    ] = "bs4nn-mnist-256",
    board: Annotated[str, typer.Option("--board", "-b", help="Board to build for.")] = "icebreaker",
    clock: Annotated[
        float, typer.Option(help="Clock in MHz; a modest one is met by the first place and route.")
    ] = 24.0,
    images: Annotated[int, typer.Option(min=1, help="Images for RTL and virtual board.")] = 20,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of bitstream and reports.")
    ] = Path("build/demo"),
    json: JsonOption = False,
) -> None:
    """Classify real digits in the golden model, in RTL, and over a serial line; build a bitstream.

    Needs no network and no data: trained networks and MNIST test digits ship with the package.
    The bitstream is built while the simulations run.

    Example:  popspike demo
    """
    begun = time.monotonic()
    columns = (SpinnerColumn(finished_text="+"), TextColumn("{task.description}"))
    output.mkdir(parents=True, exist_ok=True)
    log = output / "build.log"
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as answer,
        log.open("w", encoding="utf-8") as notes,
        Progress(*columns, TimeElapsedColumn(), console=err) as bar,
    ):
        building = bar.add_task(f"bitstream for {board}: synthesis, place and route", total=1)
        builder = subprocess.Popen(
            [
                *(sys.executable, "-m", "popspike", "build", network),
                *("--board", board, "--clock", str(clock), "--output", str(output)),
                *("--dataset", _DEMO_DATA, "--json"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=notes,
        )
        try:
            facts = _simulate(network, board, images, bar)
            if builder.wait():
                notes.flush()
                raise RuntimeError(
                    f"The bitstream could not be built:\n{log.read_text(encoding='utf-8').strip()}"
                )
        finally:
            if builder.poll() is None:
                builder.terminate()
                builder.wait()
        bar.update(building, completed=1)
        answer.seek(0)
        facts["build"] = json_module.loads(answer.read())
    facts["seconds"] = round(time.monotonic() - begun, 1)
    if json:
        print_json(facts)
    else:
        out.print(_table(facts))
    verified, answered = facts["verify"], facts["run"]
    if verified["mismatches"] or not verified["cycles_as_scheduled"] or answered["mismatches"]:
        err.print("[bold red]the hardware differs from the golden model[/]")
        raise typer.Exit(1)


def _simulate(name: str, board: str, images: int, bar: Progress) -> dict[str, Any]:
    """Golden model, RTL and virtual board, one after the other."""
    from firmware.driver import Device
    from hw.fit.fold import default_design
    from model.data import open_dataset
    from model.evaluate import evaluate_single_spike
    from popspike.commands.run import classify
    from sim.verify import verify
    from sim.virtual_board import VirtualBoard

    network = find_network(name)
    samples = open_dataset(_DEMO_DATA).part()
    design = default_design([network], board)

    task = bar.add_task(f"golden model, {len(samples)} shipped digits", total=1)
    scores = evaluate_single_spike(network, samples.pixels(), samples.labels)
    bar.update(task, completed=1)

    task = bar.add_task("hardware against golden model", total=1)
    few = samples.head(images)
    checked = verify(
        network,
        few.pixels(),
        design,
        progress=lambda text: bar.update(task, description=f"hardware = golden model? {text}"),
    )
    bar.update(task, completed=1, description=f"hardware = golden model, {images} digits")

    task = bar.add_task("virtual board: compile", total=1)
    with VirtualBoard(design) as running, Device(running.connect(), timeout=10.0) as device:
        bar.update(task, description="virtual board: load, classify")
        device.load(network)
        answer = classify(device, network, few)
        port = running.path
    bar.update(task, completed=1, description=f"virtual board on {port}, {images} digits")
    return {
        "network": name,
        "sizes": list(network.sizes),
        "steps": network.steps,
        "readout": str(network.readout),
        "eval": {
            "images": scores.images,
            "accuracy": scores.accuracy,
            "accuracy_paper_rule": scores.accuracy_paper_rule,
        },
        "verify": {
            "images": checked.images,
            "mismatches": checked.mismatches,
            "cycles_as_scheduled": checked.cycles_as_scheduled,
            "potentials_compared": checked.potentials,
            "divergences": [str(divergence) for divergence in checked.divergences],
        },
        "run": {"port": port, "labels": few.labels.tolist(), **answer},
    }


def _table(facts: dict[str, Any]) -> Table:
    scores, checked, built, answer = (facts[key] for key in ("eval", "verify", "build", "run"))
    made = Table(
        title=f"popspike demo: {facts['network']} "
        f"({'-'.join(map(str, facts['sizes']))}, {facts['steps']} steps, {facts['readout']})",
        caption=f"{facts['seconds']:.0f} s in all; clock from place and route, images a second = "
        "clock / cycles; nothing here was measured on a board",
    )
    made.add_column("what", style="bold")
    made.add_column("figure", overflow="fold")
    made.add_column("how", overflow="fold")
    used = built["resources"]
    equal = checked["images"] - checked["mismatches"]
    cycles = "every cycle as scheduled" if checked["cycles_as_scheduled"] else "CYCLES DIFFER"
    right = sum(a == b for a, b in zip(answer["classes"], answer["labels"], strict=True))
    rows = (
        (
            "accuracy",
            f"{100 * scores['accuracy']:.2f} %",
            f"{scores['images']} shipped MNIST test digits, integers, ties by potential",
        ),
        (
            "equal in RTL",
            f"{equal} of {checked['images']} images, {cycles}",
            f"{checked['potentials_compared']:,} potentials compared (Verilator)",
        ),
        ("cycles an image", f"{built['cycles_per_image']:.0f}", built["cycles_over"]),
        (
            "LUT / FF / RAM",
            f"{used['luts']:,} / {used['flip_flops']:,} / {used['ram_blocks']} blocks"
            + (f" + {used['spram_blocks']} SPRAM" if used["spram_blocks"] else ""),
            f"{built['board']}, place and route",
        ),
        (
            "clock",
            f"{built['clock_mhz']:.2f} MHz",
            f"asked for and met; the slowest path allows {built['achieved_mhz']:.2f} MHz",
        ),
        ("images a second", f"{built['images_per_s']:,.0f}", "estimated: clock / cycles"),
        ("bitstream", built["bitstream"], f"{Path(built['bitstream']).stat().st_size:,} bytes"),
        (
            "virtual board",
            " ".join(map(str, answer["classes"])),
            f"classes over the serial line {answer['port']}: {right} of {answer['images']} right, "
            f"{answer['images'] - answer['mismatches']} equal to the golden model in class, spike "
            "times and score",
        ),
    )
    for row in rows:
        made.add_row(*row)
    return made
