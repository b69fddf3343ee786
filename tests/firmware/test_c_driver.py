# SPDX-License-Identifier: Apache-2.0
"""The C driver against boards in Python: what it sends, what it makes of every kind of reply."""

import itertools
import random

import pytest

from firmware.image import device_image
from firmware.link import Frame, encode_frame
from hw.image_layout import LoadError, LoadState
from hw.link.packets import (
    CommitteeEntry,
    EventEntry,
    FrameType,
    LoadData,
    RefusalReason,
    ResultEnd,
    ResultEntry,
    SampleBegin,
    SampleData,
    WriteRequest,
)
from hw.register_map import BootState, BootWord, register_address
from hw.structures import pack, to_bits, unpack
from tests.firmware.c_console import BoardLine, Console, build_console, lines_run
from tests.firmware.plain_board import DESIGN, IMAGES, NETWORK, Board, refusal

IMAGE = device_image(NETWORK, DESIGN)
RESULT_SIZE = 3 * 6 + 6
LEAST_COVERAGE = 0.95


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


SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
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
def image_that_cannot_be_read(start):
    for readable in (0, 16, 100):
        line = Line()
        with start(line) as c:
            c.image = lambda offset, count, end=readable: (
                IMAGE[offset : offset + count] if offset + count <= end else None
            )
            expect(c.call("load_from", len(IMAGE), 16), "IMAGE")
        assert bool(line.asked) is (readable > 0)
    line = Line()
    with start(line) as c:
        expect(c.call("load_from", len(IMAGE), 15), "ARGUMENT")
    assert not line.asked


@scenario
def something_that_is_no_image(start):
    line = Line()
    with start(line) as c:
        for image in (b"X" + IMAGE[1:], IMAGE[:4] + b"\x63" + IMAGE[5:], IMAGE[:23], b""):
            expect(c.call("load", image or "-"), "IMAGE")
    assert not line.asked


@scenario
def image_that_the_board_refuses(start):
    detail = LoadError.CRC.value
    line = Line({FrameType.LOAD_END: lambda _frame: refusal(RefusalReason.IMAGE, detail)})
    with start(line) as c:
        expect(c.call("load", IMAGE), "REFUSED", RefusalReason.IMAGE.value, detail)
    assert line.asked.count(FrameType.LOAD_END) == 1


@scenario
def load_that_the_board_lost(start):
    for request, reason in (
        (FrameType.LOAD_END, RefusalReason.INCOMPLETE),
        (FrameType.LOAD_DATA, RefusalReason.GAP),
    ):
        for count in (1, 2):
            line, lost = Line(), []

            def forget(frame, line=line, lost=lost, count=count, reason=reason):
                lost.append(frame)
                return refusal(reason) if len(lost) <= count else line.default(frame)

            line.answers[request] = forget
            with start(line) as c:
                answer = c.call("load", IMAGE)
            if count == 1:
                expect(answer, "OK")
            else:
                expect(answer, "REFUSED", reason.value, 0)
            assert line.asked.count(FrameType.LOAD_BEGIN) == 2


@scenario
def another_network_is_active(start):
    line = Line()
    line.answers[FrameType.READ] = lambda _frame: (FrameType.WORDS, bytes(4))
    with start(line) as c:
        expect(c.call("load", IMAGE), "OTHER_NETWORK")


@scenario
def disturbed_line(start):
    for disturb in (
        lambda number, line: b"" if number % 2 else line,
        lambda number, line: line[:5] + bytes([line[5] ^ 4]) + line[6:] if number % 2 else line,
        lambda number, line: line[:-2] + b"\0" if number % 2 else line,
        lambda _number, line: line + line,
        lambda _number, line: b"\x07\xff\0\x03" + line + b"\x11\x22",
    ):
        line = Line(disturb=disturb)
        with start(line) as c:
            expect(c.call("load", IMAGE), "OK")
            for pixels in IMAGES:
                found = c.call("classify", RESULT_SIZE, pixels.tobytes())
                assert found.values[3:] == [1, pixels[0], 0xFFFF, -7, 0, 70000]
        assert line.board.network.fingerprint() == NETWORK.fingerprint()


@scenario
def replies_that_are_not_ours(start):
    """Too late, an echo of the request, a wrong length: nothing of that is an answer."""
    held = [b""]

    def late(_number, line):
        held.append(line)
        return held[-2]

    def echo(frame):
        return frame.type, bytes(4)

    for line in (Line(disturb=late), Line({FrameType.READ: echo})):
        with start(line, retries=3) as c:
            expect(c.call("read", 0, 1), "TIMEOUT")
        assert len(line.asked) == 4
    short = encode_frame(Frame(type=FrameType.WORDS, sequence=1, body=b"\1"))[1:5]
    line = Line(disturb=lambda _number, _line: b"\0" + short + b"\0")
    with start(line) as c:
        expect(c.call("read", 0, 1), "TIMEOUT")


@scenario
def no_answer(start):
    line = Line(disturb=lambda _number, _line: b"")
    begun = line.now
    with start(line, retries=2) as c:
        for words in (("status",), ("identify",), ("boot", 0, 10), ("load", IMAGE)):
            expect(c.call(*words), "TIMEOUT")
        expect(c.call("classify", RESULT_SIZE, IMAGES[0].tobytes()), "TIMEOUT")
        expect(c.call("events", RESULT_SIZE, bytes(8)), "TIMEOUT")
    assert len(line.asked) == 6 * 3
    assert line.now - begun == 6 * 3 * 1000


