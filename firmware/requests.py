# SPDX-License-Identifier: Apache-2.0
"""Requests to a board, several under way at a time, each repeated until it is answered."""

import contextlib
import dataclasses
import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from firmware.answers import DeviceError, RefusedError, refusal_detail, refusal_reason
from firmware.link import Frame, FrameParser, encode_frame
from firmware.transport import Closing, Transport
from hw.formats.structures import pack, size_of, unpack
from hw.link.packets import (
    PACKETS,
    FrameType,
    ReadRequest,
    Refusal,
    RefusalReason,
    WriteRequest,
)

__all__ = ["Reply", "Requester"]

_BITS_PER_BYTE = 10
# More would let the number of a request come again while a late reply to it may still arrive.
_MOST_UNDER_WAY = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reply:
    """Answer to a request.

    Parameters
    ----------
    body
        Of the reply.
    running
        Bodies of the answers after steps that came before it; of a part of a sample, with those to
        the parts before.
    """

    body: bytes
    running: tuple[bytes, ...] = ()


class Requester(Closing):
    """Asks a board on a transport, frame by frame.

    Every request is repeated after a time without answer; all of them may be repeated safely.
    Closing it closes the transport.

    Parameters
    ----------
    transport
        The line.
    timeout
        Seconds to wait for a reply, the time of the bytes on the line not counted.
    retries
        How often a request is repeated.
    first_sequence
        Sequence number of the first request, less 1; none: any.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 1.0,
        retries: int = 4,
        first_sequence: int | None = None,
    ) -> None:
        self._transport = transport
        #: Seconds to wait for a reply.
        self.timeout = timeout
        self._retries = retries
        self._parser = FrameParser()
        # Another start in each session: a late reply to an earlier one is not taken for ours.
        anything = time.monotonic_ns() >> 10 & 0xFF
        self._sequence = anything if first_sequence is None else first_sequence
        self._line_free = 0.0  # when all that was written will have left
        self._deadline = 0.0  # of the replies to it
        #: Requests that were sent once more.
        self.repeated = 0

    @property
    def transport(self) -> Transport:
        """The line."""
        return self._transport

    @contextlib.contextmanager
    def trying(self, *, timeout: float, retries: int) -> Iterator[None]:
        """Ask with another patience within the ``with`` block."""
        before = self.timeout, self._retries
        self.timeout, self._retries = timeout, retries
        try:
            yield
        finally:
            self.timeout, self._retries = before

    def close(self) -> None:
        """Let go of the transport."""
        self._transport.close()

    def request(self, kind: Any, body: bytes = b"") -> bytes:
        """Send a request and return the body of its reply.

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
        replies: list[Reply] = []
        self.request_all(kind, [(0, body)], on_reply=lambda _, reply: replies.append(reply))
        return replies[0].body

    def request_all(
        self,
        kind: Any,
        bodies: Iterable[tuple[int, bytes]],
        *,
        window: int | Callable[[], int] = 1,
        on_reply: Callable[[int, Reply], None],
        on_running: Callable[[int, int, bytes], None] | None = None,
    ) -> None:
        """Send requests of one type, several of them under way at a time.

        The board answers them in their order. So a reply to a later one says that an earlier one,
        or its reply, was lost, and that one is sent again at once; the others go on.

        Parameters
        ----------
        kind
            `FrameType` of the requests.
        bodies
            Their numbers and bodies; the next is taken when there is room for it.
        window
            Most requests under way, 1..64, or a function that says it each time.
        on_reply
            Called with the number of each request and its reply, once, in the order in which the
            replies come.
        on_running
            Called with the number of a request, that of an answer after a step, and its body, as
            each comes; with the same numbers again if the request had to be repeated. The parts of
            a sample have their answers together, so that those are numbered through.

        Raises
        ------
        RefusedError
            If the board refuses one; those that were not answered yet are given up.
        DeviceError
            If no reply comes.
        """
        batch = _Batch(
            bodies,
            tries=self._retries + 1,
            timeout=self.timeout,
            is_one=kind is FrameType.SAMPLE_DATA,
        )
        while True:
            room = window() if callable(window) else window
            self._fill(kind, batch, min(max(1, room), _MOST_UNDER_WAY))
            if batch.is_done:
                return
            for frame in self._receive(batch):
                if _may_answer(kind, frame):
                    self._take(frame, batch, on_reply, on_running)

    def _fill(self, kind: Any, batch: "_Batch", window: int) -> None:
        """Send as much as there is room for."""
        lines, repeated = [], batch.repeated
        while len(batch.under_way) < window and self._transport.time() >= batch.ready_at:
            # Not used up where nothing is sent: it must not come again while its request is open.
            following = (self._sequence + 1) % 256
            body = batch.send_next(following)
            if body is None:
                break
            self._sequence = following
            lines.append(encode_frame(Frame(type=kind, sequence=self._sequence, body=body)))
        self.repeated += batch.repeated - repeated
        if lines:
            line = b"".join(lines)
            begun = self._transport.time()
            self._transport.write(line)
            baud = self._transport.baud
            if baud:
                seconds = len(line) * _BITS_PER_BYTE / baud
                self._line_free = max(self._line_free, begun) + seconds
            self._deadline = max(self._line_free, self._transport.time()) + self.timeout

    def _receive(self, batch: "_Batch") -> list[Frame]:
        """Replies that come before it is time to send again. A byte is a sign of life."""
        now = self._transport.time()
        if batch.under_way and now >= self._deadline:
            batch.lose(batch.under_way.values())
            return []
        until = self._deadline if batch.under_way else batch.ready_at
        if batch.ready_at > now:
            until = min(until, batch.ready_at)
        received = self._transport.read(max(0.0, until - now))
        if received:
            self._deadline = max(self._deadline, self._transport.time() + self.timeout)
        return [frame for frame in self._parser.feed(received) if _is_reply(frame)]

    def _take(
        self,
        frame: Frame,
        batch: "_Batch",
        on_reply: Callable[[int, Reply], None],
        on_running: Callable[[int, int, bytes], None] | None,
    ) -> None:
        """Deal with a frame from the board."""
        number = batch.numbers.get(frame.sequence)
        if number is None:
            return  # of something that was answered already, or that others asked
        if frame.type is FrameType.RUNNING:
            running = batch.running_of(frame.sequence)
            running.append(frame.body)
            if on_running is not None:
                on_running(number, len(running) - 1, frame.body)
            return
        if not batch.awaits(number):
            return
        if frame.type is FrameType.REFUSED and len(frame.body) == size_of(Refusal):
            fields = unpack(Refusal, frame.body)
            reason = refusal_reason(fields["reason"])
            if reason is RefusalReason.BUSY:
                batch.lose([number])
                batch.ready_at = self._transport.time() + self.timeout / 10
            elif reason is RefusalReason.GAP and batch.has_before(number):
                # What it lacks was lost on the line.
                batch.lose([*batch.sent_before(frame.sequence), number])
            else:
                raise RefusedError(reason, refusal_detail(fields["detail"]))
            return
        batch.lose(batch.sent_before(frame.sequence))
        reply = Reply(body=frame.body, running=tuple(batch.running_of(frame.sequence)))
        batch.answer(number)
        on_reply(number, reply)

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


