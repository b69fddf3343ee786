# SPDX-License-Identifier: Apache-2.0
"""`popspike run`: images through a board, classes and spike times back."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from firmware.driver import Classification, Device
from firmware.group import DeviceGroup
from firmware.transport import USUAL_BAUD
from model.data import Samples
from model.description import Network, Readout
from popspike.commands.load import send
from popspike.console import err, out, print_json, progress, table
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
from popspike.options import (
    DataDirOption,
    DatasetOption,
    JsonOption,
    MembersOption,
    SeedOption,
    find_network,
    samples_at_hand,
)
from popspike.streaming import check_stream, stream
from sim.choice import Choice

__all__ = ["classify", "mean_cycles", "run"]

_SHOWN = 20


def run(
    network: Annotated[
        list[str],
        typer.Argument(
            metavar="NET...", help="Networks (zoo names or files), loaded one after another."
        ),
    ],
    images: Annotated[int, typer.Option(min=1, help="Images to send.")] = 20,
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    board: TargetOption = VIRTUAL,
    port: PortOption = None,
    baud: BaudOption = USUAL_BAUD,
    fast: FastOption = False,
    alone: Annotated[
        bool,
        typer.Option(
            "--alone",
            help="Send one sample after another, so that the cycles of each are measured.",
        ),
    ] = False,
    like: LikeOption = None,
    members: MembersOption = None,
    seed: SeedOption = None,
    streams: Annotated[
        bool,
        typer.Option(
            "--stream", help="Show the answers on the way through each series (Legendre memory)."
        ),
    ] = False,
    every: Annotated[
        int | None,
        typer.Option(help="Steps from answer to answer of a stream; default: 28 answers."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Picture of the first image: spikes, potentials.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Load a network over the serial line, send images, compare the answers with the golden model.

    Without --port, the board is found among the serial ports. Several samples are under way at a
    time; cycles are those of samples that found the accelerator empty. With several networks,
    each is loaded into the same running gateware in turn. The exit code is 1 if a class, a spike
    time, a vote or a score differs from the golden model's. A committee answers with the class,
    the share of members that agree, and a probability.

    Examples:  popspike run bs4nn-mnist-256 --board virtual --images 20

    popspike run bs4nn-mnist-600 --board icebreaker --dataset mnist --images 1000

    popspike run bs4nn-mnist-600 --port /dev/ttyUSB1 --port /dev/ttyUSB3 --fast

    popspike run bisnn-moons-committee --members 4

    popspike run lmu-psmnist-256 --stream --images 3
    """
    networks = [find_network(name) for name in network]
    if plot is not None and networks[0].is_stepwise:
        raise ValueError("Plot must be of a single-spike network; `popspike eval --figures`")
    choice = Choice(members=members, seed=seed)
    for each in networks:
        choice.check(each)
    if every is not None and not streams:
        raise ValueError("Steps from answer to answer must be of a stream, with --stream")
    steps = [check_stream(each, every) if streams else 0 for each in networks]
    drawn = members if any(each.is_sampled for each in networks) else None
    target = Target(
        board=board,
        ports=tuple(port or ()),
        baud=baud,
        is_fast=fast,
        like=like,
        members=drawn,
    )
    samples = [samples_at_hand(each, dataset, data_dir).head(images) for each in networks]
    runs = []
    with open_device(target, networks) as (device, where):
        for name, loaded, part, period in zip(network, networks, samples, steps, strict=True):
            seconds = send(device, loaded, name)
            answer = (
                stream(device, loaded, part, every=period, quiet=json)
                if streams
                else classify(device, loaded, part, choice, window=1 if alone else None)
            )
            runs.append({"network": name, "load_seconds": round(seconds, 2), **answer})
    if plot is not None:
        from sim.plots import plot_network

        times = runs[0]["first_spike_times"][0]  # -1: silent
        steps = [time if time >= 0 else networks[0].steps for time in times]
        spikes = networks[0].readout is Readout.FIRST_SPIKE
        plot_network(
            networks[0], samples[0].pixels()[0], plot, output_steps=steps if spikes else None
        )
    if json:
        print_json({"board": board, "port": where, "runs": runs})
    else:
        for facts, part in zip(runs, samples, strict=True):
            _show(facts, part, where)
    if any(facts["mismatches"] for facts in runs):
        err.print("[bold red]the board differs from the golden model[/]")
        raise typer.Exit(1)


def classify(
    device: Device | DeviceGroup,
    network: Network,
    samples: Samples,
    choice: Choice | None = None,
    *,
    window: int | None = None,
) -> dict[str, Any]:
    """Send images to boards that hold the network; return figures and the comparison.

    Parameters
    ----------
    device
        One board or several.
    network
        On it.
    samples
        Images with labels.
    choice
        Members and seed.
    window
        As for `firmware.driver.Device.classify`.
    """
    if network.is_stepwise:
        return _classify_steps(device, network, samples, choice or Choice(), window)
    from model.golden import run_single_spike

    with progress("classifying", len(samples)) as show:
        answer = device.classify(samples.images, window=window, progress=show)
    trace = run_single_spike(network, samples.images, early_stop=device.design.early_stop)
    spike_steps = trace.spike_steps[-1].numpy()
    if network.readout is not Readout.FIRST_SPIKE:
        spike_steps = np.full_like(spike_steps, network.steps)  # outputs do not spike
    different = _differences(
        answer,
        trace.winners.numpy(),
        trace.decision_steps.numpy(),
        spike_steps,
        trace.scores.numpy(),
    )
    times = np.where(answer.spike_steps < network.steps, answer.spike_steps, -1)
    return {
        "dataset": samples.origin,
        "images": len(samples),
        "mismatches": int(different.sum()),
        "accuracy": float((answer.winners == samples.labels).mean()),
        "cycles_per_image": mean_cycles(answer.cycles),
        "classes": answer.winners.tolist(),
        "decision_steps": answer.decision_steps.tolist(),
        "first_spike_times": times.tolist(),  # -1: silent
        "cycles": [count or None for count in answer.cycles.tolist()],  # None: not measured
    }


