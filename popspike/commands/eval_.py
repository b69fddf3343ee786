# SPDX-License-Identifier: Apache-2.0
"""`popspike eval`: accuracy of a network in the golden model."""

import dataclasses
from typing import Annotated

import typer

from popspike.console import figures, print_json, progress
from popspike.options import (
    DataDirOption,
    DatasetOption,
    JsonOption,
    NetworkArgument,
    PartOption,
    find_dataset,
    find_network,
)

__all__ = ["evaluate_network"]


def evaluate_network(
    network: NetworkArgument,
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    part: PartOption = None,
    images: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    json: JsonOption = False,
) -> None:
    """Accuracy of a network, as integers, in the golden model.

    Our rule: ties go to the larger potential, then to the lower class. For the first-spike readout
    the published rule is shown too; it credits every image whose class is among the first to fire.

    Examples:  popspike eval bs4nn-mnist-600 --dataset mnist

    popspike eval my.safetensors --dataset my.npz --json
    """
    from model.evaluate import evaluate

    loaded = find_network(network)
    samples = find_dataset(dataset, loaded, data_dir).part(part)
    if images is not None:
        samples = samples.head(images)
    with progress(f"evaluating {network}", len(samples)) as show:
        result = evaluate(loaded, samples.images, samples.labels, on_batch=show)
    facts = {"network": network, "dataset": samples.origin, **dataclasses.asdict(result)}
    if result.accuracy_paper_rule is None:
        facts = {key: value for key, value in facts.items() if value is not None}
    if json:
        print_json(facts)
        return
    paper = result.accuracy_paper_rule
    figures(
        f"{network} on {samples.origin}",
        {
            "network": "-".join(map(str, loaded.sizes))
            + f", {loaded.steps} steps, {loaded.readout}",
            "images": result.images,
            "accuracy": f"{100 * result.accuracy:.2f} %",
            "by the published rule": None if paper is None else f"{100 * paper:.2f} %",
            "ties to the lower class": None
            if result.accuracy_lowest_class is None
            else f"{100 * result.accuracy_lowest_class:.2f} %",
            "input spikes an image": f"{result.input_spikes:.1f}",
            "hidden spikes an image": f"{result.hidden_spikes:.1f}",
            "mean step of the decision": None
            if result.decision_step is None
            else f"{result.decision_step:.2f}",
            "images without an output spike": None
            if result.silent_share is None
            else f"{100 * result.silent_share:.2f} %",
        },
    )
