# SPDX-License-Identifier: Apache-2.0
"""Several requests under way, lost ones among them, and several boards."""

import dataclasses
import threading

import numpy as np
import pytest

from firmware.batch import classify_on
from firmware.driver import Device, DeviceError
from firmware.transport import LinkError
from hw.link.packets import FrameType, RefusalReason
from model.description import LatencyEncoding
from tests.firmware.plain_board import NETWORK, Board, refusal

SAMPLES = np.random.default_rng(5).integers(0, 256, (90, 6), dtype=np.uint8)
WINDOW = 7


def device(board, **fields):
    fields.setdefault("timeout", 0.02)
    return Device(board, **fields)


def assert_answers(found, samples=SAMPLES):
    """Each sample got its own answer; see `Board.answer`."""
    assert found.scores[:, 0].tolist() == samples[:, 0].tolist()
    assert found.winners.tolist() == (samples[:, 0] % 3).tolist()


def test_many_samples_are_under_way():
    board, most, waiting = Board(), [], []
    write, read = board.write, board.read

    def counted_write(message):
        waiting.extend(code for code in message.split(b"\0") if code)
        most.append(len(waiting))
        write(message)

    def counted_read(timeout):
        waiting[:1] = []  # a reply has more bytes than one of these reads
        return read(timeout)

    board.write, board.read = counted_write, counted_read
    with device(board) as host:
        host.load(NETWORK)
        most.clear()
        assert_answers(host.classify(SAMPLES, window=WINDOW))
        assert host.repeated == 0
    assert max(most) == WINDOW
    assert [frame.type for frame in board.requests].count(FrameType.SAMPLE) == len(SAMPLES)


@pytest.mark.parametrize("seed", range(8))
def test_frames_that_are_lost_or_spoilt_are_sent_again(seed):
    """One frame in five each way is lost, gets a wrong bit, or comes twice."""
    rng = np.random.default_rng(seed)

    def disturb(line):
        chance = rng.random()
        if chance < 0.1:
            return b""
        if chance < 0.15:
            place = int(rng.integers(len(line)))
            return (
                line[:place] + bytes([line[place] ^ 1 << int(rng.integers(8))]) + line[place + 1 :]
            )
        return line + line if chance < 0.2 else line

    board = Board(disturb=lambda _number, line: disturb(line), spoil=disturb)
    done = []
    with device(board, retries=20) as host:
        host.load(NETWORK)
        assert board.network.fingerprint() == NETWORK.fingerprint()
        found = host.classify(
            SAMPLES, window=WINDOW, progress=lambda count, total: done.append((count, total))
        )
        assert_answers(found)
        assert host.repeated > 0
    assert done == [(count + 1, len(SAMPLES)) for count in range(len(SAMPLES))]


def test_only_what_was_lost_is_sent_again_and_at_once():
    lost = []

    def lose_the_tenth(line):
        lost.append(line)
        return b"" if len(lost) == 10 else line

    board = Board()
    # No time passes before the answer to a later sample tells.
    with device(board, timeout=60.0) as host:
        host.load(NETWORK)
        board._spoil = lose_the_tenth
        assert_answers(host.classify(SAMPLES, window=WINDOW))
        assert host.repeated == 1


def test_sequence_numbers_are_used_one_after_another():
    """However often the host looks at the line at the end of a batch: a number that comes again
    while its request is open would give one sample the answer to another."""
    board = Board()
    with device(board) as host:
        host.load(NETWORK)
        for _ in range(3):
            host.classify(SAMPLES, window=60)
        assert host.repeated == 0
    numbers = np.array([frame.sequence for frame in board.requests])
    assert set(np.diff(numbers) % 256) == {1}


def test_a_batch_ends_where_the_board_stops():
    board = Board()
    with device(board, retries=1) as host:
        host.load(NETWORK)
        answer = board.answer
        board.answer = lambda frame: (
            refusal(RefusalReason.NO_NETWORK) if len(board.requests) > 30 else answer(frame)
        )
        with pytest.raises(DeviceError, match="The board refused the request: no network"):
            host.classify(SAMPLES, window=WINDOW)
        board.answer = answer
        board._disturb = lambda _number, _line: b""
        with pytest.raises(DeviceError, match="The board does not answer"):
            host.classify(SAMPLES)


def test_busy_boards_get_the_rest_later():
    board, held = Board(), []
    answer = board.answer

    def busy(frame):
        held.append(frame)
        sample = frame.type is FrameType.SAMPLE
        return refusal(RefusalReason.BUSY) if sample and len(held) % 4 == 0 else answer(frame)

    board.answer = busy
    with device(board, timeout=0.05, retries=30) as host:
        host.load(NETWORK)
        assert_answers(host.classify(SAMPLES[:20], window=3), SAMPLES[:20])


class Sick(Board):
    """Its line breaks after some replies."""

    def read(self, timeout):
        if len(self.requests) > 25:
            raise LinkError("the cable is out")
        return super().read(timeout)


def test_several_boards_share_a_batch():
    boards = [Board(), Board(), Board()]
    hosts = [device(board) for board in boards]
    for host in hosts:
        host.load(NETWORK)
    done, threads = [], set()

    def progress(count, total):
        threads.add(threading.current_thread())
        done.append((count, total))

    assert_answers(classify_on(hosts, SAMPLES, window=2, progress=progress))
    assert done == [(count + 1, len(SAMPLES)) for count in range(len(SAMPLES))]
    shares = [[frame.type for frame in board.requests].count(FrameType.SAMPLE) for board in boards]
    # On a busy machine a reply may come too late, and its sample is asked for again.
    assert sum(shares) == len(SAMPLES) + sum(host.repeated for host in hosts)


def test_the_work_of_a_board_that_fails_goes_to_others():
    boards = [Sick(), Board()]
    hosts = [device(board) for board in boards]
    for host in hosts:
        host.load(NETWORK)
    failures = []
    many = np.tile(SAMPLES, (20, 1))
    found = classify_on(
        hosts, many, on_failure=lambda board, error: failures.append((board, str(error)))
    )
    assert_answers(found, many)
    assert failures == [(hosts[0], "the cable is out")]
    # None is left.
    failures.clear()
    with pytest.raises(LinkError, match="the cable is out"):
        classify_on(hosts[:1], many)


def test_boards_must_hold_the_same_network():
    hosts = [device(Board()), device(Board())]
    hosts[0].load(NETWORK)
    with pytest.raises(DeviceError, match="The board has no network"):
        classify_on(hosts, SAMPLES)
    other = dataclasses.replace(NETWORK, encoding=LatencyEncoding(levels=(201, 100, 50)))
    hosts[1].load(other)
    with pytest.raises(DeviceError, match="Network must be the same on all boards, not 0x"):
        classify_on(hosts, SAMPLES)
