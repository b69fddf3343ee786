# SPDX-License-Identifier: Apache-2.0
"""The whole way: driver, terminal, UART pins, frames, loader, core; equal to the golden model."""

import dataclasses
import os
import time

import numpy as np
import pytest

from firmware.driver import Device, DeviceError
from firmware.image import device_image
from firmware.link import Frame, encode_frame
from firmware.transport import LinkError
from hw.design.design import CapacityError, Design, Fold
from hw.formats.image_layout import LoadState
from hw.formats.register_map import register_address
from hw.formats.structures import pack
from hw.link.packets import FrameType, LoadBegin, LoadData
from hw.times.schedule import schedule
from model.description import LatencyEncoding, Layer, Network, Readout
from model.encoding import EventEncoding, RateEncoding
from model.events import Events
from model.golden import probabilities, run
from sim.verilator import ToolError
from sim.virtual_board import VirtualBoard, main
from tests.stepwise import make_network


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
    found, golden = device.classify(images, window=1), run(network, images)
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
        other.close()
        with pytest.raises(LinkError):
            device.status()
    other.close()
    assert not os.path.exists(path)
    # Power comes back: no network, and all is well after a load. The cache makes it quick.
    begin = time.monotonic()
    with other, Device(other.connect(), timeout=5.0) as device:
        assert time.monotonic() - begin < 10
        assert device.status().state is LoadState.NONE
        device.load(FIRST)


COMMITTEE = make_network((12, 6, 3), seed=21, kind="spike-response", members=3)
STEP_FOLDS = [Fold(lanes=3), Fold(lanes=3)]


def smaller_committee():
    """Another network of the same kind: fewer inputs, neurons and members."""
    small = make_network((9, 4, 2), seed=22, kind="spike-response", members=2)
    layers = [
        dataclasses.replace(layer, dynamics=large.dynamics)
        for layer, large in zip(small.layers, COMMITTEE.layers, strict=True)
    ]
    return dataclasses.replace(small, layers=tuple(layers), inverse_temperature=0.25)


@pytest.fixture(scope="module")
def committee_board():
    networks = [COMMITTEE, smaller_committee()]
    design = Design.for_networks(networks, STEP_FOLDS, step_results=True)
    with VirtualBoard(design) as board:
        yield board


def assert_committee(device, network, images, **chosen):
    """Classes, votes, scores, and the measured cycles, of the members that were chosen."""
    found, golden = device.classify(images, window=1), run(network, images, **chosen)
    assert found.winners.tolist() == golden.winners.tolist()
    assert found.votes.tolist() == golden.votes.tolist()
    assert found.scores.tolist() == golden.scores.tolist()
    assert found.members == golden.members
    agree = golden.votes.numpy()[np.arange(len(images)), golden.winners.numpy()]
    assert found.confidences.tolist() == (agree / golden.members).tolist()
    assert np.allclose(found.probabilities, probabilities(network, golden).numpy())
    # Answers after every step wait for the link, and what is behind them waits, too.
    for index in range(len(images) if found.running_winners is None else 0):
        spikes = [golden.input_spikes[index : index + 1].numpy()]
        spikes += [layer[:, index : index + 1].numpy() for layer in golden.spikes]
        alone = schedule(device.design, network, spikes, members=golden.members)
        assert found.cycles[index] == alone.samples[0].latency
    return found, golden


def test_committees_one_after_the_other(committee_board):
    with Device(committee_board.connect(), timeout=5.0) as device:
        for network in (COMMITTEE, smaller_committee(), COMMITTEE):
            device.load(network)
            images = images_for(network)
            assert_committee(device, network, images)
            device.choose(members=1)
            assert_committee(device, network, images, members=1)
        device.choose(members=1, step_results=True)
        found, golden = assert_committee(device, COMMITTEE, images, members=1)
        assert found.running_winners.tolist() == golden.running_winners.tolist()
        assert found.running_scores.tolist() == golden.running_scores.tolist()
        assert device.status().errors == ()


