# SPDX-License-Identifier: Apache-2.0
"""The virtual board: the gateware of a real board under Verilator, behind a pseudo terminal.

The host cannot tell it from a board: the same frames travel bit by bit through the same UART.
Run ``python -m sim.virtual_board DESIGN.json`` to start one by hand; it prints its terminal and
runs until the standard input ends.

A stepped board has no terminal: its time passes only while its transport is read, so that the same
calls give the same cycles, however busy the machine is.
"""

import argparse
import dataclasses
import json
import select
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Self

from firmware.transport import Closing, LinkError, PtyTransport, Transport
from hw.board_top import BoardTop
from hw.design.design import Design
from hw.export import to_verilog
from hw.flash.layout import FlashMap
from hw.formats.contents import Contents
from sim.cells import cell_models
from sim.stepped import SteppedTransport
from sim.verilator import build_executable, cached_build, check_tools, tool_versions

__all__ = [
    "DEFAULT_DIVISOR",
    "LineUse",
    "VirtualBoard",
    "build_virtual_board",
    "main",
]

#: Clock cycles a bit: the fewer, the faster a byte in simulation.
DEFAULT_DIVISOR = 2

_HARNESS = Path(__file__).parent / "harness" / "virtual_board.cpp"
_HEADERS = tuple(
    _HARNESS.with_name(f"{name}.h") for name in ("uart_line", "spi_line", "flash_model")
)
_ANSWER_SECONDS = 20.0
_STOP_SECONDS = 5.0
# Clock cycles of a byte on an SPI bus, pauses included; see sim/harness/spi_line.h.
_SPI_BYTE_CYCLES = 68
# Clock of a stepped board that was given none.
_STEPPED_CLOCK_HZ = 1_000_000


