# SPDX-License-Identifier: Apache-2.0
"""`popspike estimate`: what a build will need and how fast it will be, without building."""

from typing import Annotated

import typer

from popspike.console import figures, print_json
from popspike.cycles import pace_of
from popspike.designs import design_for
from popspike.options import (
    BoardOption,
    DataDirOption,
    DatasetOption,
    JsonOption,
    find_network,
)

__all__ = ["estimate"]


def estimate(
    network: Annotated[
        list[str],
        typer.Argument(metavar="NET...", help="Networks (zoo names or files) that it shall hold."),
    ],
    board: BoardOption = "icebreaker",
    dataset: DatasetOption = None,
    data_dir: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Resources, clock, cycles and images a second of a gateware, in seconds instead of minutes.

    Cycles are exact (the schedule that RTL is held against); resources and clock are estimates.

    Example:  popspike estimate bs4nn-mnist-256 --board ulx3s-85f
    """
    from hw.boards import find_board

    networks = [find_network(name) for name in network]
    chosen = find_board(board)
    design = design_for(networks, board)
    pace = pace_of(networks[0], design, dataset=dataset, data_dir=data_dir)
    clock = chosen.target_mhz
    facts = {
        "networks": list(network),
        "board": board,
        "clock_mhz": clock,
        "cycles_per_image": pace.cycles_per_image,
        "cycles_over": f"{pace.images} images of {pace.origin}",
        "latency_cycles": pace.latency_cycles,
        "images_per_s": 1e6 * clock / pace.cycles_per_image,
    }
    if json:
        print_json(facts)
    else:
        figures(f"estimate for {board}", {k.replace("_", " "): v for k, v in facts.items()})
