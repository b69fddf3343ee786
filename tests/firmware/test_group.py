# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from firmware.driver import Device
from firmware.group import DeviceGroup
from firmware.transport import LinkError
from tests.firmware.plain_board import DESIGN, NETWORK, Board

SAMPLES = np.random.default_rng(5).integers(0, 256, (50, 6), dtype=np.uint8)


def group(*boards):
    return DeviceGroup(
        [Device(board, timeout=0.02) for board in boards],
        [f"port {number}" for number in range(len(boards))],
    )


def test_several_boards_work_as_one():
    boards = [Board(), Board()]
    done = []
    with group(*boards) as both:
        assert both.design == DESIGN
        both.load(NETWORK, progress=lambda count, total: done.append((count, total)))
        assert both.status().fingerprint == NETWORK.fingerprint()
        found = both.classify(SAMPLES)
        assert found.scores[:, 0].tolist() == SAMPLES[:, 0].tolist()
        assert both.failures == {}
    assert [board.network.fingerprint() for board in boards] == [NETWORK.fingerprint()] * 2
    assert done[-1][0] == done[-1][1]
    assert all(board.closed for board in boards)


def test_the_board_that_failed_is_named():
    boards = [Board(), Board()]

    def gone(_timeout):
        raise LinkError("gone")

    with group(*boards) as both:
        both.load(NETWORK)
        boards[1].read = gone
        with pytest.raises(LinkError, match="port 1: gone"):
            both.load(NETWORK)


def test_a_failure_on_the_way_is_kept():
    class Sick(Board):
        def read(self, timeout):
            if len(self.requests) > 12:
                raise LinkError("the cable is out")
            return super().read(timeout)

    with group(Sick(), Board()) as both:
        both.load(NETWORK)
        many = np.tile(SAMPLES, (20, 1))
        assert both.classify(many).scores[:, 0].tolist() == many[:, 0].tolist()
        assert {name: str(error) for name, error in both.failures.items()} == {
            "port 0": "the cable is out"
        }


def test_each_board_has_a_name():
    with pytest.raises(ValueError, match="Names must be those of 2 boards, not"):
        DeviceGroup([Device(Board()), Device(Board())], ["a"])
