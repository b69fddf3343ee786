# SPDX-License-Identifier: Apache-2.0
"""Requests to a board, repeated until they are answered."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from firmware.answers import DeviceError, RefusedError, refusal_detail, refusal_reason
from firmware.link import Frame, FrameParser, encode_frame
from firmware.transport import Closing, Transport
from hw.link.packets import FrameType, ReadRequest, Refusal, RefusalReason, WriteRequest
from hw.structures import pack, size_of, unpack

__all__ = ["Requester"]

_BITS_PER_BYTE = 10


class Requester(Closing):
    """Asks a board on a transport, frame by frame.

    Every request is repeated after a time without answer; all of them may be repeated safely.
    Closing it closes the transport.

    Parameters
    ----------
    transport
        The line.
    timeout
        Seconds to wait for a reply, the time of its bytes on the line not counted.
    retries
        How often a request is repeated.
    """

    def __init__(self, transport: Transport, *, timeout: float = 1.0, retries: int = 4) -> None:
        self._transport = transport
        self._timeout = timeout
        self._retries = retries
        self._parser = FrameParser()
        # Another start in each session: a late reply to an earlier one is not taken for ours.
        self._sequence = time.monotonic_ns() >> 10 & 0xFF
        self._running: list[bytes] = []
        #: Called with the number and the body of each of them as it comes.
        self._on_running: Callable[[int, bytes], None] | None = None

    def close(self) -> None:
        """Let go of the transport."""
        self._transport.close()

    def request(self, kind: Any, body: bytes = b"") -> bytes:
        """Send a request and return the body of its reply; see `running_answers`, too.

        Parameters
        ----------
        kind
            `FrameType` of the request.
        body
            Its body.

        Raises
        ------
        RefusedError
            If the board refuses it.
        DeviceError
            If no reply comes.
        """
        for _ in range(self._retries + 1):
            self._sequence = (self._sequence + 1) % 256
            message = encode_frame(Frame(type=kind, sequence=self._sequence, body=body))
            self._running.clear()
            self._transport.write(message)
            reply = self._await_reply(len(message))
            if reply is None:
                continue
            if reply.type is FrameType.REFUSED and len(reply.body) == size_of(Refusal):
                refusal = unpack(Refusal, reply.body)
                reason = refusal_reason(refusal["reason"])
                if reason is RefusalReason.BUSY:
                    time.sleep(self._timeout / 10)
                    continue
                raise RefusedError(reason, refusal_detail(refusal["detail"]))
            return reply.body
        seconds = self._timeout * (self._retries + 1)
        raise DeviceError(
            f"The board does not answer ({self._retries + 1} tries in {seconds:g} seconds). "
            "Check the port, its speed, and that the board holds a popspike bitstream"
        )

    def _await_reply(self, sent: int) -> Frame | None:
        """Reply to the request sent last, or none in time; a byte that comes is a sign of life."""
        baud = self._transport.baud
        deadline = time.monotonic() + self._timeout
        deadline += sent * _BITS_PER_BYTE / baud if baud else 0.0
        while (left := deadline - time.monotonic()) > 0:
            received = self._transport.read(left)
            if received:
                deadline = max(deadline, time.monotonic() + self._timeout)
            for frame in self._parser.feed(received):
                is_reply = isinstance(frame.type, FrameType) and frame.type.value & 0x80
                if not is_reply or frame.sequence != self._sequence:
                    continue
                if frame.type is not FrameType.RUNNING:
                    return frame
                self._running.append(frame.body)
                if self._on_running is not None:
                    self._on_running(len(self._running) - 1, frame.body)
        return None

    @property
    def running_answers(self) -> tuple[bytes, ...]:
        """Bodies of the answers after steps that came before the last reply."""
        return tuple(self._running)

    def read_registers(self, address: int, words: int) -> list[int]:
        """Read registers of 32 bits from a byte address on.

        Raises
        ------
        DeviceError
            If no reply comes, or one of the wrong size.
        """
        body = self.request(FrameType.READ, pack(ReadRequest, address=address, words=words))
        if len(body) != 4 * words:
            raise DeviceError(f"Registers must come in {4 * words} bytes, not {len(body)}")
        return [int(word) for word in np.frombuffer(body, dtype="<u4")]

    def write_register(self, address: int, value: int) -> None:
        """Write a register of 32 bits."""
        self.request(FrameType.WRITE, pack(WriteRequest, address=address, value=value))
