# SPDX-License-Identifier: Apache-2.0
"""How full the serial line is while a batch is classified, in simulated time.

The virtual board runs step by step: its clock stands still while the host computes. What a host
and its USB adapter cost in time is a number that is chosen: the host looks at the line once in so
many cycles, and what it then writes goes on the line at once. So the figures depend on neither
the machine nor its load.
"""

import dataclasses
from pathlib import Path

import numpy as np

from firmware.batch import sample_bodies
from firmware.driver import Device
from hw.design.design import Design
from hw.link.uart_receiver import divisor_for
from model.description import Network
from model.events import Events
from sim.choice import Choice
from sim.stepped import SteppedTransport
from sim.virtual_board import VirtualBoard

__all__ = ["LinkFigures", "PacedTransport", "measure_link"]

_BITS_PER_BYTE = 10


class PacedTransport(SteppedTransport):
    """The line of a stepped board, looked at once in so many cycles.

    Parameters
    ----------
    board
        A stepped board that runs.
    baud
        Bits a second.
    turnaround
        Cycles from one look at the line to the next.
    """

    def __init__(self, board: VirtualBoard, *, baud: int, turnaround: int) -> None:
        super().__init__(board, baud=baud)
        self._turnaround = turnaround

    def read(self, timeout: float) -> bytes:
        """Let time pass, look by look, until bytes have come."""
        end = self.time() + timeout
        while True:
            received = self._board.run(self._turnaround)
            if received or self.time() >= end:
                return received


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkFigures:
    """One batch on the line.

    Parameters
    ----------
    samples
        Samples in the batch.
    sample_bytes
        Mean bytes of a sample before they are put into frames.
    divisor
        Clock cycles a bit.
    turnaround
        Cycles from one look of the host at the line to the next.
    cycles
        Clock cycles from the first byte of the batch to its last answer, the question what network
        the board holds included.
    to_board, from_board
        Share of these cycles in which a byte was on the line to the board, and from it: 1 is the
        raw rate of the UART.
    payload
        Share of the raw rate that carried bytes of samples: what is left is frames' heads, their
        CRC, the code that keeps zeros out, and pauses.
    repeated
        Requests that had to be sent again.
    winners
        int64 (samples,): classes that the board answered.
    """

    samples: int
    sample_bytes: float
    divisor: int
    turnaround: int
    cycles: int
    to_board: float
    from_board: float
    payload: float
    repeated: int
    winners: np.ndarray

    @property
    def line(self) -> float:
        """Use of the fuller one of both directions: no more than this can be had."""
        return max(self.to_board, self.from_board)


def measure_link(
    network: Network,
    samples: np.ndarray | Events,
    design: Design,
    *,
    clock_hz: int = 12_000_000,
    baud: int = 1_000_000,
    turnaround: int | None = None,
    window: int | None = None,
    choice: Choice | None = None,
    cache: Path | None = None,
) -> LinkFigures:
    """Classify a batch on the virtual board and say how full its line was.

    Parameters
    ----------
    network, samples
        What to load and send.
    design
        Of a gateware that holds the network.
    clock_hz, baud
        Clock and bits a second; the cycles a bit are the nearest integer.
    turnaround
        Cycles from one look of the host at the line to the next; none: a millisecond, which is a
        frame of full-speed USB.
    window
        As for `firmware.driver.Device.classify`.
    choice
        Members and seed.
    cache
        Folder of compiled boards.

    Raises
    ------
    ValueError
        If the clock is too slow or too fast for the speed.
    """
    divisor = divisor_for(clock_hz, baud)
    turnaround = max(1, clock_hz // 1000 if turnaround is None else turnaround)
    choice = choice or Choice()
    with VirtualBoard(
        design, divisor=divisor, clock_hz=clock_hz, stepped=True, cache=cache
    ) as board:
        line = PacedTransport(board, baud=clock_hz // divisor, turnaround=turnaround)
        with Device(line, first_sequence=0) as device:
            device.load(network)
            if network.is_sampled or choice.members is not None:
                device.choose(members=choice.members, seed=choice.seed)
            sent = sum(map(len, sample_bodies(samples, design, network.sample_values)))
            before, repeated = board.line_use(), device.repeated
            answer = device.classify(samples, window=window)
            after = board.line_use()
            repeated = device.repeated - repeated
    cycles = after.cycles - before.cycles
    return LinkFigures(
        samples=len(answer.winners),
        sample_bytes=sent / max(1, len(answer.winners)),
        divisor=divisor,
        turnaround=turnaround,
        cycles=cycles,
        to_board=(after.to_board - before.to_board) / cycles,
        from_board=(after.from_board - before.from_board) / cycles,
        payload=sent * _BITS_PER_BYTE * divisor / cycles,
        repeated=repeated,
        winners=answer.winners,
    )
