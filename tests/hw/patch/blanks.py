# SPDX-License-Identifier: Apache-2.0
"""Bitstreams with nothing but block RAMs, made by the packers themselves."""

import importlib.resources
import shutil
from pathlib import Path

import numpy as np
from apycula import bslib
from apycula.chipdb import load_chipdb

from hw.flow.tools import run_tool
from hw.vendor.block_ram import BLOCK_RAMS

__all__ = ["CASES", "CHIP", "blank", "random_blocks"]

CHIP = "GW1N-9C"
#: Family: file ending, options of the packer, places of some block RAMs.
CASES = {
    "ice40": (".bin", (), tuple(f"{x} {y}" for x in (3, 10) for y in range(1, 17, 2))),
    "ecp5": (".bit", ("--compress",), tuple(str(number) for number in range(3, 11))),
    "gowin": (".fs", ("-d", CHIP), tuple(f"R28C{column}" for column in range(2, 32, 3))),
}


def random_blocks(family: str, seed: int) -> dict[str, np.ndarray]:
    """Random contents of the block RAMs of a case."""
    rng = np.random.default_rng(seed)
    size = BLOCK_RAMS[family].bits
    return {place: rng.integers(0, 2, size, dtype=np.uint8) for place in CASES[family][2]}


def blank(family: str, folder: Path) -> Path:
    """A bitstream of a family, its block RAMs of `CASES` filled with zeros."""
    ending, options, places = CASES[family]
    path = folder / f"blank{ending}"
    if family == "gowin":
        _blank_gowin(path)
        return path
    tools = folder / "blank"
    tools.mkdir()
    if family == "ice40":
        sections = [".comment\n.device 1k"]
        sections += ["\n".join([f".ram_data {place}", *["0" * 64] * 16]) for place in places]
        command = ["icepack", *options, "text", "packed"]
    else:
        sections = [".device LFE5U-25F"]
        line = " ".join(["000"] * 8)
        sections += ["\n".join([f".bram_init {place}", *[line] * 256]) for place in places]
        command = ["ecppack", *options, "--input", "text", "--bit", "packed"]
    (tools / "text").write_text("\n".join(sections) + "\n", encoding="ascii")
    run_tool(command, folder=tools)
    shutil.move(tools / "packed", path)
    return path


def _blank_gowin(path: Path) -> None:
    database = load_chipdb(importlib.resources.files("apycula") / f"{CHIP}.msgpack.xz")
    frames = database.height + 256 * len(database.simplio_rows)
    bitmap = np.zeros((frames, database.width), np.uint8)
    bslib.write_bitstream(str(path), bitmap, database.cmd_hdr, database.cmd_ftr, False, {})
