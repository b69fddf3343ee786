# SPDX-License-Identifier: Apache-2.0
"""A command that is told to stop leaves nothing running and nothing half done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

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


def read_pipe(pipe: int) -> bytes | None:
    """What was written, empty when no process holds the other end, None if one does in silence."""
    try:
        return os.read(pipe, 100)
    except BlockingIOError:
        return None


def test_a_build_that_is_stopped_takes_its_tools_along(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    # A tool that works through a helper of its own; both hold a pipe open as long as they live.
    os.mkfifo(tmp_path / "alive")
    for name in ("yosys", "nextpnr-ice40", "icepack"):
        program = programs / name
        program.write_text(
            f"#!/bin/sh\nexec 3> {tmp_path}/alive\nsleep 600 &\necho begun >&3\nwait\n"
        )
        program.chmod(0o755)
    network = save_network(small_network(), tmp_path / "small.safetensors")
    np.savez(tmp_path / "small.npz", x=np.zeros((9, 20), np.uint8), y=np.arange(9) % 3)
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
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
        assert waited(lambda: read_pipe(pipe) == b"begun\n")
        assert read_pipe(pipe) is None
        build.send_signal(signal.SIGTERM)
        _, said = build.communicate(timeout=_PATIENCE_S)
    finally:
        build.kill()
    assert build.returncode == 128 + signal.SIGTERM
    assert said.strip().endswith("stopped")
    assert waited(lambda: read_pipe(pipe) == b"")
    os.close(pipe)
    assert not list((tmp_path / "out").glob("*.bin"))
