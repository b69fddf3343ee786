# SPDX-License-Identifier: Apache-2.0
"""What the C driver does with a board that does as it should; and what its tests share."""

import itertools
import random

from firmware.image import device_image
from firmware.link import Frame, FrameParser, encode_frame
from hw.formats.image_layout import LoadState
from hw.formats.register_map import BootState, BootWord, register_address
from hw.formats.structures import pack, to_bits, unpack
from hw.link.packets import (
    CommitteeEntry,
    EventEntry,
    FrameType,
    LoadData,
    ResultEnd,
    ResultEntry,
    SampleBegin,
    SampleData,
    WriteRequest,
)
from tests.firmware.c_console import BoardLine, Bus
from tests.firmware.plain_board import DESIGN, IMAGES, NETWORK, Board

IMAGE = device_image(NETWORK, DESIGN)
RESULT_SIZE = 3 * 6 + 6


class Line(BoardLine):
    """A line to a board that keeps its own kinds of answers; ``answers`` come first.

    Parameters
    ----------
    answers
        By type of a request, functions from it to type and body of its reply.
    disturb
        As of `Board`.
    """

    def __init__(self, answers=None, disturb=None):
        super().__init__(Board(disturb))
        self._answer, self.board.answer = self.board.answer, self.answer
        self.answers = {FrameType.PROBE: lambda _frame: (FrameType.DONE, b""), **(answers or {})}

    def answer(self, frame):
        return self.answers.get(frame.type, self._answer)(frame)

    def default(self, frame):
        return self._answer(frame)

    @property
    def asked(self):
        return [frame.type for frame in self.board.requests]


def scenario(function):
    """Mark a function that is given ``start(line, **options)``, which starts a console."""
    function.is_scenario = True
    return function


def expect(answer, error, *refused):
    assert answer.error == error
    if refused:
        assert (answer.reason, answer.detail) == refused


@scenario
def load_and_classify(start):
    line = Line()
    with start(line) as c:
        identity = c.call("identify")
        words = line.board.registers
        expect(identity, "OK")
        assert identity.values[:3] == [words[4], words[8], words[12]]
        assert identity.values[3:] == [DESIGN.sample_values, DESIGN.classes]
        assert c.call("status").values == [0, 0b10100, LoadState.NONE.value, 0, 0, 0]
        expect(c.call("load", IMAGE), "OK")
        assert line.board.network.fingerprint() == NETWORK.fingerprint()
        active = [NETWORK.fingerprint(), 0b10100, LoadState.ACTIVE.value, 0, 6, 3]
        assert c.call("status").values == active
        for pixels in IMAGES:
            found = c.call("classify", RESULT_SIZE, pixels.tobytes())
            expected = [pixels[0] % 3, 3, 99, 1, pixels[0], 0xFFFF, -7, 0, 70000]
            assert found.values == expected
        expect(c.call("write", register_address("control"), 1), "OK")
    write = line.board.requests[-1]
    fields = unpack(WriteRequest, write.body)
    assert (fields["address"], fields["value"]) == (register_address("control"), 1)
    sequences = [frame.sequence for frame in line.board.requests]
    assert all((b - a) % 256 == 1 for a, b in itertools.pairwise(sequences))


@scenario
def image_behind_a_reader(start):
    for size in (16, 100, 5000):
        line = Line()
        with start(line) as c:
            c.image = lambda offset, count: IMAGE[offset : offset + count]
            expect(c.call("load_from", len(IMAGE), size), "OK")
        assert line.board.network.fingerprint() == NETWORK.fingerprint()
        data = [f for f in line.board.requests if f.type is FrameType.LOAD_DATA]
        parts = [len(frame.body) - 4 for frame in data]
        assert max(parts) == min(size, 1014, len(IMAGE))
        left = [unpack(LoadData, frame.body[:4])["remaining"] for frame in data]
        assert left == [len(IMAGE) - sum(parts[:k]) for k in range(len(parts))]


@scenario
def arguments_out_of_range(start):
    line = Line()
    with start(line) as c:
        expect(c.call("read", 0, 0), "ARGUMENT")
        expect(c.call("probe", bytes(1019)), "ARGUMENT")
        expect(c.call("events", RESULT_SIZE, "-"), "ARGUMENT")
    assert not line.asked


@scenario
def answers_on_the_way(start):
    def body(step):
        entries = [pack(CommitteeEntry, votes=k, score=step - k) for k in range(2)]
        return b"".join(entries) + pack(ResultEnd, winner=1, cycles=step)

    line = Line()
    disturb = line.board._disturb

    def running(number, reply):
        sequence = line.board.requests[-1].sequence
        frames = [Frame(type=FrameType.RUNNING, sequence=sequence, body=body(k)) for k in range(3)]
        bad = Frame(type=FrameType.RUNNING, sequence=sequence, body=b"x")
        return b"".join(map(encode_frame, [*frames, bad])) + disturb(number, reply)

    line.board._disturb = running
    line.answers[FrameType.SAMPLE] = lambda _frame: (FrameType.RESULT, body(3))
    for wanted in (True, False):
        with start(line, running=wanted) as c:
            answer = c.call("classify", RESULT_SIZE, IMAGES[0].tobytes())
            assert answer.values == [1, 2, 3, 0, 3, 1, 2]
            expected = [[1, 2, k, 0, k, 1, k - 1] for k in range(3)]
            assert answer.running == (expected if wanted else [])
            # Nothing else has a result to tell, whatever comes.
            assert c.call("read", 0, 10).running == []


