# SPDX-License-Identifier: Apache-2.0
"""The driver against a model of a board whose line can be disturbed."""

import numpy as np
import pytest

from firmware.driver import Device, DeviceError, RefusedError
from firmware.image import device_image
from firmware.link import Frame, FrameParser, encode_frame
from hw.design.design import CapacityError
from hw.formats.image_layout import LoadError, LoadState
from hw.formats.register_map import register_address
from hw.link.packets import FrameType, RefusalReason
from tests.firmware.plain_board import DESIGN, IMAGES, NETWORK, Board, network, refusal


def device(board, **fields):
    fields.setdefault("timeout", 0.02)
    return Device(board, **fields)


def test_load_and_classify():
    board = Board()
    progress = []
    with device(board) as host:
        assert host.design == DESIGN
        host.load(NETWORK, progress=lambda done, total: progress.append((done, total)))
        found = host.classify(IMAGES, progress=lambda done, total: progress.append((done, total)))
    size = len(device_image(NETWORK, DESIGN))
    assert progress == [(502, size), (size, size), (1, 3), (2, 3), (3, 3)]
    assert board.closed
    assert board.network.fingerprint() == NETWORK.fingerprint()
    assert found.winners.tolist() == [0, 0, 0]
    assert found.decision_steps.tolist() == [1, 1, 1]
    assert found.spike_steps.tolist() == [[1, 3, 0]] * 3
    assert found.scores.tolist() == [[0, -7, 70000], [6, -7, 70000], [12, -7, 70000]]
    assert found.cycles.tolist() == [99, 99, 99]


def test_status():
    with device(Board()) as host:
        status = host.status()
        assert (status.state, status.fingerprint, status.readout) == (LoadState.NONE, 0, None)
        assert status.errors == ("frame", "request")
        host.load(NETWORK)
        status = host.status()
        assert (status.state, status.sample_values, status.classes) == (LoadState.ACTIVE, 6, 3)
        assert (status.steps, status.readout) == (3, NETWORK.readout)
        assert (status.fingerprint, status.samples) == (NETWORK.fingerprint(), 5)
        host.clear_errors()
        host.drop_network()
        assert host.status().state is LoadState.NONE


def lose(number, line):
    """Every second reply is lost."""
    return b"" if number % 2 else line


def flip(number, line):
    """Every second reply has a wrong bit."""
    return line[:5] + bytes([line[5] ^ 4]) + line[6:] if number % 2 else line


def repeat(_number, line):
    """Every reply comes twice."""
    return line + line


def noise(_number, line):
    """Garbage around every reply."""
    return b"\x07\xff\0\x03" + line + b"\x11\x22"


@pytest.mark.parametrize("disturb", [lose, flip, repeat, noise])
def test_a_disturbed_line_changes_nothing(disturb):
    board = Board(disturb)
    with device(board) as host:
        host.load(NETWORK)
        found = host.classify(IMAGES)
    assert board.network.fingerprint() == NETWORK.fingerprint()
    assert found.scores[:, 0].tolist() == [0, 6, 12]


def test_late_replies_are_not_taken_for_others():
    lines = [b""]

    def delay(_number, line):
        lines.append(line)
        return lines[-2]

    with device(Board(delay), retries=3) as host:
        # The answer to the first try comes with the second; that to the second is still to come.
        assert host.read_registers(0, 1) == [0x4B505350]
        assert host.read_registers(register_address("samples"), 1) == [5]
        assert host.repeated == 2


def test_no_answer():
    board = Board(lambda _number, _line: b"")
    with device(board, retries=2) as host, pytest.raises(DeviceError) as error:
        host.status()
    assert str(error.value) == (
        "The board does not answer (3 tries in 0.06 seconds). "
        "Check the port, its speed, and that the board holds a popspike bitstream"
    )
    assert len(board.requests) == 3


