# SPDX-License-Identifier: Apache-2.0
"""`popspike eval`: accuracy of a network in the golden model, and how sure it rightly is."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.data import Samples
from model.description import Network
from popspike.console import err, figures, print_json, progress
from popspike.options import (
    DataDirOption,
    DatasetOption,
    JsonOption,
    MembersOption,
    NetworkArgument,
    PartOption,
    SeedOption,
    find_dataset,
    find_predictor,
)

if TYPE_CHECKING:
    from model.evaluate import Evaluation
    from model.predictions import Prediction, StepwiseEvaluation
    from model.yardstick import Yardstick

__all__ = ["evaluate_network"]

#: Points drawn over a decision surface.
_POINTS = 200


def evaluate_network(
    network: NetworkArgument,
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    part: PartOption = None,
    images: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    members: MembersOption = None,
    seed: SeedOption = None,
    figures_folder: Annotated[
        Path | None,
        typer.Option(
            "--figures",
            help="Folder for pictures (PNG, SVG): reliability, raster, surface of two moons.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Accuracy of a network, as integers, in the golden model, and its calibration.

    Single-spike networks: ties go to the larger potential, then to the lower class; for the
    first-spike readout the published rule is shown too, which credits every image whose class is
    among the first to fire.

    Networks with a state at every step, committees, and yardsticks of float weights: ECE in 20
    bins, negative log likelihood (nats), Brier score, and the AUROC of low confidence as a
    detector of errors.

    Examples:  popspike eval bs4nn-mnist-600 --dataset mnist

    popspike eval my.safetensors --dataset my.npz --json

    popspike eval bisnn-moons-committee --members 4 --figures pictures
    """
    loaded = find_predictor(network)
    samples = find_dataset(dataset, loaded, data_dir).part(part)
    if images is not None:
        samples = samples.head(images)
    facts: dict[str, Any] = {"network": network, "dataset": samples.origin}
    with progress(f"evaluating {network}", len(samples)) as show:
        if isinstance(loaded, Network) and not loaded.is_stepwise:
            if members is not None or seed is not None or figures_folder is not None:
                raise ValueError(
                    "Members, seed and figures are of networks with a state at every step and of "
                    "yardsticks"
                )
            from model.evaluate import evaluate_single_spike

            counted = evaluate_single_spike(loaded, samples.pixels(), samples.labels, on_batch=show)
            facts.update(dataclasses.asdict(counted))
            if counted.accuracy_paper_rule is None:
                facts = {key: value for key, value in facts.items() if value is not None}
            words = _spikes(counted)
        else:
            from model.predictions import judge, predict

            said = predict(loaded, samples.images, members=members, seed=seed, on_batch=show)
            scale = loaded.metadata.get("training_scale")
            judged = judge(said, samples.labels, training_scale=scale)
            facts.update(dataclasses.asdict(judged))
            words = _confidence(judged)
    if figures_folder is not None:
        drawn = _draw(figures_folder, network, loaded, samples, judged, said, seed)
        facts["figures"] = [str(path) for path in drawn]
        err.print(f"{len(drawn)} pictures in {figures_folder}", highlight=False)
    if json:
        print_json(facts)
        return
    figures(f"{network} on {samples.origin}", {"network": _shape(loaded), **words})


def _draw(
    folder: Path,
    name: str,
    network: "Network | Yardstick",
    samples: Samples,
    result: "StepwiseEvaluation",
    prediction: "Prediction",
    seed: int | None,
) -> list[Path]:
    from model.calibration import reliability
    from model.figures import draw_raster, draw_reliability, draw_surface

    stem, title = Path(name).stem, f"{Path(name).stem} on {samples.origin}"
    curves = {"probability": (reliability(prediction.probabilities, samples.labels), result.ece)}
    if result.members > 1:
        votes = reliability(prediction.vote_shares, samples.labels)
        curves[f"votes of {result.members}"] = (votes, result.ece_votes)
    drawn = draw_reliability(folder / f"{stem}-reliability", curves, title=title)
    if isinstance(network, Network):
        first = f"{title}: first sample, class {samples.labels[0]}"
        drawn += draw_raster(
            folder / f"{stem}-raster", network, samples.images[:1], seed=seed, title=first
        )
    if samples.coordinates is not None:
        drawn += draw_surface(
            folder / f"{stem}-surface",
            network,
            samples.coordinates[:_POINTS],
            samples.labels[:_POINTS],
            members=result.members if isinstance(network, Network) else None,
            seed=seed,
            title=title,
        )
    return drawn


def _shape(network: "Network | Yardstick") -> str:
    sizes = "-".join(map(str, network.sizes))
    if not isinstance(network, Network):
        return f"{sizes}, {network.steps} steps, float weights"
    kind = "" if not network.is_stepwise else f"{network.layers[0].kind}, "
    return f"{sizes}, {kind}{network.steps} steps, {network.readout}"


def _spikes(result: "Evaluation") -> dict[str, Any]:
    """Figures of single-spike networks, in words."""
    return {
        "images": result.images,
        "accuracy": _percent(result.accuracy),
        "by the published rule": _percent(result.accuracy_paper_rule),
        "ties to the lower class": _percent(result.accuracy_lowest_class),
        "input spikes an image": f"{result.input_spikes:.1f}",
        "hidden spikes an image": f"{result.hidden_spikes:.1f}",
        "mean step of the decision": None
        if result.decision_step is None
        else f"{result.decision_step:.2f}",
        "images without an output spike": _percent(result.silent_share),
    }


def _confidence(result: "StepwiseEvaluation") -> dict[str, Any]:
    """Figures of stepwise networks and yardsticks, in words."""
    several = result.members > 1
    return {
        "samples": result.images,
        "members": result.members,
        "accuracy": _percent(result.accuracy),
        "by votes": _percent(result.accuracy_votes) if several else None,
        "of one member, mean": _percent(result.accuracy_single) if several else None,
        f"ECE ({result.ece_bins} bins)": f"{result.ece:.4f}",
        "ECE of votes": f"{result.ece_votes:.4f}" if several else None,
        "ECE before a temperature": None
        if result.ece_untempered is None
        else f"{result.ece_untempered:.4f}",
        "negative log likelihood": f"{result.nll:.4f} nats",
        "Brier score": f"{result.brier:.4f}",
        "AUROC of error detection": None if result.auroc is None else f"{result.auroc:.4f}",
        "inverse temperature": f"{result.inverse_temperature:.5g}",
        "input spikes a sample": None
        if result.input_spikes is None
        else f"{result.input_spikes:.1f}",
        "hidden spikes a sample and member": None
        if result.hidden_spikes is None
        else f"{result.hidden_spikes:.1f}",
    }


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.2f} %"
