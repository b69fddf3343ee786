# SPDX-License-Identifier: Apache-2.0
"""`popspike estimate`: what a build will need and how fast it will be, without building."""

from typing import Annotated

import typer

from popspike.console import figures, out, print_json, table
from popspike.cycles import pace_of
from popspike.options import (
    BoardOption,
    BuiltMembersOption,
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
    members: BuiltMembersOption = None,
    json: JsonOption = False,
) -> None:
    """Resources, clock, cycles and images a second of a gateware, in seconds instead of minutes.

    Cycles are exact (the schedule that RTL is held against); resources and clock are estimates.

    Example:  popspike estimate bs4nn-mnist-256 --board ulx3s-85f
    """
    from hw.boards import find_board
    from hw.fit.estimate import bandwidth_share
    from hw.fit.estimate import estimate as estimate_resources
    from hw.fit.fold import default_design

    networks = [find_network(name) for name in network]
    chosen = find_board(board)
    design = default_design(networks, board, members=members)
    pace = pace_of(networks[0], design, dataset=dataset, data_dir=data_dir)
    found = estimate_resources(design, chosen)
    clock = chosen.target_mhz if design.memory is None else chosen.series_target_mhz
    share = bandwidth_share(bits=pace.weight_bits, cycles=pace.cycles_per_image, board=chosen)
    facts = {
        "networks": list(network),
        "board": board,
        "lanes": [layer.lanes for layer in design.layers],
        "inputs_per_cycle": [layer.inputs_per_cycle for layer in design.layers],
        "clock_mhz": clock,
        "cycles_per_image": pace.cycles_per_image,
        "cycles_over": f"{pace.images} images of {pace.origin}",
        "latency_cycles": pace.latency_cycles,
        "images_per_s": 1e6 * clock / pace.cycles_per_image,
        "bandwidth_share": share,
        "resources": found.total.to_json(),
        "available": found.available.to_json(),
        "parts": {name: part.to_json() for name, part in found.parts.items()},
    }
    if json:
        print_json(facts)
        return
    figures(
        f"estimate for {board}",
        {
            "networks": ", ".join(network),
            "lanes": ", ".join(str(layer.lanes) for layer in design.layers),
            "inputs a cycle": ", ".join(str(layer.inputs_per_cycle) for layer in design.layers),
            "cycles an image": f"{pace.cycles_per_image:.1f} (exact, mean over "
            f"{pace.images} images of {pace.origin})",
            "latency": f"{pace.latency_cycles:.0f} cycles",
            "clock": f"{clock:g} MHz (the highest that a build tries)",
            "images a second": f"{1e6 * clock / pace.cycles_per_image:,.0f} (at that clock)",
            "weight bandwidth": f"{100 * share:.1f} % of what the chip's memories can read",
        },
    )
    rows = {**found.parts, "in all": found.total, "of the chip": found.available}
    first = found.total.to_json()
    out.print(
        table(
            "resources, +-15 %",
            ("part", *(name.replace("_", " ") for name in first)),
            [(name, *part.to_json().values()) for name, part in rows.items()],
        )
    )
