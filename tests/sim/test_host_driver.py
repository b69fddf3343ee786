# SPDX-License-Identifier: Apache-2.0
"""The host driver on virtual boards: a full line, losses, other speeds, several boards."""

import contextlib

import numpy as np
import pytest

from firmware.batch import classify_on
from firmware.driver import Device, DeviceError
from firmware.speed import wake
from firmware.transport import LinkError, SerialTransport
from hw.design.design import Design, Fold
from hw.formats.image_layout import LoadState
from hw.formats.register_map import register_address
from model.description import Readout
from model.encoding import EventEncoding
from model.events import Events
from model.golden import run
from sim.stepped import SteppedTransport
from sim.throughput import PacedTransport, measure_link
from sim.virtual_board import VirtualBoard
from tests.sim.conftest import make_network
from tests.stepwise import make_network as make_stepwise
from tests.strategies import images_for

BAUD = 115200
DIVISOR = 16
CLOCK = DIVISOR * BAUD
SMALL = make_network((64, 13, 4), steps=4, readout=Readout.FIRST_SPIKE, seed=31)
WIDE = make_network((784, 9, 3), steps=3, readout=Readout.SUMMED_POTENTIAL, seed=32)
DESIGN = Design.for_networks([SMALL, WIDE], [Fold(lanes=8), Fold(lanes=4)])


def stepped():
    return VirtualBoard(DESIGN, divisor=DIVISOR, clock_hz=CLOCK, stepped=True)


def assert_golden(found, network, images):
    golden = run(network, images)
    assert found.winners.tolist() == golden.winners.tolist()
    assert found.scores.tolist() == golden.scores.tolist()


@pytest.mark.parametrize(("network", "count", "payload"), [(SMALL, 60, 0.8), (WIDE, 12, 0.9)])
def test_the_line_is_full_in_a_batch(network, count, payload):
    images = images_for(network, count=count, seed=7)
    found = measure_link(network, images, DESIGN, clock_hz=CLOCK, baud=BAUD)
    assert found.winners.tolist() == run(network, images).winners.tolist()
    assert found.line >= 0.9
    assert found.payload >= payload
    assert found.repeated == 0
    # One after another, the line waits for the host.
    slow = measure_link(network, images[:8], DESIGN, clock_hz=CLOCK, baud=BAUD, window=1)
    assert slow.line < found.line - 0.03


def test_a_host_that_seldom_looks_still_fills_the_line():
    images = images_for(SMALL, count=150, seed=7)
    # 15 samples, which the board's buffer holds, are 170,000 cycles on the line.
    pace = {"clock_hz": CLOCK, "baud": BAUD, "turnaround": 250_000}
    wide = measure_link(SMALL, images, DESIGN, **pace)
    assert wide.repeated == 0
    assert wide.line > 1.15 * measure_link(SMALL, images, DESIGN, window=15, **pace).line


class Lossy(SteppedTransport):
    """Some bytes are lost, doubled or changed on their way."""

    def __init__(self, board, *, seed):
        super().__init__(board, baud=BAUD)
        self._rng = np.random.default_rng(seed)
        self.share = 0.0

    def _spoilt(self, line):
        out = bytearray()
        for byte in line:
            chance = self._rng.random() / max(self.share, 1e-9)
            if chance < 1:
                byte ^= 1 << int(self._rng.integers(8))
            out += bytes([byte] * (0 if 1 <= chance < 2 else 2 if 2 <= chance < 3 else 1))
        return bytes(out)

    def write(self, message):
        super().write(self._spoilt(message))

    def read(self, timeout):
        return self._spoilt(super().read(timeout))


@pytest.mark.parametrize("seed", range(2))
def test_batches_survive_a_bad_line(seed):
    images = images_for(SMALL, count=40, seed=7)
    with stepped() as board, Device(Lossy(board, seed=seed), retries=20, timeout=0.1) as device:
        device.load(SMALL)
        device.transport.share = 0.0005
        done = []
        found = device.classify(images, progress=lambda count, total: done.append(count))
        assert device.repeated > 0
        assert done == list(range(1, 41))
        assert_golden(found, SMALL, images)


def test_the_fastest_speed_that_works_is_found():
    images = images_for(SMALL, count=3, seed=7)
    with stepped() as board:
        with Device(board.connect(), timeout=0.2) as device:
            device.load(SMALL)
            assert device.raise_speed() == 921600
            assert device.status().divisor == 2
            assert_golden(device.classify(images), SMALL, images)
        # Closed, the line is as it was found, and the network is still there.
        with Device(board.connect(), timeout=0.2) as device:
            assert device.status().divisor == DIVISOR
            assert device.status().state is LoadState.ACTIVE
            assert device.raise_speed(most=300_000) == 230400
            assert_golden(device.classify(images), SMALL, images)


class Weak(SteppedTransport):
    """A line that spoils one byte in a hundred where it is faster than it can be."""

    def read(self, timeout):
        received = bytearray(super().read(timeout))
        if self.baud > 230400:
            received[50::100] = bytes(len(received[50::100]))
        return bytes(received)