def _classify_steps(
    device: Device | DeviceGroup,
    network: Network,
    samples: Samples,
    choice: Choice,
    window: int | None,
) -> dict[str, Any]:
    """As `classify`, of a committee."""
    from model.golden import run_stepwise

    if network.is_sampled or choice.members is not None:
        device.choose(members=choice.members, seed=choice.seed)
    with progress("classifying", len(samples)) as show:
        answer = device.classify(samples.images, window=window, progress=show)
    trace = run_stepwise(network, samples.images, members=answer.members, seed=choice.seed)
    assert answer.votes is not None
    assert answer.confidences is not None
    different = (
        (answer.winners != trace.winners.numpy())
        | (answer.votes != trace.votes.numpy()).any(axis=1)
        | (answer.scores != trace.scores.numpy()).any(axis=1)
    )
    facts = {
        "dataset": samples.origin,
        "images": len(samples),
        "members": answer.members,
        "mismatches": int(different.sum()),
        "accuracy": float((answer.winners == samples.labels).mean()),
        "cycles_per_image": mean_cycles(answer.cycles),
        "classes": answer.winners.tolist(),
        "votes": answer.votes.tolist(),
        "confidences": answer.confidences.tolist(),
        "scores": answer.scores.tolist(),
        "cycles": [count or None for count in answer.cycles.tolist()],  # None: not measured
    }
    if answer.probabilities is not None:
        facts["probabilities"] = answer.probabilities.tolist()
    return facts


def mean_cycles(cycles: np.ndarray) -> float | None:
    """Mean of those that were measured; none if none were."""
    measured = cycles[cycles > 0]
    return float(measured.mean()) if measured.size else None


def _cycles_text(facts: dict[str, Any], noun: str) -> str:
    mean = facts["cycles_per_image"]
    return "" if mean is None else f"{mean:.0f} cycles {noun}, "


def _differences(
    answer: Classification,
    winners: np.ndarray,
    decision_steps: np.ndarray,
    spike_steps: np.ndarray,
    scores: np.ndarray,
) -> np.ndarray:
    """Which images differ in any number: bool (N,)."""
    return (
        (answer.winners != winners)
        | (answer.decision_steps != decision_steps)
        | (answer.spike_steps != spike_steps).any(axis=1)
        | (answer.scores != scores).any(axis=1)
    )


def _show(facts: dict[str, Any], samples: Samples, where: str) -> None:
    if "every" in facts:
        out.print(
            f"{facts['images']} series, {100 * facts['accuracy']:.2f} % right at the end, "
            f"{facts['images'] - facts['mismatches']} equal to the golden model in every score of "
            f"all {len(facts['answer_steps'])} answers; {_cycles_text(facts, 'a series')}"
            f"loaded in {facts['load_seconds']} s",
            highlight=False,
        )
        return
    if "votes" in facts:
        _show_votes(facts, samples, where)
        return
    rows = []
    for index in range(min(_SHOWN, facts["images"])):
        label, found = int(samples.labels[index]), facts["classes"][index]
        times = ["-" if time < 0 else str(time) for time in facts["first_spike_times"][index]]
        rows.append(
            (
                index,
                label,
                f"{found}" if found == label else f"[red]{found}[/]",
                " ".join(times),
                facts["cycles"][index],
            )
        )
    title = f"{facts['network']} on {where}, {facts['dataset']}"
    out.print(
        table(title, ("image", "label", "class", "first spike of each output", "cycles"), rows)
    )
    out.print(
        f"{facts['images']} images, {100 * facts['accuracy']:.2f} % right, "
        f"{facts['images'] - facts['mismatches']} equal to the golden model in every class, time "
        f"and score; {_cycles_text(facts, 'an image')}loaded in {facts['load_seconds']} s",
        highlight=False,
    )


def _show_votes(facts: dict[str, Any], samples: Samples, where: str) -> None:
    rows = []
    for index in range(min(_SHOWN, facts["images"])):
        label, found = int(samples.labels[index]), facts["classes"][index]
        likely = facts["probabilities"][index][found] if "probabilities" in facts else None
        rows.append(
            (
                index,
                label,
                f"{found}" if found == label else f"[red]{found}[/]",
                " ".join(map(str, facts["votes"][index])),
                f"{facts['confidences'][index]:.2f}",
                "" if likely is None else f"{likely:.2f}",
                facts["cycles"][index],
            )
        )
    columns = ("image", "label", "class", "votes", "members agree", "probability", "cycles")
    out.print(table(f"{facts['network']} on {where}, {facts['dataset']}", columns, rows))
    out.print(
        f"{facts['images']} images, {100 * facts['accuracy']:.2f} % right, "
        f"{facts['images'] - facts['mismatches']} equal to the golden model in every class, vote "
        f"and score of {facts['members']} members; {_cycles_text(facts, 'an image')}loaded in "
        f"{facts['load_seconds']} s",
        highlight=False,
    )