@scenario
def events(start):
    sample = b"".join(pack(EventEntry, time=k, x=k % 9, present=1) for k in range(300))
    result = pack(ResultEntry, step=5, score=-6) + pack(ResultEnd, winner=0, cycles=7)

    def board(losses):
        sent, lost = [], []

        def begin(frame):
            assert unpack(SampleBegin, frame.body)["events"] == 300
            sent.clear()
            return FrameType.DONE, b""

        def part(frame):
            assert unpack(SampleData, frame.body[:4])["remaining"] * 8 == 2400 - sum(map(len, sent))
            sent.append(frame.body[4:])
            if b"".join(sent) != sample:
                return FrameType.DONE, b""
            lost.append(0)
            return (FrameType.DONE, b"") if len(lost) <= losses else (FrameType.RESULT, result)

        return Line({FrameType.SAMPLE_BEGIN: begin, FrameType.SAMPLE_DATA: part})

    for losses in (0, 1, 2):
        with start(board(losses)) as c:
            answer = c.call("events", 12, sample)
        expect(answer, "OK" if losses < 2 else "TIMEOUT")
        assert answer.values == ([0, 1, 7, 5, -6] if losses < 2 else [])
    with start(board(0)) as c:
        expect(c.call("events", 11, sample), "REPLY")


@scenario
def boots_from_flash(start):
    found = iter(())
    line = Line()
    address = register_address("boot")

    def words(frame):
        state, slot = next(found)
        word = to_bits(BootWord, state=state.value, slot=slot)
        return FrameType.WORDS, word.to_bytes(4, "little")

    line.answers[FrameType.READ] = words
    busy, idle, none = BootState.BUSY, BootState.IDLE, BootState.NONE_VALID
    with start(line) as c:
        found = iter([(busy, 0xFF), (busy, 0xFF), (idle, 2)])
        expect(c.call("boot", 2, 100), "OK")
        found = iter([(busy, 0xFF), (none, 0xFF)])
        expect(c.call("boot", 1, 100), "SLOT")
        found = iter([(idle, 3)])
        expect(c.call("boot", 1, 100), "SLOT")
        found = iter([(busy, 0xFF)])
        expect(c.call("boot", 1, 0), "TIMEOUT")
        line.answers[FrameType.READ] = lambda _frame: (FrameType.DONE, b"")
        expect(c.call("boot", 1, 100), "REPLY")
    writes = [f.body for f in line.board.requests if f.type is FrameType.WRITE]
    assert writes == [pack(WriteRequest, address=address, value=slot) for slot in (2, 1, 1, 1, 1)]


@scenario
def frames_as_python_makes_them(start):
    rng = random.Random(5)
    bodies = [bytes(n) for n in (0, 1, 2, 300)]
    bodies += [bytes([7]) * n for n in (1, 247, 248, 249, 250, 251, 252, 253, 254, 255, 508, 1018)]
    bodies += [b"\1" * 248 + b"\0" + b"\1" * 253 + b"\0" * 3, b"\0" + b"\1" * 254]
    bodies += [rng.choices(range(3), k=rng.randrange(1019)) for _ in range(30)]
    for body in map(bytes, bodies):
        line = Line()
        with start(line) as c:
            expect(c.call("probe", body or "-"), "OK")
        (frame,) = line.board.requests
        assert (frame.type, frame.body) == (FrameType.PROBE, body)
        assert line.board.written == encode_frame(frame)


@scenario
def bus_that_always_brings_bytes(start):
    line = Line()
    with start(Bus(line.board)) as c:
        expect(c.call("load", IMAGE), "OK")
        found = c.call("classify", RESULT_SIZE, IMAGES[1].tobytes())
        assert found.values == [0, 3, 99, 1, 6, 0xFFFF, -7, 0, 70000]
    line = Line(disturb=lambda _number, _line: b"")
    bus = Bus(line.board)
    with start(bus, retries=2) as c:
        c.call("timeout", 50)
        expect(c.call("status"), "TIMEOUT")
    assert len(line.asked) == 3
    assert 150 <= bus.milliseconds() <= 153


@scenario
def answers_that_take_their_time(start):
    """Each answer on the way is a sign of life: the time to reply begins anew."""
    result = pack(ResultEntry, step=1, score=2) + pack(ResultEnd, winner=0, cycles=3)

    class Slow(Line):
        """A board that says something every 600 ms."""

        kinds = iter(())

        def read(self, count, timeout_ms):
            if self.written:
                (request,) = FrameParser().feed(bytes(self.written))
                self.written.clear()
                self.sequence = request.sequence
            if not self.waiting:
                kind = next(self.kinds, None)
                self.now += min(600, timeout_ms)
                if kind is None:
                    return b""
                frame = Frame(type=kind, sequence=self.sequence, body=result)
                self.waiting.extend(encode_frame(frame))
            return bytes(self.waiting.popleft() for _ in range(min(count, len(self.waiting))))

    line = Slow()
    line.kinds = iter([*[FrameType.RUNNING] * 5, FrameType.RESULT])
    with start(line, retries=0) as c:
        assert c.call("classify", 12, b"x").values == [0, 1, 3, 1, 2]
        line.kinds = iter([FrameType.RUNNING] * 3)
        expect(c.call("classify", 12, b"x"), "TIMEOUT")


@scenario
def long_replies(start):
    rng = random.Random(8)
    bodies = [
        bytes([5]) * 1020,
        rng.randbytes(1020),
        bytes(1020),
        bytes(rng.choices((0, 9), k=1020)),
    ]
    bodies += [bytes([5]) * n + bytes(1020 - n) for n in range(248, 256)]
    line = Line()
    with start(line) as c:
        for body in bodies:
            line.answers[FrameType.READ] = lambda _frame, body=body: (FrameType.WORDS, body)
            words = [int.from_bytes(body[at : at + 4], "little") for at in range(0, 1020, 4)]
            assert c.call("read", 0, 255).values == words
