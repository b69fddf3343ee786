# SPDX-License-Identifier: Apache-2.0
"""`popspike verify`: the generated hardware, held against the golden model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hw.design.design import Design
from model.data import Samples
from model.description import Network
from popspike.console import err, figures, print_json, progress, stage
from popspike.gateware import OptionalBoard, choose_design
from popspike.options import (
    DataDirOption,
    DatasetOption,
    JsonOption,
    MembersOption,
    NetworkArgument,
    SeedOption,
    find_dataset,
    find_network,
    samples_at_hand,
)
from sim.choice import Choice

__all__ = ["verify_network"]

_IMAGES = 20


def verify_network(
    network: NetworkArgument,
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Images to run. Default: 20, or the whole test set with --all."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="The test set through compiled RTL: results and cycles."),
    ] = False,
    board: OptionalBoard = None,
    simulator: Annotated[
        list[str] | None,
        typer.Option(help="verilator or icarus; repeat for both. Default: all that are installed."),
    ] = None,
    members: MembersOption = None,
    seed: SeedOption = None,
    every: Annotated[
        int,
        typer.Option(
            help="Steps from answer to answer, of one member: 1, or any number of a network whose "
            "layers read a Legendre memory. Default: one answer a sample."
        ),
    ] = 0,
    stall_seed: Annotated[int, typer.Option(help="Of the random pauses.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Picture of the first image: spikes, model over RTL.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run the hardware that is generated for a board and compare it with the golden model.

    Every potential or state at every step, every spike, every result, and every cycle against the
    schedule, of a committee member by member; of a series every state of a Legendre memory after
    every input step, every word that it sends and every integer that neurons emit. Then once more
    with random pauses on both sides. A difference names the sample, where and when in it, expected
    and found, leaves a waveform, and makes the exit code 1.

    With --all, results and cycles of the test set, or of its first so many images, and of a
    Legendre memory a digest of its states after every input step.

    Examples:  popspike verify bs4nn-digits

    popspike verify bs4nn-mnist-256 --images 5 --board ulx3s-85f --plot spikes.png

    popspike verify bs4nn-mnist-600 --all

    popspike verify bisnn-moons-committee --members 4

    popspike verify lmu-psmnist-256 --images 3 --every 28 --plot lmu.png
    """
    loaded = find_network(network)
    if everything:
        samples = find_dataset(dataset, loaded, data_dir).part()
        samples = samples if images is None else samples.head(images)
    else:
        samples = samples_at_hand(loaded, dataset, data_dir).head(images or _IMAGES)
    choice = Choice(members=members, seed=seed, step_results=every)
    choice.check(loaded)
    design, made_for = choose_design(
        [loaded], board, members=members if loaded.is_sampled else None
    )
    if everything:
        if plot is not None:
            raise ValueError("Plot must be asked for without --all: only potentials can be drawn")
        facts = _whole_set(loaded, samples, design, choice)
    else:
        facts = _every_step(loaded, samples, design, choice, simulator, stall_seed, plot)
    facts = {"network": network, "dataset": samples.origin, "board": made_for, **facts}
    if json:
        print_json(facts)
    else:
        shown = {key.replace("_", " "): value for key, value in facts.items()}
        shown["cycles as scheduled"] = "yes" if facts["cycles_as_scheduled"] else "NO"
        shown["divergences"] = "\n".join(facts["divergences"]) or None
        shown["simulators"] = ", ".join(facts["simulators"])
        figures(f"verify {network}: hardware against golden model", shown)
    if facts["mismatches"] or not facts["cycles_as_scheduled"]:
        err.print("[bold red]the hardware differs from the golden model[/]")
        raise typer.Exit(1)


def _every_step(
    network: Network,
    samples: Samples,
    design: Design,
    choice: Choice,
    simulators: list[str] | None,
    seed: int,
    plot: Path | None,
) -> dict[str, Any]:
    from sim.simulator import available_simulators
    from sim.verify import verify

    known = available_simulators()
    if unknown := [name for name in simulators or () if name not in known]:
        raise ValueError(f"Simulator must be one of {', '.join(known)}, not {unknown[0]!r}")
    with stage("verify") as say:
        result = verify(
            network,
            samples.images,
            design,
            choice=choice,
            simulators=tuple(simulators or known),
            seed=seed,
            progress=say,
        )
    if plot is not None:
        from sim.plots import plot_verification

        plot_verification(network, result, plot)
    return {
        "images": result.images,
        "mismatches": result.mismatches,
        "cycles_as_scheduled": result.cycles_as_scheduled,
        "cycles_per_image": round(result.cycles_per_image, 1),
        "potentials_compared": result.potentials,
        "simulators": list(result.simulators),
        "divergences": [str(divergence) for divergence in result.divergences],
        "waveform": None if result.waveform is None else str(result.waveform),
        "plot": None if plot is None else str(plot),
        "seconds": round(result.seconds, 1),
    }


def _whole_set(
    network: Network, samples: Samples, design: Design, choice: Choice
) -> dict[str, Any]:
    from sim.test_set import run_test_set

    with progress("compile, then images", len(samples)) as show:
        result = run_test_set(network, samples.images, design, choice=choice, progress=show)
    return {
        "images": result.images,
        "mismatches": result.mismatches,
        "cycles_as_scheduled": result.cycles_as_scheduled,
        "cycles_per_image": round(result.cycles_per_image, 1),
        "accuracy": float((result.winners == samples.labels).mean()),
        "simulators": ["verilator"],
        "divergences": [str(divergence) for divergence in result.divergences],
        "compile_seconds": round(result.compile_seconds, 1),
        "seconds": round(result.run_seconds, 1),
    }
