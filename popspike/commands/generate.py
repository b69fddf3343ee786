# SPDX-License-Identifier: Apache-2.0
"""`popspike generate`: Verilog of the accelerator, with a JSON side file."""

from pathlib import Path
from typing import Annotated

import typer

from popspike.console import figures, print_json
from popspike.gateware import OptionalBoard, choose_design
from popspike.options import BuiltMembersOption, JsonOption, find_network

__all__ = ["generate"]


def generate(
    network: Annotated[
        list[str],
        typer.Argument(
            metavar="NET...", help="Networks (zoo names or files) that it shall be able to hold."
        ),
    ],
    board: OptionalBoard = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default: build/generate/NET.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the files and of the top.")] = "popspike",
    probes: Annotated[
        bool, typer.Option("--probes", help="Add ports that show every potential or state.")
    ] = False,
    members: BuiltMembersOption = None,
    json: JsonOption = False,
) -> None:
    """Write Verilog with AXI4-Stream ports, a JSON side file, and the device image of each network.

    The Verilog holds no network: stream a device image into `s_axis_network` to load one.

    Examples:  popspike generate bs4nn-mnist-256 --board ulx3s-85f -o rtl

    popspike generate bs4nn-mnist-600 bs4nn-mnist-256
    """
    from firmware.image import device_image
    from hw.export import export

    networks = [find_network(each) for each in network]
    design, made_for = choose_design(networks, board, members=members)
    folder = output or Path("build") / "generate" / Path(network[0]).stem
    verilog, side = export(design, folder, name=name, probes=probes)
    images = []
    for each, loaded in zip(network, networks, strict=True):
        path = folder / f"{Path(each).stem}.image"
        path.write_bytes(device_image(loaded, design))
        images.append(str(path))
    facts = {
        "made_for": made_for,
        "verilog": str(verilog),
        "side_file": str(side),
        "images": images,
        "design_hash": f"{design.design_hash():#010x}",
        "lanes": [layer.lanes for layer in design.layers],
        "inputs_per_cycle": [layer.inputs_per_cycle for layer in design.layers],
    }
    if json:
        print_json(facts)
    else:
        shown = {key.replace("_", " "): value for key, value in facts.items()}
        figures("generated", {**shown, "images": "\n".join(images)})
