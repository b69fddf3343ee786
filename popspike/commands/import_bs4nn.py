# SPDX-License-Identifier: Apache-2.0
"""`popspike import-bs4nn`: the authors' published arrays become a network file."""

from pathlib import Path
from typing import Annotated

import typer

from popspike.console import figures, print_json
from popspike.options import JsonOption

__all__ = ["import_arrays"]


def import_arrays(
    hidden: Annotated[Path, typer.Argument(metavar="W0.npy", help="Proxies of the hidden layer.")],
    output: Annotated[Path, typer.Argument(metavar="W1.npy", help="Proxies of the output layer.")],
    alpha: Annotated[
        tuple[float, float], typer.Option("--alphas", help="Scale of the hidden and output layer.")
    ],
    to: Annotated[Path, typer.Option("--output", "-o", help="Network file to write.")],
    threshold: Annotated[float, typer.Option(help="Threshold of both layers.")] = 100.0,
    json: JsonOption = False,
) -> None:
    """Read the form in which the authors of BS4NN publish networks, write a popspike network.

    Example:  popspike import-bs4nn W0_binary.npy W1_binary.npy
    --alphas 4.03707844 9.06516109 --threshold 100 -o bs4nn-authors.safetensors
    """
    from model.import_bs4nn import import_bs4nn
    from model.network_file import save_network

    network = import_bs4nn(hidden, output, alphas=alpha, threshold=threshold)
    path = save_network(network, to)
    facts = {
        "network": str(path),
        "sizes": list(network.sizes),
        "steps": network.steps,
        "thresholds": [int(layer.thresholds[0]) for layer in network.layers],
    }
    if json:
        print_json(facts)
        return
    figures("imported", {key.replace("_", " "): value for key, value in facts.items()})
