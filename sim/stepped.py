# SPDX-License-Identifier: Apache-2.0
"""The line of a virtual board whose time stands still while nobody waits for it."""

import math
from typing import TYPE_CHECKING

from firmware.transport import Transport

if TYPE_CHECKING:
    from sim.virtual_board import VirtualBoard

__all__ = ["SteppedTransport"]


class SteppedTransport(Transport):
    """The line of a stepped board: its time passes while this is read.

    Parameters
    ----------
    board
        A stepped board that runs.
    baud
        Bits a second.
    """

    def __init__(self, board: "VirtualBoard", *, baud: int) -> None:
        self._board = board
        self.baud = baud

    def set_baud(self, baud: int) -> None:
        """Change the speed of the host's side, for what is written from now on."""
        self._board.command(f"divisor {round(self._board.clock_hz / baud)}")
        self.baud = baud

    def time(self) -> float:
        """Simulated seconds."""
        return self._board.seconds

    def write(self, message: bytes) -> None:
        """Put bytes on the line; no time passes."""
        if message:
            self._board.command(f"send {message.hex()}")

    def read(self, timeout: float) -> bytes:
        """Let time pass until bytes have come and no more do, or ``timeout`` simulated seconds."""
        return self._board.advance("receive", max(1, math.ceil(timeout * self._board.clock_hz)))

    def close(self) -> None:
        """Nothing is held."""