def test_a_network_too_large_is_refused_before_anything_is_sent():
    board = Board()
    with device(board) as host:
        host.load(NETWORK)
        sent = len(board.written)
        with pytest.raises(CapacityError) as error:
            host.load(network(sizes=(6, 5, 3)))
        assert len(board.written) == sent
        assert host.classify(IMAGES).winners.tolist() == [0, 0, 0]
    assert str(error.value) == "Neurons of layer 0 must be at most 4, not 5"


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (IMAGES[:, :5], "Images must have 6 pixels for this network, not 5"),
        (np.zeros((1, 2, 4), np.uint8), "Images must have 6 pixels for this network, not 8"),
        (IMAGES.astype(np.int16), "Images must be uint8, not int16"),
    ],
)
def test_images_of_the_wrong_kind_are_not_sent(images, text):
    board = Board()
    with device(board) as host:
        host.load(NETWORK)
        with pytest.raises(ValueError) as error:
            host.classify(images)
    assert str(error.value) == text
    assert FrameType.SAMPLE not in [frame.type for frame in board.requests]


def test_classes_without_a_network():
    with device(Board()) as host, pytest.raises(DeviceError) as error:
        host.classify(IMAGES)
    assert str(error.value) == "The board has no network; load one first"


def test_an_image_that_the_board_refuses():
    board = Board()
    image = bytearray(device_image(NETWORK, DESIGN))
    image[4] = 9
    with device(board) as host, pytest.raises(RefusedError) as error:
        host.load_image(bytes(image))
    assert str(error.value) == "The board refused the request: image (version)"
    assert (error.value.reason, error.value.detail) == (RefusalReason.IMAGE, LoadError.VERSION)
    assert board.network is None


@pytest.mark.parametrize(("count", "works"), [(1, True), (2, False)])
def test_a_load_that_the_board_lost_is_begun_once_more(count, works):
    board = Board()
    answer, lost = board.answer, []

    def forgetful(frame):
        if frame.type is FrameType.LOAD_END and len(lost) < count:
            lost.append(frame)
            board._image = b""
        return answer(frame)

    board.answer = forgetful
    with device(board) as host:
        if works:
            host.load(NETWORK)
        else:
            with pytest.raises(RefusedError, match="The board refused the request: incomplete"):
                host.load(NETWORK)
    assert (board.network is not None) is works


def test_late_replies_to_other_requests_are_no_answers():
    """Those of a session before may have the number of a request, but not the type."""

    def disturb(number, line):
        [frame] = FrameParser().feed(line)
        kinds = (FrameType.DONE, FrameType.RESULT, FrameType.WORDS, FrameType.RUNNING)
        late = [Frame(type=kind, sequence=frame.sequence) for kind in kinds if kind != frame.type]
        return b"".join(map(encode_frame, late)) + line

    with device(Board(disturb)) as host:
        host.load(NETWORK)
        host.drop_network()
        assert host.status().state is LoadState.NONE
        assert host.repeated == 0


def test_refusals_of_a_later_version_are_told_as_numbers():
    board = Board()
    board.answer = lambda _frame: (FrameType.REFUSED, b"\x70\x71")
    with device(board) as host, pytest.raises(RefusedError) as error:
        host.read_registers(0, 1)
    assert str(error.value) == "The board refused the request: 112"


def test_a_busy_board_is_asked_again():
    board = Board()
    answer, tries = board.answer, []

    def busy(frame):
        tries.append(frame)
        return refusal(RefusalReason.BUSY) if len(tries) < 3 else answer(frame)

    board.answer = busy
    with device(board) as host:
        assert host.read_registers(0, 1) == [0x4B505350]
    assert len(tries) == 3


def test_something_that_is_no_board():
    board = Board()
    board.registers[0] = 0x12345678
    with device(board) as host, pytest.raises(DeviceError) as error:
        host.load(NETWORK)
    assert str(error.value) == (
        "The board cannot be used: Register magic must be 0x4b505350, not 0x12345678"
    )


def test_replies_of_the_wrong_size():
    board = Board()
    with device(board) as host:
        host.load(NETWORK)
        answer = board.answer
        board.answer = lambda frame: (answer(frame)[0], answer(frame)[1][:-1])
        with pytest.raises(DeviceError, match="Registers must come in 4 bytes, not 3"):
            host.read_registers(0, 1)
        board.answer = lambda frame: (
            (FrameType.RESULT, b"x") if frame.type is FrameType.SAMPLE else answer(frame)
        )
        with pytest.raises(DeviceError, match="Result must name 3 classes, not 1 bytes"):
            host.classify(IMAGES)
