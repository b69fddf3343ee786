# SPDX-License-Identifier: Apache-2.0
"""A command that is told to stop leaves nothing running and nothing half done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model.network_file import save_network
from tests.popspike.conftest import small_network

_PATIENCE_S = 120.0


def waited(condition) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_running(process: int) -> bool:
    """Whether a process is there, one that has ended but was not asked for left out."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are seen in /proc")
def test_a_build_that_is_stopped_takes_its_tools_along(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    # A tool that works through a helper of its own.
    for name in ("yosys", "nextpnr-ice40", "icepack"):
        program = programs / name
        program.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {tmp_path}/processes\nwait\n")
        program.chmod(0o755)
    network = save_network(small_network(), tmp_path / "small.safetensors")
    np.savez(tmp_path / "small.npz", x=np.zeros((9, 20), np.uint8), y=np.arange(9) % 3)
    build = subprocess.Popen(
        [
            *(sys.executable, "-m", "popspike", "build", str(network), "--native"),
            *("-d", str(tmp_path / "small.npz"), "-o", str(tmp_path / "out")),
        ],
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        noted = tmp_path / "processes"
        assert waited(lambda: noted.exists() and len(noted.read_text().split()) == 2)
        tool, helper = map(int, noted.read_text().split())
        assert is_running(tool)
        assert is_running(helper)
        build.send_signal(signal.SIGTERM)
        _, said = build.communicate(timeout=_PATIENCE_S)
    finally:
        build.kill()
    assert build.returncode == 128 + signal.SIGTERM
    assert said.strip().endswith("stopped")
    assert waited(lambda: not is_running(tool) and not is_running(helper))
    assert not list((tmp_path / "out").glob("*.bin"))