def build_virtual_board(
    design: Design,
    *,
    divisor: int = DEFAULT_DIVISOR,
    clock_hz: int = 0,
    link: str = "uart",
    flash: FlashMap | None = None,
    contents: Contents | None = None,
    cache: Path | None = None,
) -> Path:
    """Compile the board of a design, or find what an earlier call compiled.

    Parameters
    ----------
    design, clock_hz, link, flash, contents
        As of `hw.board_top.BoardTop`.
    divisor
        Clock cycles a bit of a serial line after a reset.
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
        repr((divisor, clock_hz, link, flash, contents)),
        version("amaranth"),
        *sorted(map(str, tool_versions().items())),
        *(p.read_text() for p in (*generator, *cell_models(design), _HARNESS, *_HEADERS)),
    ]

    def build(folder: Path) -> None:
        """Fill the folder with the executable."""
        verilog = folder / "board.v"
        board = BoardTop(
            design=design,
            divisor=divisor if link == "uart" else None,
            clock_hz=clock_hz,
            link=link,
            flash=flash,
            contents=contents,
        )
        verilog.write_text(to_verilog(board, name="board"))
        executable = build_executable(
            sources=[verilog, *cell_models(design)],
            harness=[_HARNESS],
            headers=_HEADERS,
            top="board",
            defines={
                "DIVISOR": str(divisor),
                **({"SPI": "1"} if link == "spi" else {}),
                **({"FLASH": "1"} if flash is not None else {}),
            },
            cache=cache,
        )
        shutil.copy2(executable, folder / "simulator")

    return cached_build(key, build, cache=cache) / "simulator"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LineUse:
    """How a line was used since a board was started.

    Parameters
    ----------
    cycles
        Clock cycles that have passed.
    to_board, from_board
        Cycles in which bits of a byte were on the line to the board, and from it.
    """

    cycles: int
    to_board: int
    from_board: int


class VirtualBoard(Closing):
    """A board that runs while the ``with`` block does.

    Parameters
    ----------
    design, link, contents
        As of `hw.board_top.BoardTop`.
    divisor
        Clock cycles a bit of a serial line after a reset.
    clock_hz
        Clock that the board says it has. If it is not 0, a serial line has ``clock_hz`` divided by
        the speed of the terminal as cycles a bit, as with a serial port.
    flash
        Where networks stand in the board's flash; None: it has none.
    flash_content
        What the flash holds, from address 0 on; behind it come bytes of 0xFF.
    stepped
        No terminal; time passes only while the transport is read, or in `run`.
    cache
        Folder of builds; the user's cache folder if not given.
    """

    def __init__(
        self,
        design: Design,
        *,
        divisor: int = DEFAULT_DIVISOR,
        clock_hz: int = 0,
        link: str = "uart",
        flash: FlashMap | None = None,
        flash_content: bytes = b"",
        contents: Contents | None = None,
        stepped: bool = False,
        cache: Path | None = None,
    ) -> None:
        self._design = design
        self._divisor = divisor
        self._clock_hz = clock_hz
        self._link = link
        self._flash = flash
        self._flash_content = flash_content
        self._contents = contents
        self._stepped = stepped
        self._cache = cache
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of what the flash holds
        self._process: subprocess.Popen[str] | None = None
        self._path = ""
        self._cycles = 0  # of a stepped board, when it was looked at last

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
        executable = build_virtual_board(
            self._design,
            divisor=self._divisor,
            clock_hz=self._clock_hz,
            link=self._link,
            flash=self._flash,
            contents=self._contents,
            cache=self._cache,
        )
        command = [executable, str(self._clock_hz), "stepped" if self._stepped else "terminal"]
        if self._flash is not None:
            self._folder = tempfile.TemporaryDirectory(prefix="popspike-")
            self.write_flash(self._flash_content)
            command.append(str(self._flash_file))
        self._process = process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._path = self._answer(process)
        if not self._path:
            process.kill()
            _, reason = process.communicate()
            self._process = None
            self.close()
            raise LinkError(f"The virtual board does not start: {reason.strip() or 'no answer'}")
        return self._path

    @staticmethod
    def _answer(process: subprocess.Popen[str]) -> str:
        """One line, or nothing if none comes in time."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _ANSWER_SECONDS)
        return process.stdout.readline().strip() if ready else ""

    def write_flash(self, content: bytes) -> None:
        """Change what the flash holds, from address 0 on; the board sees it when it powers up.

        Raises
        ------
        LinkError
            If the board is off or has no flash.
        """
        self._flash_file.write_bytes(content)

    @property
    def _flash_file(self) -> Path:
        if self._folder is None:
            raise LinkError("The virtual board is off, or has no flash")
        return Path(self._folder.name) / "flash"

    def close(self) -> None:
        """Power off; harmless when repeated."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_STOP_SECONDS)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def connect(self) -> Transport:
        """Open the terminal, or, stepped, take the line."""
        if self._stepped:
            return SteppedTransport(self, baud=10 * self.clock_hz // self.byte_cycles)
        return PtyTransport(self._path)

    @property
    def byte_cycles(self) -> int:
        """Clock cycles of a byte on the line, at the speed that it has after a reset."""
        return _SPI_BYTE_CYCLES if self._link == "spi" else 10 * self._divisor

    def reset(self) -> None:
        """Pulse the reset pin."""
        self.command("reset")

    def power_cycle(self) -> None:
        """Take the power away and give it back; what is on the line is lost."""
        self.command("power")

    def line_use(self) -> LineUse:
        """How the line was used so far."""
        cycles, to_board, from_board = map(int, self.command("cycles").split())
        return LineUse(cycles=cycles, to_board=to_board, from_board=from_board)

    def run(self, cycles: int) -> bytes:
        """Let clock cycles of a stepped board pass; return the bytes that came meanwhile."""
        return self.advance("run", cycles)

    def advance(self, how: str, cycles: int) -> bytes:
        """Let time of a stepped board pass, ``how`` being ``run`` or ``receive``, at most so many
        cycles; return the bytes that came meanwhile."""
        answer, count = self.command(f"{how} {cycles}").split()
        self._cycles = int(count)
        return b"" if answer == "-" else bytes.fromhex(answer)

    def run_until_active(self, cycles: int) -> bool:
        """Let time of a stepped board pass until a network is active, at most so many cycles;
        return whether one is."""
        is_active, count = self.command(f"until {cycles}").split()
        self._cycles = int(count)
        return is_active == "1"

    @property
    def seconds(self) -> float:
        """Simulated time of a stepped board, in which nothing happens but in `advance`."""
        return self._cycles / self.clock_hz

    @property
    def clock_hz(self) -> int:
        """Clock; what makes the cycles of a stepped board seconds if it was given none."""
        return self._clock_hz or _STEPPED_CLOCK_HZ

    def command(self, text: str) -> str:
        """Give a command of ``sim/harness/virtual_board.cpp``; return its answer.

        Raises
        ------
        LinkError
            If the board is off or does not know the command.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise LinkError("The virtual board is off")
        try:
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
        except OSError as error:
            raise LinkError(f"The virtual board is gone: {error}") from None
        answer = self._answer(process)
        if not answer or answer.startswith("unknown"):
            raise LinkError(f"The virtual board does not answer: {answer or text.split()[0]}")
        return answer

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
