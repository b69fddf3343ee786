# SPDX-License-Identifier: Apache-2.0
"""A patched bitstream is the bitstream that a build with that network gives, byte for byte.

``python -m sim.patch_proof --board icebreaker`` builds a gateware with placeholders, patches a
network into it, builds the same gateware once more with the network's contents as they are, and
compares the two files. Nothing of the map is used in the second build, so that equal files prove
the place of every bit. It also compares the memories in the synthesised netlist, by their names,
with what the map says.
"""

import argparse
import dataclasses
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from firmware.resident import contents_of
from hw.board_top import BoardTop
from hw.boards import BOARDS, find_board
from hw.design.design import Design, Fold
from hw.flow.build import Bitstream, build_bitstream
from hw.formats.contents import Contents
from hw.patch.memories import placeholder_contents, stored_bits, stored_memories
from hw.patch.memory_map import MemoryMap
from hw.patch.patching import map_memories, packer_options, patch_bitstream, read_memories
from hw.vendor.block_ram import BLOCK_RAMS
from model import zoo
from model.description import Network

__all__ = ["PatchProof", "main", "prove_patch", "turned"]

# Where the memories stand in the hierarchy.
_NAMES = {
    "head": r"power_up\.head\.resident_head",
    "table": r"core\.table\.table\d+",
    "weights": r"core\.layer{layer}\.array\.memory\.rows\d*",
    "thresholds": r"core\.neurons{layer}\.thresholds\.rows\d*",
    "coefficients": r"core\.series\.memory\.coefficients\.rows\d*",
    "emission shifts": r"core\.series\.reader\.shifts\.rows\d*",
    "encoder weights": r"core\.series\.lanes\.memory\.rows\d*",
}
_BAUD = 115200


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatchProof:
    """What was proved for one board.

    Parameters
    ----------
    board, family
        Of the bitstream.
    seconds
        Wall time of the patch, reading back included, without the start of Python.
    bits
        Bits of the memories that were read back.
    blocks
        Block RAMs in which they stand.
    cells
        Block RAMs of the netlist, found by their names, that hold what the map says.
    equal
        Whether the patched file and the one that was built with the network are the same.
    """

    board: str
    family: str
    seconds: float
    bits: int
    blocks: int
    cells: int
    equal: bool


def turned(network: Network) -> Network:
    """Another network of the same sizes: the neurons of each layer in the opposite order."""
    layers = tuple(
        dataclasses.replace(
            layer, weights=layer.weights[:, ::-1].copy(), thresholds=layer.thresholds[::-1].copy()
        )
        for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers)


def _numbered(family: str, parameters: dict[str, str]) -> np.ndarray:
    """Contents of a block RAM in a netlist, numbered as in `hw.patch.block_ram`."""
    names = sorted(name for name in parameters if re.match(r"INIT(_|VAL_|_RAM_)[0-9A-F]+$", name))
    rows = [
        [digit == "1" for digit in reversed(parameters[name])] for name in names
    ]  # an x is built as 0
    bits = np.array(rows, np.uint8)
    if family == "ice40":
        # 16 rows; inside each group of 16 bits the order of the address is turned round.
        number = np.arange(16)
        order = sum((number >> low & 1) << 3 - low for low in range(4))
        return bits.reshape(-1, 16)[:, order].ravel()
    if family == "ecp5":
        # 18 bits in 20.
        return bits.reshape(-1, 20)[:, :18].ravel()
    if bits.shape[1] == 288:
        return bits.ravel()
    return np.pad(bits.reshape(-1, 8), ((0, 0), (0, 1))).ravel()


def _cells(netlist: Path, family: str) -> Iterator[tuple[str, np.ndarray]]:
    """Names and contents of the block RAMs of a netlist."""
    modules: dict[str, Any] = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    (top,) = (module for module in modules.values() if "top" in module["attributes"])
    for name, cell in top["cells"].items():
        if any(re.match("INIT(_|VAL_)", parameter) for parameter in cell["parameters"]):
            contents = _numbered(family, cell["parameters"])
            if contents.size == BLOCK_RAMS[family].bits:
                yield name, contents


