# SPDX-License-Identifier: Apache-2.0
"""Ways to move bytes: a serial port, or the pty of a virtual board."""

import abc
import os
import select
import time
from types import TracebackType
from typing import Self

__all__ = [
    "USUAL_BAUD",
    "Closing",
    "LinkError",
    "PtyTransport",
    "SerialTransport",
    "Transport",
    "open_transport",
]


#: Bits a second of a bitstream that was built without saying.
USUAL_BAUD = 115200


class LinkError(RuntimeError):
    """The link failed; the text says how."""


class Closing(abc.ABC):
    """Something to `close`, once it is done with; as a context manager it is closed at the end."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is held; harmless when repeated."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Transport(Closing):
    """A line that carries bytes both ways; closing it lets go of the line."""

    #: Bits a second, 10 of them a byte; none if they cannot be chosen.
    baud: int | None = None

    def set_baud(self, baud: int) -> None:
        """Change the speed of the line.

        Raises
        ------
        LinkError
            If it has none, or not this one.
        """
        raise LinkError(f"The line has no speed that could be set to {baud} baud")

    def time(self) -> float:
        """Seconds of the clock by which `read` waits."""
        return time.monotonic()

    @abc.abstractmethod
    def write(self, message: bytes) -> None:
        """Send all bytes.

        Raises
        ------
        LinkError
            If the line is gone or does not take them.
        """

    @abc.abstractmethod
    def read(self, timeout: float) -> bytes:
        """Return what has arrived, at least one byte, or nothing after ``timeout`` seconds.

        Raises
        ------
        LinkError
            If the line is gone.
        """


class PtyTransport(Transport):
    """A pseudo terminal, or any other terminal device whose speed does not matter.

    Parameters
    ----------
    path
        Device file.
    write_timeout
        Seconds without progress after which `write` gives up.

    Raises
    ------
    LinkError
        If the path cannot be opened as a terminal.
    """

    def __init__(self, path: str | os.PathLike[str], *, write_timeout: float = 10.0) -> None:
        import termios  # not on every system
        import tty

        self._path = os.fspath(path)
        self._write_timeout = write_timeout
        self._file: int | None = None
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._file)
            termios.tcflush(self._file, termios.TCIFLUSH)
        except (OSError, termios.error) as error:
            self.close()
            raise LinkError(f"Cannot open {self._path}: {error}") from None

    def _open_file(self) -> int:
        if self._file is None:
            raise LinkError(f"{self._path} is closed")
        return self._file

    def write(self, message: bytes) -> None:
        """Send all bytes."""
        file = self._open_file()
        rest = memoryview(message)
        while rest:
            if not select.select([], [file], [], self._write_timeout)[1]:
                raise LinkError(f"{self._path} takes no bytes")
            try:
                rest = rest[os.write(file, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise LinkError(f"{self._path} is gone: {error}") from None

    def read(self, timeout: float) -> bytes:
        """Return what has arrived."""
        file = self._open_file()
        if not select.select([file], [], [], timeout)[0]:
            return b""
        try:
            received = os.read(file, 65536)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LinkError(f"{self._path} is gone: {error}") from None
        if not received:
            raise LinkError(f"{self._path} is gone: its other end was closed")
        return received

    def close(self) -> None:
        """Let go of the line."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SerialTransport(Transport):
    """A serial port: 8 data bits, no parity, 1 stop bit, no flow control.

    Parameters
    ----------
    port
        Name of the port, for example ``/dev/ttyUSB1`` or ``COM3``.
    baud
        Bits a second.

    Raises
    ------
    LinkError
        If the port cannot be opened.
    """

    def __init__(self, port: str, *, baud: int) -> None:
        import serial  # only here: other transports do without it

        self._failure: type[Exception] = serial.SerialException
        self._port = port
        self.baud = baud
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=10.0)
            self._serial.reset_input_buffer()
        except (OSError, ValueError, serial.SerialException) as error:
            raise LinkError(f"Cannot open serial port {port}: {error}") from None

    def write(self, message: bytes) -> None:
        """Send all bytes."""
        try:
            self._serial.write(message)
        except (OSError, self._failure) as error:
            raise LinkError(f"Serial port {self._port} failed: {error}") from None

    def set_baud(self, baud: int) -> None:
        """Change the speed of the port."""
        try:
            self._serial.flush()
            self._serial.baudrate = baud
        except (OSError, ValueError, self._failure) as error:
            raise LinkError(f"Serial port {self._port} takes no {baud} baud: {error}") from None
        self.baud = baud

    def read(self, timeout: float) -> bytes:
        """Return what has arrived."""
        try:
            self._serial.timeout = timeout
            received = bytes(self._serial.read(1))
            if received:
                received += bytes(self._serial.read(self._serial.in_waiting))
        except (OSError, self._failure) as error:
            raise LinkError(f"Serial port {self._port} failed: {error}") from None
        return received

    def close(self) -> None:
        """Let go of the port."""
        self._serial.close()


def open_transport(port: str, *, baud: int) -> Transport:
    """Open a port by name: a pty for ``/dev/pts/...``, else a serial port.

    Raises
    ------
    LinkError
        If the port cannot be opened.
    """
    if port.startswith("/dev/pts/"):
        return PtyTransport(port)
    return SerialTransport(port, baud=baud)
