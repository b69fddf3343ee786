# SPDX-License-Identifier: Apache-2.0
"""The virtual board: the gateware of a real board under Verilator, behind a pseudo terminal.

The host cannot tell it from a board: the same frames travel bit by bit through the same UART.
Run ``python -m sim.virtual_board DESIGN.json`` to start one by hand; it prints its terminal and
runs until the standard input ends.
"""

import argparse
import json
import select
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Self

from firmware.transport import Closing, LinkError, PtyTransport
from hw.board_top import BoardTop
from hw.design import Design
from hw.export import to_verilog
from sim.cells import cell_models
from sim.verilator import build_executable, cached_build, check_tools, tool_versions

__all__ = ["DEFAULT_DIVISOR", "VirtualBoard", "build_virtual_board", "main"]

#: Clock cycles a bit: the fewer, the faster a byte in simulation.
DEFAULT_DIVISOR = 2

_HARNESS = Path(__file__).parent / "harness" / "virtual_board.cpp"
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


def build_virtual_board(
    design: Design, *, divisor: int = DEFAULT_DIVISOR, cache: Path | None = None
) -> Path:
    """Compile the board of a design, or find what an earlier call compiled.

    Parameters
    ----------
    design
        Capacity and fold; samples must be pixels.
    divisor
        Clock cycles a bit of the line.
    cache
        Folder of builds; the user's cache folder if not given.

    Returns
    -------
    pathlib.Path
        The executable.

    Raises
    ------
    sim.verilator.ToolError
        If Verilator or a C++ compiler is missing.
    """
    check_tools()
    # The key is made of everything that decides the Verilog, so that a second start is quick.
    root = Path(__file__).parent.parent
    generator = [*sorted((root / "hw").rglob("*.py")), root / "model" / "description.py"]
    key = [
        "virtual board",
        json.dumps(design.to_json(), sort_keys=True),
        str(divisor),
        version("amaranth"),
        *sorted(map(str, tool_versions().items())),
        *(path.read_text() for path in (*generator, *cell_models(design), _HARNESS)),
    ]

    def build(folder: Path) -> None:
        """Fill the folder with the executable."""
        verilog = folder / "board.v"
        verilog.write_text(to_verilog(BoardTop(design=design, divisor=divisor), name="board"))
        executable = build_executable(
            sources=[verilog, *cell_models(design)],
            harness=[_HARNESS],
            top="board",
            defines={"DIVISOR": str(divisor)},
            cache=cache,
        )
        shutil.copy2(executable, folder / "simulator")

    return cached_build(key, build, cache=cache) / "simulator"


class VirtualBoard(Closing):
    """A board that runs while the ``with`` block does.

    Parameters
    ----------
    design
        Capacity and fold; samples must be pixels.
    divisor
        Clock cycles a bit of the line.
    cache
        Folder of builds; the user's cache folder if not given.
    """

    def __init__(
        self, design: Design, *, divisor: int = DEFAULT_DIVISOR, cache: Path | None = None
    ) -> None:
        self._design = design
        self._divisor = divisor
        self._cache = cache
        self._process: subprocess.Popen[str] | None = None
        self._path = ""

    @property
    def path(self) -> str:
        """Device file of the terminal."""
        return self._path

    def start(self) -> str:
        """Power on, with no network; return the device file of the terminal.

        Raises
        ------
        sim.verilator.ToolError
            If Verilator or a C++ compiler is missing.
        LinkError
            If the board does not start.
        """
        executable = build_virtual_board(self._design, divisor=self._divisor, cache=self._cache)
        self._process = process = subprocess.Popen(
            [executable],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
        self._path = process.stdout.readline().strip() if ready else ""
        if not self._path:
            process.kill()
            _, reason = process.communicate()
            self._process = None
            raise LinkError(f"The virtual board does not start: {reason.strip() or 'no answer'}")
        return self._path

    def close(self) -> None:
        """Power off; harmless when repeated."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_STOP_SECONDS)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def connect(self) -> PtyTransport:
        """Open the terminal."""
        return PtyTransport(self._path)

    def __enter__(self) -> Self:
        self.start()
        return super().__enter__()


def main(arguments: list[str] | None = None) -> int:
    """Start a board, print its terminal, and run until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m sim.virtual_board", description=__doc__)
    parser.add_argument("design", type=Path, help="JSON file written by `popspike generate`")
    parser.add_argument("--divisor", type=int, default=DEFAULT_DIVISOR, help="cycles a bit")
    chosen = parser.parse_args(arguments)
    fields = json.loads(chosen.design.read_text())
    design = Design.from_json(fields.get("design", fields))
    with VirtualBoard(design, divisor=chosen.divisor) as board:
        print(board.path, flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
