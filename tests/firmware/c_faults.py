# SPDX-License-Identifier: Apache-2.0
"""What the C driver makes of lines, boards and images that are not as they should be."""

from firmware.link import Frame, encode_frame
from hw.formats.image_layout import LoadError
from hw.link.packets import (
    FrameType,
    RefusalReason,
)
from tests.firmware.c_scenarios import IMAGE, RESULT_SIZE, Line, expect, scenario
from tests.firmware.plain_board import IMAGES, NETWORK, refusal


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
        line.answers[FrameType.SAMPLE_BEGIN] = lambda _frame: (FrameType.DONE, b"")
        line.answers[FrameType.SAMPLE_DATA] = lambda _frame: (FrameType.WORDS, bytes(12))
        expect(c.call("events", RESULT_SIZE, bytes(8)), "REPLY")
        assert line.asked.count(FrameType.SAMPLE_DATA) == 1
        line.answers[FrameType.SAMPLE] = lambda _frame: (FrameType.DONE, bytes(12))
        expect(c.call("classify", RESULT_SIZE, pixels), "REPLY")


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
