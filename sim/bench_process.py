# SPDX-License-Identifier: Apache-2.0
"""Runs one cocotb bench in a process of its own: ``python -m sim.bench_process REQUEST``.

REQUEST is a JSON file with ``simulator``, ``top``, ``waves``, ``build_dir``, and either ``sources``
(compile them) or ``bench`` (module to run) and ``test_dir``. cocotb's runner ends the process when
something fails, and reads the environment; here both harm nobody else.
"""

import json
import os
import sys
from pathlib import Path

from cocotb_tools.runner import VerilatorControlFile, Verilog, get_runner

__all__ = ["main"]

# Only the ports of the top are looked at; everything else may be optimised away.
_VERILATOR_ARGS = (
    "--no-public-flat-rw",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "--noassert",
    "-O3",
    "--x-assign",
    "fast",
)


def _control_file(folder: Path, top: str) -> Path:
    """What Verilator shall keep visible."""
    path = folder / "visible.vlt"
    path.write_text(f'`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n')
    return path


def main() -> None:
    """Build or test, as the request says."""
    request = json.loads(Path(sys.argv[1]).read_text())
    simulator, top, build_dir = request["simulator"], request["top"], Path(request["build_dir"])
    runner = get_runner(simulator)
    if "bench" not in request:
        sources = [Verilog(path) for path in request["sources"]]
        args = []
        if simulator == "verilator":
            sources.insert(0, VerilatorControlFile(_control_file(build_dir, top)))
            args = list(_VERILATOR_ARGS)
            os.environ["MAKEFLAGS"] += " OPT_FAST=-O0"
        runner.build(
            sources=sources,
            hdl_toplevel=top,
            build_args=args,
            build_dir=build_dir,
            timescale=("1ns", "1ps"),
            waves=request["waves"],
            always=True,
        )
        return
    runner.test(
        test_module=request["bench"],
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        build_dir=build_dir,
        test_dir=request["test_dir"],
        timescale=("1ns", "1ps"),
        waves=request["waves"],
        results_xml=str(Path(request["test_dir"]) / "results.xml"),
    )


if __name__ == "__main__":
    main()
