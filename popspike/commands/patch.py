# SPDX-License-Identifier: Apache-2.0
"""`popspike patch`: another network into a finished bitstream, in seconds."""

import time
from pathlib import Path
from typing import Annotated

import typer

from popspike.console import figures, print_json, stage
from popspike.options import JsonOption, find_network

__all__ = ["patch"]


def patch(
    bitstream: Annotated[
        Path, typer.Argument(metavar="BITSTREAM", help="Made by `popspike build --resident`.")
    ],
    network: Annotated[
        str, typer.Argument(metavar="NET", help="Network: a name from `popspike zoo`, or a file.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new bitstream.")],
    memory_map: Annotated[
        Path | None,
        typer.Option("--map", help="Map of memories; default: BITSTREAM's NAME.memories.json."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Replace the network inside a bitstream, without place and route.

    The new file is taken apart again and its memories are compared with the network before it gets
    its name. A bitstream of another design or build, or a network that the gateware cannot hold, is
    refused, and nothing is written.

    Example:  popspike patch build/bs4nn-digits-icebreaker/bs4nn-digits-icebreaker.bin
    mine.safetensors --out mine.bin
    """
    from firmware.resident import contents_of
    from hw.patch.memory_map import MemoryMap
    from hw.patch.patching import map_path, patch_bitstream

    start = time.monotonic()
    place = memory_map or map_path(bitstream)
    if not bitstream.is_file():
        raise FileNotFoundError(f"Bitstream must be a file, and {bitstream} is none")
    if not place.is_file():
        raise FileNotFoundError(
            f"Map of memories must be at {place}, and is not: bitstreams of "
            "`popspike build --resident` have one (a design with weights in SPRAM never has: "
            "its network comes from flash or over the link)"
        )
    loaded = find_network(network)
    mapped = MemoryMap.read(place)
    contents = contents_of(loaded, mapped.design)
    with stage(f"patching {bitstream}"):
        made = patch_bitstream(bitstream, mapped, contents, out)
    facts = {
        "verified": True,
        "bitstream": str(made.path),
        "family": mapped.family,
        "network": network,
        "fingerprint": f"{loaded.fingerprint():#010x}",
        "block_rams": made.blocks,
        "bits_read_back": made.bits,
        "bits_changed": made.changed_bits,
        "seconds": round(time.monotonic() - start, 2),
    }
    if json:
        print_json(facts)
    else:
        figures("verified", {key.replace("_", " "): value for key, value in facts.items()})
