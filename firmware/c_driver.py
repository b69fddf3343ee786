# SPDX-License-Identifier: Apache-2.0
"""The C driver compiled for a host and for microcontrollers, and how large it is.

``python -m firmware.c_driver`` (`make firmware`) compiles ``firmware/c`` with every compiler
that is there, warnings as errors, and prints bytes of code, of a device structure and of
stack.
"""

import argparse
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "FOLDER",
    "SOURCES",
    "TARGETS",
    "WARNINGS",
    "CompileError",
    "Size",
    "Target",
    "compile_object",
    "deepest_stack",
    "main",
    "measure",
]

#: Sources and headers.
FOLDER = Path(__file__).resolve().parent / "c"
#: The driver; `FOLDER` is its include path.
SOURCES = (FOLDER / "popspike.c", FOLDER / "popspike_frames.c")
#: What the compilers are asked to object to.
WARNINGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wcast-qual",
    "-Wmissing-prototypes",
    "-Wstrict-prototypes",
)
_PROBE = """\
#include "popspike.h"
const char device_bytes[sizeof(popspike_device)] = {0};
"""


class CompileError(RuntimeError):
    """A compiler refused the sources; the text is its own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A processor to compile for.

    Parameters
    ----------
    name
        For the report.
    prefix
        Of the names of compiler and binary tools.
    options
        That choose the processor.
    """

    name: str
    prefix: str
    options: tuple[str, ...] = ()

    @property
    def compiler(self) -> str:
        """Name of the compiler."""
        return f"{self.prefix}gcc"

    @property
    def is_there(self) -> bool:
        """Whether its compiler is installed."""
        return shutil.which(self.compiler) is not None


#: In the order of the report.
TARGETS = (
    Target(name="host", prefix=""),
    Target(
        name="rv32imc",
        prefix="riscv64-unknown-elf-",
        options=("-march=rv32imc", "-mabi=ilp32"),
    ),
    Target(
        name="cortex-m0plus",
        prefix="arm-none-eabi-",
        options=("-mcpu=cortex-m0plus", "-mthumb"),
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """What the driver takes on a processor, compiled with ``-Os``; bytes.

    Parameters
    ----------
    code
        Instructions and constants.
    static
        Variables that always exist.
    device
        A `popspike_device`.
    stack
        Deepest stack of any function, that of callbacks left out.
    undefined
        Names that the code needs from elsewhere.
    """

    code: int
    static: int
    device: int
    stack: int
    undefined: tuple[str, ...]


def _run(command: Sequence[str | Path]) -> str:
    if shutil.which(command[0]) is None:
        raise CompileError(f"Tool must be installed: {command[0]}")
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CompileError(f"{Path(command[0]).name} failed:\n{done.stderr.strip()}")
    return done.stdout


def compile_object(
    target: Target, source: Path, output: Path, *options: str, include: Sequence[Path] = ()
) -> None:
    """Compile a file, warnings as errors, without a library.

    Parameters
    ----------
    target
        For which processor.
    source, output
        C file and object file.
    options
        More options.
    include
        Folders of headers beside `FOLDER`.

    Raises
    ------
    CompileError
        If the compiler objects.
    """
    folders = [f"-I{folder}" for folder in (FOLDER, *include)]
    command = [target.compiler, *target.options, *WARNINGS, "-ffreestanding", *options, *folders]
    _run([*command, "-c", source, "-o", output])


def deepest_stack(graph: str) -> dict[str, int]:
    """Bytes of stack of every function and of what it calls, the deepest way down.

    Parameters
    ----------
    graph
        What ``gcc -fcallgraph-info=su`` wrote, of all files. Calls through pointers end there.

    Raises
    ------
    ValueError
        If a function calls itself, or a frame has no known size.
    """
    frames, calls = {}, {}
    for title, words in re.findall(r'node: \{ title: "([^"]*)" label: "([^"]*)"', graph):
        size = re.search(r"(\d+) bytes \((\w+)", words)
        if size is not None:
            if size[2] == "dynamic":
                raise ValueError(f"Stack of {title} must have a size known to the compiler")
            frames[title] = int(size[1])
            calls[title] = set[str]()
    for caller, callee in re.findall(r'sourcename: "([^"]*)" targetname: "([^"]*)"', graph):
        if callee in frames:
            calls[caller].add(callee)
    return {title: _depth(title, frames, calls, ()) for title in frames}


def _depth(
    title: str,
    frames: Mapping[str, int],
    calls: Mapping[str, set[str]],
    above: tuple[str, ...],
) -> int:
    if title in above:
        raise ValueError(f"Function {title} must not call itself")
    below = [_depth(callee, frames, calls, (*above, title)) for callee in calls[title]]
    return frames[title] + max(below, default=0)


def measure(target: Target) -> Size:
    """Compile for a target and measure.

    Raises
    ------
    CompileError
        If the compiler or a binary tool is missing or objects.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = [folder / f"{source.stem}.o" for source in SOURCES]
        for source, output in zip(SOURCES, built, strict=True):
            compile_object(target, source, output, "-Os", "-fcallgraph-info=su")
        (folder / "probe.c").write_text(_PROBE, encoding="utf-8")
        compile_object(target, folder / "probe.c", folder / "probe.o", "-Os")
        sections = [
            [int(number) for number in line.split()[:3]]
            for line in _run([f"{target.prefix}size", *built]).splitlines()[1:]
        ]
        device = _run([f"{target.prefix}nm", "-S", folder / "probe.o"]).split()[1]
        symbols = _run([f"{target.prefix}nm", *built])
        defined = re.findall(r"\b[TDBR] (\S+)", symbols)
        undefined = {name for name in re.findall(r"\bU (\S+)", symbols) if name not in defined}
        graphs = [path.with_suffix(".ci").read_text(encoding="utf-8") for path in built]
        stack = deepest_stack("\n".join(graphs))
    return Size(
        code=sum(text for text, _, _ in sections),
        static=sum(data + bss for _, data, bss in sections),
        device=int(device, 16),
        stack=max(stack.values()),
        undefined=tuple(sorted(undefined)),
    )


def main(arguments: list[str] | None = None) -> int:
    """Print a line a processor; those without a compiler are named."""
    parser = argparse.ArgumentParser(prog="python -m firmware.c_driver", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    chosen = parser.parse_args(arguments)
    sizes: dict[str, Size | None] = {
        target.name: measure(target) if target.is_there else None for target in TARGETS
    }
    if chosen.json:
        rows = {name: size and dataclasses.asdict(size) for name, size in sizes.items()}
        print(json.dumps(rows, indent=2))
        return 0
    print(f"{'bytes':14}{'code':>7}{'static':>8}{'device':>8}{'stack':>7}")
    for target in TARGETS:
        size = sizes[target.name]
        if size is None:
            print(f"{target.name:14}not measured: {target.compiler} is not installed")
        else:
            figures = f"{size.code:7}{size.static:8}{size.device:8}{size.stack:7}"
            print(f"{target.name:14}{figures}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CompileError as error:
        sys.exit(f"error: {error}")