def test_speeds_that_fail_the_self_test_are_left():
    images = images_for(SMALL, count=3, seed=7)
    with stepped() as board, Device(Weak(board, baud=BAUD), timeout=0.2) as device:
        device.load(SMALL)
        assert device.raise_speed() == 230400
        assert device.status().divisor == 8
        assert_golden(device.classify(images), SMALL, images)


def test_a_board_left_at_another_speed_is_woken():
    with stepped() as board:
        first = Device(board.connect(), timeout=0.2)
        first.raise_speed()
        # Its host is gone without a word; the next one talks at the usual speed.
        line = board.connect()
        line.set_baud(BAUD)
        with Device(line, timeout=0.2, retries=0) as device:
            with pytest.raises(DeviceError):
                device.read_registers(0, 1)
            wake(device)
            assert device.status().divisor == DIVISOR


def test_speeds_that_the_board_refuses():
    with stepped() as board, Device(board.connect(), timeout=0.2) as device:
        for divisor in (0, 1, DIVISOR + 1):
            with pytest.raises(DeviceError, match="The board refused the request: value"):
                device.write_register(register_address("link"), divisor)
        device.clear_errors()
        device.transport.baud = None
        with pytest.raises(DeviceError, match="has no speed that could be changed"):
            device.raise_speed()


def test_several_boards_share_a_batch_and_one_loses_its_power():
    images = images_for(SMALL, count=60, seed=7)
    boards = [VirtualBoard(DESIGN, divisor=DIVISOR, clock_hz=CLOCK) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        for board in boards:
            stack.enter_context(board)
        # As a serial port, so that the speed of the terminal is used.
        lines = [SerialTransport(board.path, baud=BAUD) for board in boards]
        devices = [stack.enter_context(Device(line, timeout=10.0)) for line in lines]
        for device in devices:
            device.load(SMALL)
            assert device.raise_speed() == 921600
        assert_golden(classify_on(devices, images), SMALL, images)
        shares = [device.status().samples for device in devices]
        assert sum(shares) == len(images)
        assert min(shares) > 0

        failures = []

        def cut(done, _total):
            if done == 10:
                boards[0].close()

        found = classify_on(
            devices,
            images,
            progress=cut,
            on_failure=lambda device, error: failures.append((device, error)),
        )
        assert_golden(found, SMALL, images)
        assert [device for device, _ in failures] == devices[:1]
        assert isinstance(failures[0][1], LinkError)
        devices[0].transport.baud = None  # nothing to bring back


def test_paced_lines_wait_in_simulated_time():
    with stepped() as board:
        line = PacedTransport(board, baud=BAUD, turnaround=1000)
        assert line.read(0.01) == b""
        assert 0.01 <= line.time() < 0.01 + 1000 / CLOCK + 1e-9


def make_events(*counts, size, until):
    """Samples of random events on a square sensor."""
    rng, total = np.random.default_rng(6), sum(counts)
    return Events(
        t=np.concatenate([np.sort(rng.integers(0, until, count)) for count in counts]),
        x=rng.integers(0, size, total),
        y=rng.integers(0, size, total),
        p=rng.integers(0, 2, total),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )


def event_system(*, size, hidden, steps):
    """A network of events in steps of 50 us, and a board with a gateware for it."""
    encoding = EventEncoding(
        width=size, height=size, crop_width=size, crop_height=size, shift=1, bin_us=50, steps=steps
    )
    network = make_stepwise((encoding.features, hidden, 10), seed=24, encoding=encoding)
    folds = [Fold(lanes=1), Fold(lanes=1)]
    design = Design.for_networks([network], folds, sample_input="events", step_results=True)
    return network, VirtualBoard(design, divisor=DIVISOR, clock_hz=CLOCK, stepped=True)


def test_answers_after_steps_belong_to_a_sample_not_to_its_parts():
    network, board = event_system(size=9, hidden=6, steps=30)
    samples = make_events(400, 0, 150, 3, size=9, until=1500)  # 62 fit in a part
    golden, told = run(network, samples), []
    with board, Device(board.connect(), timeout=0.2) as device:
        device.load(network)
        device.choose(step_results=1)
        found = device.classify(
            samples, on_answer=lambda sample, answer, _: told.append((sample, answer))
        )
        assert device.repeated == 0
    assert found.winners.tolist() == golden.winners.tolist()
    assert found.running_scores.tolist() == golden.running_scores.tolist()
    assert told == [(sample, step) for sample in range(4) for step in range(30)]


def test_an_accelerator_of_events_slower_than_its_line_loses_few_parts():
    network, board = event_system(size=34, hidden=112, steps=1000)
    samples = make_events(1500, size=34, until=50_000)
    with board, Device(board.connect(), timeout=1.0) as device:
        device.load(network)
        assert device.raise_speed() == 921600
        before = device.repeated
        found = device.classify(samples)
        # Parts that are under way when the first is lost; 28 if as many stayed under way.
        assert 0 < device.repeated - before < 16
    assert found.scores.tolist() == run(network, samples).scores.tolist()