def test_choices_that_are_refused_leave_the_old_one(committee_board):
    with Device(committee_board.connect(), timeout=5.0) as device:
        device.load(smaller_committee())
        with pytest.raises(CapacityError, match="Members must be at most the 2 that the network"):
            device.choose(members=3)
        with pytest.raises(ValueError, match="Members must be at least 1, not 0"):
            device.choose(members=0)
        with pytest.raises(CapacityError, match="Answers after every step must be of 1 member"):
            device.choose(members=2, step_results=True)
        with pytest.raises(CapacityError, match="Seed must be absent for a gateware that draws no"):
            device.choose(seed=3)
        # A host that does not look first is refused by the board.
        with pytest.raises(DeviceError, match="The board refused the request: members"):
            device.write_register(register_address("committee"), 3)
        other = make_network((9, 4, 2), seed=22, kind="lif", members=2)
        with pytest.raises(CapacityError, match="Neuron kind of layer 0 must be spike-response"):
            device.load(other)
        leaky = dataclasses.replace(COMMITTEE.layers[0].dynamics, membrane_shift=9)
        layers = (dataclasses.replace(COMMITTEE.layers[0], dynamics=leaky), COMMITTEE.layers[1])
        with pytest.raises(CapacityError, match="Membrane shift of layer 0 must be"):
            device.load(dataclasses.replace(COMMITTEE, layers=layers))
        image = device_image(smaller_committee(), device.design)
        images = images_for(smaller_committee(), count=1)
        assert_committee(device, smaller_committee(), images)
        # From here on the old network is gone: an image is all or nothing.
        with pytest.raises(DeviceError, match=r"The board refused the request: image \(length\)"):
            device.load_image(image[: len(image) // 2])
        assert device.status().state is LoadState.NONE
        device.load(smaller_committee())
        assert_committee(device, smaller_committee(), images)
        device.clear_errors()


@pytest.mark.slow
def test_drawn_members_on_the_board():
    network = make_network((12, 6, 3), seed=23, sampled=True, encoding=RateEncoding(steps=6))
    design = Design.for_networks([network], STEP_FOLDS, members=3)
    images = images_for(network)
    with VirtualBoard(design) as board, Device(board.connect(), timeout=5.0) as device:
        device.load(network)
        with pytest.raises(DeviceError, match="Members of the network on the board are drawn: a"):
            device.classify(images)
        with pytest.raises(DeviceError, match="The board refused the request: seed"):
            device.request(FrameType.SAMPLE, images[0].tobytes())
        for seed in (1, 77, 2**32 - 1):
            device.choose(members=3, seed=seed)
            assert_committee(device, network, images, members=3, seed=seed)
        with pytest.raises(CapacityError, match="at most the 3 that the gateware was built for"):
            device.choose(members=4)
        with pytest.raises(ValueError, match="Seed must be an integer in 1"):
            device.choose(seed=0)
        device.clear_errors()


@pytest.mark.slow
def test_raw_events_on_the_board():
    encoding = EventEncoding(
        width=9, height=7, crop_width=9, crop_height=7, shift=1, bin_us=100, steps=6
    )
    network = make_network((encoding.features, 6, 3), seed=24, members=2, encoding=encoding)
    design = Design.for_networks([network], STEP_FOLDS, sample_input="events")
    rng = np.random.default_rng(6)
    counts = np.array([300, 0, 4])
    total = int(counts.sum())
    samples = Events(
        t=np.concatenate([np.sort(rng.integers(0, 700, count)) for count in counts]),
        x=rng.integers(0, 9, total),
        y=rng.integers(0, 7, total),
        p=rng.integers(0, 2, total),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )
    with VirtualBoard(design) as board, Device(board.connect(), timeout=5.0) as device:
        device.load(network)
        found, golden = device.classify(samples), run(network, samples)
        assert found.winners.tolist() == golden.winners.tolist()
        assert found.votes.tolist() == golden.votes.tolist()
        assert found.scores.tolist() == golden.scores.tolist()
        with pytest.raises(ValueError, match="Samples must be events for this gateware"):
            device.classify(images_for(network))
        outside = dataclasses.replace(samples, x=samples.x + 1)
        with pytest.raises(ValueError, match="Column of event .* must be below 9, not 9"):
            device.classify(outside)


@pytest.mark.slow
def test_a_weight_memory_of_more_rows_than_16_bits_count():
    deep = network(3, (784, 90, 4), 2)
    design = Design.for_networks([deep], [Fold(lanes=1)] * 2)
    assert design.layers[0].rows > 1 << 16
    images = images_for(deep, count=3)
    with VirtualBoard(design) as board, Device(board.connect(), timeout=20.0) as device:
        device.load(deep)
        found, golden = device.classify(images), run(deep, images)
        assert found.winners.tolist() == golden.winners.tolist()
        assert found.scores.tolist() == golden.scores.tolist()


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
