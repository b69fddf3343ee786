# SPDX-License-Identifier: Apache-2.0
"""The whole way: driver, terminal, UART pins, frames, loader, core; equal to the golden model."""

import os
import time

import numpy as np
import pytest

from firmware.driver import Device, DeviceError
from firmware.image import device_image
from firmware.link import Frame, encode_frame
from firmware.transport import LinkError
from hw.design import CapacityError, Design, Fold
from hw.image_layout import LoadState
from hw.link.packets import FrameType, LoadBegin, LoadData
from hw.schedule import schedule
from hw.structures import pack
from model.description import LatencyEncoding, Layer, Network, Readout
from model.golden import run
from sim.verilator import ToolError
from sim.virtual_board import VirtualBoard, main


def network(seed, sizes, steps, readout=Readout.FIRST_SPIKE):
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(
            np.where(rng.random((neurons, fan_in)) < 0.5, 1, -1), rng.integers(1, 4, neurons)
        )
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(sorted(rng.integers(1, 256, steps).tolist(), reverse=True))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers), readout=readout)


FIRST = network(1, (30, 14, 5), 9)
SECOND = network(2, (21, 9, 4), 6, Readout.SUMMED_POTENTIAL)
TOO_LARGE = network(3, (30, 15, 5), 9)
DESIGN = Design.for_networks(
    [FIRST, SECOND],
    [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=5)],
    pixels_per_cycle=2,
)


@pytest.fixture(scope="module")
def board():
    with VirtualBoard(DESIGN) as board:
        yield board


@pytest.fixture
def device(board):
    # Simulated time runs at the pace that the machine allows.
    with Device(board.connect(), timeout=5.0) as device:
        yield device


def images_for(network, count=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, network.features), dtype=np.uint8)


def assert_golden(device, network, images):
    """The board says what the golden model says, in as many cycles as the schedule says."""
    found, golden = device.classify(images), run(network, images)
    assert found.winners.tolist() == golden.winners.tolist()
    assert found.decision_steps.tolist() == golden.decision_steps.tolist()
    assert found.scores.tolist() == golden.scores.tolist()
    if network.readout is Readout.FIRST_SPIKE:
        assert found.spike_steps.tolist() == golden.spike_steps[-1].tolist()
    for index in range(len(images)):
        times = [golden.input_steps, *golden.spike_steps]
        alone = schedule(DESIGN, network, [each[index : index + 1].numpy() for each in times])
        assert found.cycles[index] == alone.samples[0].latency


def test_two_networks_one_after_the_other(device):
    assert device.design == DESIGN
    for network in (FIRST, SECOND, FIRST):
        device.load(network)
        status = device.status()
        assert (status.state, status.fingerprint) == (LoadState.ACTIVE, network.fingerprint())
        assert_golden(device, network, images_for(network))
    assert device.status().errors == ()


def test_counters(device):
    device.load(FIRST)
    before = device.status()
    images = images_for(FIRST, count=3, seed=1)
    device.classify(images)
    after, golden = device.status(), run(FIRST, images)
    spikes = int((golden.input_steps < FIRST.steps).sum())
    hidden = int((golden.spike_steps[0] < FIRST.steps).sum())
    assert after.samples - before.samples == 3
    assert after.input_spikes - before.input_spikes == spikes
    assert after.hidden_spikes - before.hidden_spikes == hidden
    assert after.cycles > before.cycles


def test_a_network_too_large_leaves_the_old_one(device):
    device.load(FIRST)
    with pytest.raises(CapacityError, match="Neurons of layer 0 must be at most 14, not 15"):
        device.load(TOO_LARGE)
    assert_golden(device, FIRST, images_for(FIRST, count=1))


def test_an_image_of_the_wrong_size_leaves_the_network(device):
    device.load(FIRST)
    with pytest.raises(ValueError, match="Images must have 30 pixels for this network, not 29"):
        device.classify(np.zeros((1, 29), np.uint8))
    with pytest.raises(DeviceError, match="The board refused the request: sample size"):
        device.request(FrameType.SAMPLE, bytes(29))
    assert_golden(device, FIRST, images_for(FIRST, count=1))


@pytest.mark.parametrize("cut", [1, 200, 543])
def test_a_cut_in_mid_load_leaves_no_network_and_a_clean_load_works(board, cut):
    image = device_image(FIRST, DESIGN)
    with Device(board.connect(), timeout=5.0) as device:
        device.load(FIRST)
        device.request(FrameType.LOAD_BEGIN, pack(LoadBegin, length=len(image)))
        device.request(FrameType.LOAD_DATA, pack(LoadData, remaining=len(image)) + image[:cut])
    # The cable is pulled in the middle of a frame, and put in again with some noise.
    body = pack(LoadData, remaining=len(image) - cut) + image[cut : cut + 100]
    with board.connect() as line:
        line.write(encode_frame(Frame(type=FrameType.LOAD_DATA, sequence=1, body=body))[:60])
    with board.connect() as line:
        line.write(bytes(range(256)) + b"\xff\x00\x11")
    with Device(board.connect(), timeout=5.0) as device:
        status = device.status()
        assert (status.state, status.fingerprint) == (LoadState.LOADING, 0)
        with pytest.raises(DeviceError, match="The board has no network; load one first"):
            device.classify(images_for(FIRST))
        device.load(SECOND)
        assert_golden(device, SECOND, images_for(SECOND, count=2))
        device.clear_errors()


def test_a_corrupted_image_is_refused(device):
    image = bytearray(device_image(FIRST, DESIGN))
    image[600] ^= 1
    with pytest.raises(DeviceError, match=r"The board refused the request: image \(crc\)"):
        device.load_image(bytes(image))
    assert device.status().state is LoadState.NONE
    device.load(FIRST)
    assert_golden(device, FIRST, images_for(FIRST, count=1))
    assert device.status().errors == ("load", "request")
    device.clear_errors()


def test_power_loss_and_stopping(board):
    other = VirtualBoard(DESIGN)
    path = other.start()
    with Device(other.connect(), timeout=5.0) as device:
        device.load(FIRST)
        other.stop()
        with pytest.raises(LinkError):
            device.status()
    other.stop()
    assert not os.path.exists(path)
    # Power comes back: no network, and all is well after a load. The cache makes it quick.
    begin = time.monotonic()
    with other, Device(other.connect(), timeout=5.0) as device:
        assert time.monotonic() - begin < 10
        assert device.status().state is LoadState.NONE
        device.load(FIRST)


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match="A C\\+\\+ compiler must be installed"):
        VirtualBoard(DESIGN).start()


def test_command_line(board, tmp_path, capsys, monkeypatch):
    import io
    import json

    path = tmp_path / "design.json"
    path.write_text(json.dumps({"design": DESIGN.to_json()}))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.startswith("/dev/")