@scenario
def busy_board(start):
    for times in (2, 9):
        line, tries = Line(), []

        def busy(frame, line=line, tries=tries, times=times):
            tries.append(frame)
            return refusal(RefusalReason.BUSY) if len(tries) <= times else line.default(frame)

        line.answers[FrameType.READ] = busy
        with start(line) as c:
            answer = c.call("read", 0, 1)
        if times == 2:
            expect(answer, "OK")
            assert answer.values == [0x4B505350]
            assert len(tries) == 3
        else:
            expect(answer, "REFUSED", RefusalReason.BUSY.value, 0)
            assert len(tries) == 5


@scenario
def refusals(start):
    line = Line()
    with start(line) as c:
        answer = c.call("classify", RESULT_SIZE, IMAGES[0].tobytes())
        expect(answer, "REFUSED", RefusalReason.NO_NETWORK.value, 0)
        line.answers[FrameType.READ] = lambda _frame: (FrameType.REFUSED, b"\x70\x71")
        expect(c.call("read", 0, 1), "REFUSED", 0x70, 0x71)
        assert len(line.asked) == 2
        for body in (b"\x70", b"\x70\x71\x72"):
            line.answers[FrameType.READ] = lambda _frame, body=body: (FrameType.REFUSED, body)
            expect(c.call("read", 0, 1), "REPLY")


@scenario
def replies_of_another_kind(start):
    line = Line()
    with start(line) as c:
        expect(c.call("load", IMAGE), "OK")
        for size in (0, 3, 5, 8, 1018):
            line.answers[FrameType.READ] = lambda _frame, size=size: (FrameType.WORDS, bytes(size))
            expect(c.call("read", 0, 1), "REPLY")
        line.answers[FrameType.READ] = lambda _frame: (FrameType.DONE, bytes(4))
        expect(c.call("read", 0, 1), "REPLY")
        pixels = IMAGES[0].tobytes()
        for size in (0, 5, 6, 7, 12 + 5, 6 * 18):
            line.answers[FrameType.SAMPLE] = lambda _f, size=size: (FrameType.RESULT, bytes(size))
            expect(c.call("classify", 17 * 6, pixels), "REPLY")
        line.answers.pop(FrameType.SAMPLE)
        for room in (0, RESULT_SIZE - 1):
            expect(c.call("classify", room, pixels), "REPLY")
        expect(c.call("classify", RESULT_SIZE, pixels), "OK")


@scenario
def arguments_out_of_range(start):
    line = Line()
    with start(line) as c:
        expect(c.call("read", 0, 0), "ARGUMENT")
        expect(c.call("probe", bytes(1019)), "ARGUMENT")
        expect(c.call("events", RESULT_SIZE, "-"), "ARGUMENT")
    assert not line.asked


@scenario
def line_that_fails(start):
    class Failing(Line):
        """Fails at a call of a callback, counted from the first."""

        left = 0

        def write(self, message):
            self.left -= 1
            return False if self.left == 0 else super().write(message)

    class Unreadable(Line):
        """Reading fails."""

        outcome = -1

        def read(self, count, timeout_ms):
            return self.outcome

    line = Failing()
    with start(line) as c:
        for place in range(1, 5):
            line.left = place
            expect(c.call("probe", bytes(range(40))), "LINK")
        line.left = 6
        expect(c.call("probe", bytes(range(40))), "OK")
    line = Unreadable()
    with start(line) as c:
        for line.outcome in (-1, -1000, 17):
            expect(c.call("status"), "LINK")

    class Cut(Line):
        """Is gone once the board has answered."""

        def read(self, count, timeout_ms):
            return super().read(count, timeout_ms) or -1

    with start(Cut({FrameType.READ: lambda _frame: refusal(RefusalReason.BUSY)})) as c:
        expect(c.call("read", 0, 1), "LINK")


@scenario
def something_that_is_no_board(start):
    line = Line()
    with start(line) as c:
        line.board.registers[4] = 99
        answer = c.call("identify")
        expect(answer, "PROTOCOL")
        assert answer.values == [99, 0, 0, 0, 0]
        line.board.registers[0] = 0x12345678
        expect(c.call("identify"), "NO_GATEWARE")


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
            # Nothing else has a result to tell.
            assert c.call("read", 0, 1).running == []


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


@pytest.fixture(scope="module")
def executable(tmp_path_factory):
    return build_console(tmp_path_factory.mktemp("console"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_driver(name, executable):
    SCENARIOS[name](lambda line, **options: Console(executable, line, **options))


def test_lines_that_are_tested(tmp_path):
    executable = build_console(tmp_path)
    for run in SCENARIOS.values():
        run(lambda line, **options: Console(executable, line, **options))
    lines = lines_run(tmp_path)
    never = [number for number, count in lines.items() if count == 0]
    share = 1 - len(never) / len(lines)
    print(f"{len(lines)} lines, {100 * share:.1f} % run, not run: {never}")
    assert len(lines) > 150
    assert share >= LEAST_COVERAGE, f"lines of popspike.c that no test runs: {never}"