class _Batch:
    """What is known of the requests that belong together.

    Parameters
    ----------
    bodies
        Numbers and bodies of the requests.
    tries
        How often one is sent before it is given up.
    timeout
        Seconds of a try, for the text of the error.
    is_one
        They are parts of one sample. An answer after a step has the number of the part that came
        last, even where that is answered already.
    """

    def __init__(
        self, bodies: Iterable[tuple[int, bytes]], *, tries: int, timeout: float, is_one: bool
    ) -> None:
        self._source = iter(bodies)
        self._tries, self._timeout, self._is_one = tries, timeout, is_one
        self._bodies: dict[int, bytes] = {}  # begun, not answered
        self._tried: dict[int, int] = {}
        self._again: list[int] = []  # a heap: to be sent once more, the first one first
        #: Numbers by sequence number: of the last tries, in the order in which they were sent.
        self.under_way: dict[int, int] = {}
        #: The same of all tries: a late reply is a reply.
        self.numbers: dict[int, int] = {}
        self._running: dict[int | None, list[bytes]] = {}
        #: Nothing is sent before this time.
        self.ready_at = 0.0
        self.repeated = 0

    @property
    def is_done(self) -> bool:
        """Whether all that were begun are answered; none is left if there was room for one."""
        return not self._bodies

    def send_next(self, sequence: int) -> bytes | None:
        """Body of the request that gets this sequence number; none if there is none to send."""
        if self._again:
            number = heapq.heappop(self._again)
            self.repeated += 1
        else:
            following = next(self._source, None)
            if following is None:
                return None
            number, self._bodies[number] = following
            self._tried[number] = 0
        self._tried[number] += 1
        self._running.pop(sequence, None)
        self.numbers[sequence] = self.under_way[sequence] = number
        return self._bodies[number]

    def sent_before(self, sequence: int) -> list[int]:
        """Requests under way that were sent before the one with this sequence number."""
        order = list(self.under_way)
        if sequence not in self.under_way:
            return []
        return [self.under_way[each] for each in order[: order.index(sequence)]]

    def awaits(self, number: int) -> bool:
        """Whether a request is not answered."""
        return number in self._bodies

    def running_of(self, sequence: int) -> list[bytes]:
        """Answers after steps so far to the try with this sequence number; to all parts of one
        sample together."""
        return self._running.setdefault(None if self._is_one else sequence, [])

    def has_before(self, number: int) -> bool:
        """Whether a request before this one is not answered."""
        return any(each < number for each in self._bodies)

    def lose(self, numbers: Iterable[int]) -> None:
        """Send requests again; those that wait for it already are left as they are.

        Raises
        ------
        DeviceError
            If one was sent too often.
        """
        lost = set(numbers)
        for sequence in [each for each, number in self.under_way.items() if number in lost]:
            number = self.under_way.pop(sequence)
            if self._tried[number] >= self._tries:
                seconds = self._timeout * self._tries
                raise DeviceError(
                    f"The board does not answer ({self._tries} tries in {seconds:g} seconds). "
                    "Check the port, its speed, and that the board holds a popspike bitstream"
                )
            heapq.heappush(self._again, number)

    def answer(self, number: int) -> None:
        """Forget a request that was answered, and all its tries as far as nothing more comes."""
        del self._bodies[number], self._tried[number]
        self._again = [each for each in self._again if each != number]
        heapq.heapify(self._again)
        for sequence in [each for each, held in self.numbers.items() if held == number]:
            self.under_way.pop(sequence, None)
            if not self._is_one:
                del self.numbers[sequence]
                self._running.pop(sequence, None)


# An earlier session's request may have had the number of one of ours, but it was seldom the same.
_ANSWERS: dict[Any, tuple[Any, ...]] = {
    each.type: (each.reply, FrameType.REFUSED) for each in PACKETS if each.reply
}
_ANSWERS[FrameType.SAMPLE] += (FrameType.RUNNING,)
_ANSWERS[FrameType.SAMPLE_DATA] += (FrameType.RUNNING, FrameType.RESULT)


def _may_answer(kind: Any, frame: Frame) -> bool:
    """Whether a reply is of a type that such a request can have."""
    return kind not in _ANSWERS or any(frame.type is each for each in _ANSWERS[kind])


def _is_reply(frame: Frame) -> bool:
    return isinstance(frame.type, FrameType) and bool(frame.type.value & 0x80)
