# SPDX-License-Identifier: Apache-2.0
"""Lines that do harm: transports that change what passes, or let something happen meanwhile."""

import random
from collections.abc import Callable

from firmware.transport import Transport

__all__ = ["BadLine", "BusyLine"]


class _Around(Transport):
    """Another transport, unchanged.

    Parameters
    ----------
    line
        It.
    """

    def __init__(self, line: Transport) -> None:
        self._line = line
        self.baud = line.baud

    def set_baud(self, baud: int) -> None:
        """As of the line."""
        self._line.set_baud(baud)
        self.baud = baud

    def time(self) -> float:
        """As of the line."""
        return self._line.time()

    def write(self, message: bytes) -> None:
        """As of the line."""
        self._line.write(message)

    def read(self, timeout: float) -> bytes:
        """As of the line."""
        return self._line.read(timeout)

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()


class BadLine(_Around):
    """Changes some of what passes, either way.

    Parameters
    ----------
    line
        What carries it.
    change
        Returns other bytes for those it is given, at least one.
    rng
        Chooses.
    chance
        Of each message to be changed.
    """

    def __init__(
        self,
        line: Transport,
        *,
        change: Callable[[random.Random, bytes], bytes],
        rng: random.Random,
        chance: float,
    ) -> None:
        super().__init__(line)
        self._change, self._rng = change, rng
        #: Of the next messages.
        self.chance = chance
        #: Messages that were changed.
        self.changed = 0

    def _pass(self, message: bytes) -> bytes:
        if not message or self._rng.random() >= self.chance:
            return message
        self.changed += 1
        return self._change(self._rng, message)

    def write(self, message: bytes) -> None:
        """Send, changed or not."""
        super().write(self._pass(message))

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, changed or not; it may be nothing."""
        return self._pass(super().read(timeout))


class BusyLine(_Around):
    """Lets something happen at some of the calls.

    Parameters
    ----------
    line
        What carries the bytes.
    happens
        Called before bytes are written.
    """

    def __init__(self, line: Transport, *, happens: Callable[[], None]) -> None:
        super().__init__(line)
        self._happens = happens

    def write(self, message: bytes) -> None:
        """Let it happen, then send."""
        self._happens()
        super().write(message)