def _netlist_agrees(netlist: Path, mapped: MemoryMap, contents: Contents) -> int:
    """Number of cells whose name and contents are those of a piece of the map.

    Raises
    ------
    RuntimeError
        If a piece of the map is in no cell of its memory.
    """
    block = BLOCK_RAMS[mapped.family]
    cells = list(_cells(netlist, mapped.family))
    bits = stored_bits(contents, mapped.design)
    memories = {memory.name: memory for memory in stored_memories(mapped.design)}
    used = set()
    for piece in mapped.pieces:
        memory = memories[piece.memory]
        kind, _, layer = (
            piece.memory.rpartition(" ") if piece.memory[-1].isdigit() else (piece.memory, "", "")
        )
        pattern = re.compile(_NAMES[kind].format(layer=layer) + r"\.\d+\.\d+$")
        wanted = np.zeros(block.bits, np.uint8)
        part = bits[piece.memory][piece.rows(memory, block), piece.columns(memory)]
        wanted[piece.places(memory, block)] = part
        fitting = [
            name for name, found in cells if pattern.search(name) and np.array_equal(found, wanted)
        ]
        if not fitting:
            raise RuntimeError(f"{piece} must be in a cell of the netlist, and is not")
        used.update(fitting)
    return len(used)


def prove_patch(
    network: Network,
    *,
    board: str,
    folder: Path,
    lanes: int = 8,
    clock_mhz: float | None = None,
) -> PatchProof:
    """Build with placeholders, patch, build with the network, compare.

    Parameters
    ----------
    network
        Decides the gateware; what is patched in is the network `turned`.
    board
        Board.
    folder
        Where all of it goes.
    lanes
        Of each layer: few, so that place and route are quick.
    clock_mhz
        Clock of both builds; None: half of the board's target.

    Raises
    ------
    ValueError, RuntimeError
        If a step fails.
    """
    chosen = find_board(board)
    folds = [Fold(lanes=min(lanes, layer.neurons)) for layer in network.layers]
    design = Design.for_networks([network], folds)
    wanted = contents_of(turned(network), design)
    placeholders = placeholder_contents(design)
    built = {
        name: _build(design, contents, board, folder / name, clock_mhz or chosen.target_mhz / 2)
        for name, contents in (("placeholders", placeholders), ("network", wanted))
    }
    made = built["placeholders"]
    mapped = map_memories(
        made.path,
        family=chosen.family,
        options=packer_options(made.packing),
        design=design,
        contents=placeholders,
    )
    start = time.monotonic()
    patched = patch_bitstream(
        made.path, mapped, wanted, folder / f"patched{chosen.bitstream_suffix}"
    )
    seconds = time.monotonic() - start
    direct = built["network"].path
    for name, bits in read_memories(direct, mapped).items():
        if not np.array_equal(bits, stored_bits(wanted, design)[name]):
            raise RuntimeError(f"Memory {name} of {direct} must be at the place of the map")
    netlists = [folder / "placeholders" / "tools" / name for name in ("top.syn.json", "top.json")]
    netlist = next(path for path in netlists if path.exists())
    return PatchProof(
        board=board,
        family=chosen.family,
        seconds=round(seconds, 2),
        bits=patched.bits,
        blocks=patched.blocks,
        cells=_netlist_agrees(netlist, mapped, placeholders),
        equal=patched.path.read_bytes() == direct.read_bytes(),
    )


def _build(
    design: Design, contents: Contents, board: str, folder: Path, clock_mhz: float
) -> Bitstream:
    chosen = find_board(board)
    return build_bitstream(
        board=chosen,
        make_top=lambda clock_hz: BoardTop(
            design=design,
            divisor=round(clock_hz / _BAUD),
            clock_hz=round(clock_hz),
            contents=contents,
        ),
        path=folder / f"top{chosen.bitstream_suffix}",
        folder=folder / "tools",
        clock_mhz=clock_mhz,
        multiplies=design.memory is not None,
        on_stage=lambda text: print(f"{board}: {text}", file=sys.stderr),
    )


def main(arguments: list[str] | None = None) -> int:
    """Prove boards one after the other; prints a JSON object each, returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", action="append", choices=sorted(BOARDS), required=True)
    parser.add_argument("--network", default="bs4nn-digits", help="name or file")
    parser.add_argument("--lanes", type=int, default=8, help="of each layer; default: 8")
    parser.add_argument("--clock", type=float, help="MHz; default: half of the board's target")
    parser.add_argument("--folder", type=Path, default=Path("build") / "patch-proof")
    options = parser.parse_args(arguments)
    failed = False
    for board in options.board:
        proof = prove_patch(
            zoo.load(options.network),
            board=board,
            folder=options.folder / f"{options.network}-{board}",
            lanes=options.lanes,
            clock_mhz=options.clock,
        )
        print(json.dumps(dataclasses.asdict(proof)), flush=True)
        failed |= not proof.equal
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
