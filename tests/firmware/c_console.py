# SPDX-License-Identifier: Apache-2.0
"""The C driver in a process of its own: compiled with sanitizers and line counts, its callbacks
answered by a line in Python."""

import dataclasses
import json
import subprocess
from collections import deque
from pathlib import Path

from firmware.c_driver import FOLDER, SOURCES, WARNINGS

CONSOLE = Path(__file__).resolve().parent / "c" / "console.c"
CHUNK = 16

# Values of `popspike_error`, in order.
ERRORS = (
    "OK",
    "TIMEOUT",
    "REFUSED",
    "LINK",
    "REPLY",
    "NO_GATEWARE",
    "PROTOCOL",
    "ARGUMENT",
    "IMAGE",
    "OTHER_NETWORK",
    "SLOT",
)


def build_console(folder: Path, *more: str | Path) -> Path:
    """Compile console and driver with address and undefined-behaviour sanitizers; count lines.

    ``more`` are options and sources of what the console may do besides.
    """
    executable = folder / "console"
    options = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    command = ["gcc", *WARNINGS, *options, "--coverage", f"-I{FOLDER}", CONSOLE, *SOURCES, *more]
    subprocess.run([*command, "-o", executable], cwd=folder, check=True)
    return executable


def lines_run(folder: Path) -> dict[tuple[str, int], int]:
    """How often each line of the driver, by file and number, was run by a folder's console."""
    files = [f"console-{source.stem}.gcda" for source in SOURCES]
    command = ["gcov", "--json-format", "--stdout", *files]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return {
        (Path(file["file"]).name, line["line_number"]): line["count"]
        for text in done.stdout.splitlines()
        for file in json.loads(text)["files"]
        if Path(file["file"]).parent == FOLDER
        for line in file["lines"]
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What a function of the driver returned and left behind."""

    error: str
    reason: int
    detail: int
    values: list[int]
    running: list[list[int]]


class BoardLine:
    """A board in Python on a line whose time passes only while nothing comes.

    Parameters
    ----------
    board
        Transport of a board.
    """

    def __init__(self, board):
        self.board = board
        self.now = 0xFFFFFF00  # wraps around soon
        self.written = bytearray()
        self.waiting = deque()

    def write(self, message):
        assert 0 < len(message) <= CHUNK
        self.written += message
        return True

    def read(self, count, timeout_ms):
        assert count == CHUNK
        if self.written:
            message, self.written = bytes(self.written), bytearray()
            self.board.write(message)
        if not self.waiting:
            self.waiting.extend(self.board.read(timeout_ms / 1000))
        if not self.waiting:
            self.now += timeout_ms
        return bytes(self.waiting.popleft() for _ in range(min(count, len(self.waiting))))

    def milliseconds(self):
        return self.now & 0xFFFFFFFF


class Bus(BoardLine):
    """The same behind a bus that brings a byte for each that it takes: a zero where there is
    nothing, and replies only some bytes later."""

    LATENCY = 100  # bytes
    BYTES_PER_MS = 100

    def __init__(self, board):
        super().__init__(board)
        self.bytes = 0

    def write(self, message):
        self.bytes += len(message)
        return super().write(message)

    def read(self, count, timeout_ms):
        if self.written:
            self.waiting.extend(bytes(self.LATENCY))
            message, self.written = bytes(self.written), bytearray()
            self.board.write(message)
            while part := self.board.read(0):
                self.waiting.extend(part)
        self.bytes += count
        received = bytes(self.waiting.popleft() for _ in range(min(count, len(self.waiting))))
        return received.ljust(count, b"\0")

    def milliseconds(self):
        return self.bytes // self.BYTES_PER_MS


class TransportLine:
    """Any transport, in its own time.

    Parameters
    ----------
    transport
        The line to the board.
    """

    def __init__(self, transport):
        self._transport = transport
        self._waiting = bytearray()

    def write(self, message):
        self._transport.write(message)
        return True

    def read(self, count, timeout_ms):
        if not self._waiting:
            self._waiting += self._transport.read(timeout_ms / 1000)
        received = bytes(self._waiting[:count])
        del self._waiting[:count]
        return received

    def milliseconds(self):
        return int(self._transport.time() * 1000) & 0xFFFFFFFF


class Console:
    """A running console.

    Parameters
    ----------
    executable
        What `build_console` made.
    line
        Answers the callbacks of the transport.
    retries, running
        Fields of the device: repetitions; whether answers on the way are told.
    """

    def __init__(self, executable, line, *, retries=4, running=False):
        self.line = line
        #: Answers the callbacks of an image's reader.
        self.image = None
        self._executable = executable
        self._start = ("init", retries, int(running))

    def __enter__(self):
        self._process = subprocess.Popen(
            [self._executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.call(*self._start)
        return self

    def __exit__(self, kind, error, traceback):
        self._process.communicate()
        if kind is None:
            assert self._process.returncode == 0

    def call(self, *words):
        """Run a function of the driver; bytes go over as they are."""
        texts = [word.hex() if isinstance(word, bytes) else str(word) for word in words]
        self._send(" ".join(texts))
        running = []
        while True:
            text = self._process.stdout.readline()
            assert text, "the console died"
            kind, *values = text.split()
            if kind == "=":
                error, reason, detail, *rest = map(int, values)
                return Answer(
                    error=ERRORS[error], reason=reason, detail=detail, values=rest, running=running
                )
            if kind == "A":
                running.append([int(value) for value in values])
            else:
                self._send(self._callback(kind, values))

    def _callback(self, kind, values):
        if kind == "W":
            return str(int(self.line.write(bytes.fromhex(values[0]))))
        if kind == "R":
            received = self.line.read(int(values[0]), int(values[1]))
            return f"!{received}" if isinstance(received, int) else received.hex() or "-"
        if kind == "I":
            part = self.image(int(values[0]), int(values[1]))
            return "!" if part is None else part.hex()
        assert kind == "T"
        return str(self.line.milliseconds())

    def _send(self, text):
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
