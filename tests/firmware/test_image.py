# SPDX-License-Identifier: Apache-2.0
import dataclasses
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.image import ImageError, device_image, network_from_image
from hw.design.design import CapacityError, Design, Fold
from hw.formats.image_layout import image_rows, max_image_bytes
from model.description import LatencyEncoding, Layer, Network, Readout
from tests.series import parallel_networks, recurrent_networks
from tests.stepwise import make_network, stepwise_designs, stepwise_networks
from tests.strategies import designs, networks


def network(sizes=(6, 4, 3), steps=5):
    rng = np.random.default_rng(3)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (neurons, fan_in)), rng.integers(-2, 4, neurons))
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(range(250, 250 - 20 * steps, -20))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers))


NETWORK = network()
DESIGN = Design.for_networks(
    [NETWORK], [Fold(lanes=2, inputs_per_cycle=2), Fold(lanes=3)], pixels_per_cycle=2
)
IMAGE = device_image(NETWORK, DESIGN)


@given(st.data())
def test_a_network_comes_back_from_its_image(data):
    network = data.draw(networks())
    design = data.draw(designs(network))
    image = device_image(network, design)
    assert len(image) <= max_image_bytes(design)
    back = network_from_image(image, design, encoding=network.encoding)
    assert back.fingerprint() == network.fingerprint()
    assert back.readout is network.readout


@given(st.data())
def test_a_smaller_network_fits_and_comes_back(data):
    large, small = data.draw(networks(max_layers=2)), data.draw(networks(max_layers=2))
    if len(large.layers) != len(small.layers):
        small = large
    folds = [Fold(lanes=data.draw(st.integers(1, 5))) for _ in large.layers]
    design = Design.for_networks([large, small], folds)
    for network in (large, small):
        image = device_image(network, design)
        assert network_from_image(image, design).fingerprint() == network.fingerprint()


@given(st.data())
def test_a_stepwise_network_comes_back_from_its_image(data):
    network = data.draw(stepwise_networks())
    design = data.draw(stepwise_designs(network))
    image = device_image(network, design)
    assert len(image) <= max_image_bytes(design)
    assert network_from_image(image, design).fingerprint() == network.fingerprint()


def test_a_smaller_committee_repeats_what_it_has_one_of():
    large = make_network((9, 5, 3), seed=1, members=3)
    layers = [
        dataclasses.replace(layer, weights=layer.weights[:count])
        for layer, count in zip(large.layers, (2, 1), strict=True)
    ]
    small = dataclasses.replace(large, layers=tuple(layers))
    design = Design.for_networks([large], [Fold(lanes=2), Fold(lanes=3)])
    image = device_image(small, design)
    back = network_from_image(image, design)
    assert back.fingerprint() == small.fingerprint()
    assert [layer.members for layer in back.layers] == [2, 1]
    rows = [layer.rows for layer in design.layers]
    assert rows == [3 * 3 * 9, 3 * 5]
    per_set = 2 * (rows[0] // 3 + rows[1] // 3)  # bytes of two members
    entries = 24 + 2 * 8 + 512
    thresholds = 3 * 2 * design.layers[0].beats // 2 + 3
    assert len(image) == entries + per_set + thresholds + 4
    twice = image[entries + 2 * rows[0] // 3 :][: 2 * rows[1] // 3]
    assert twice[: rows[1] // 3] == twice[rows[1] // 3 :]


def test_bytes_of_an_image_written_down_by_hand():
    signs = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1]])
    layer = Layer.from_signs(signs, np.array([2, -1, 1]))
    network = Network(
        encoding=LatencyEncoding(levels=(200, 100)),
        layers=(layer,),
        readout=Readout.FINAL_POTENTIAL,
    )
    design = Design.for_networks([network], [Fold(lanes=2, inputs_per_cycle=2)], pixels_per_cycle=2)
    assert (design.layers[0].threshold_bits, design.layers[0].planes) == (2, 1)
    image = device_image(network, design)
    header = b"PSPK" + bytes([3, 0, 2, 0, 3, 0, 3, 0])
    header += network.fingerprint().to_bytes(4, "little") + bytes([1, 1] + [0] * 4 + [3, 0])
    entry = bytes([3, 0, 2, 0, 6, 0, 0, 1])
    table = b"\xff\xff" * 100 + b"\x01\x00" * 100 + b"\x00\x00" * 56
    # Start values -2 = 10, 1 = 01, -1 = 11 (lowest bit first: 01, 10, 11); lane 1 of block 1 is a
    # copy of neuron 2. Then inputs 0 and 1 of both lanes, then input 2 and none.
    rows = bytes([0b0110, 0b0001, 0b0101, 0b1111, 0b1111, 0b0101])
    assert image[:-4] == header + entry + table + rows
    assert image[-4:] == zlib.crc32(image[:-4]).to_bytes(4, "little")


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
def test_no_altered_byte_is_taken(place, change):
    image = bytearray(IMAGE)
    image[place] ^= change
    with pytest.raises(ImageError):
        network_from_image(bytes(image), DESIGN)


@given(st.integers(0, len(IMAGE) - 1))
def test_no_truncated_image_is_taken(size):
    with pytest.raises(ImageError):
        network_from_image(IMAGE[:size], DESIGN)


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (0, b"X", "Magic of device image must be b'PSPK', not b'XSPK'"),
        (4, b"\1", "Version of device image must be 3, not 1"),
        (5, b"\1", "Readout of device image must be below 1, not 1"),
        (16, b"\3", "Layers of device image must number 2, not 3"),
        (24, b"\3", r"Blocks of layer 0 of device image must be"),
        (24, b"\5", "Sizes of layer 0 of device image must be at most 6 inputs and 4 neurons"),
        (17, b"\2", "Members of device image must be 1..1, not 2"),
        (18, b"\1", "Encoding of device image must be 0, not 1"),
        (31, b"\0", r"Weight sets of layer 0 of device image must be one of \(1, 1\), not 0"),
        (12, b"\0\0\0\0", r"Fingerprint of device image must be 0x[0-9a-f]{8}, not 0x00000000"),
    ],
)
def test_what_is_wrong_is_named(place, value, text):
    image = bytearray(IMAGE)
    image[place : place + len(value)] = value
    if place == 24 and value == b"\3":  # one block fewer than there are rows
        image[24] = 2
    image[-4:] = zlib.crc32(image[:-4]).to_bytes(4, "little")
    with pytest.raises(ImageError, match=text):
        network_from_image(bytes(image), DESIGN)


def test_lengths_and_checksums_are_named():
    crc = zlib.crc32(IMAGE[:-4])
    with pytest.raises(ImageError) as error:
        network_from_image(IMAGE[:-1], DESIGN)
    text = f"Device image must have {len(IMAGE)} bytes, not {len(IMAGE) - 1}"
    assert str(error.value) == text
    with pytest.raises(ImageError) as error:
        network_from_image(IMAGE[:-4] + b"\0\0\0\0", DESIGN)
    assert str(error.value) == f"CRC-32 of device image must be {crc:#010x}, not 0x00000000"
    with pytest.raises(ImageError) as error:
        network_from_image(b"PSPK", DESIGN)
    assert str(error.value) == "Device image must have at least 28 bytes, not 4"


def test_a_network_too_large_is_refused_with_the_field_named():
    with pytest.raises(CapacityError) as error:
        device_image(network(sizes=(6, 5, 3)), DESIGN)
    assert str(error.value) == "Neurons of layer 0 must be at most 4, not 5"
    other = dataclasses.replace(NETWORK, readout=Readout.SUMMED_POTENTIAL)
    with pytest.raises(CapacityError):
        device_image(other, DESIGN)


def test_fixed_fields_are_listed():
    assert ("ImageHeader", "6..7", "steps") in image_rows()
    assert ("ImageLayer", "0..1", "neurons") in image_rows()


@given(st.data())
def test_a_network_with_a_memory_comes_back_from_its_image(data):
    network = data.draw(parallel_networks())
    lanes = data.draw(st.integers(1, 5))
    folds = [Fold(lanes=lanes) for _ in network.layers]
    memory = network.memory
    # The gateware's input shift is another one than the network's.
    shift = min(24, memory.input_shift + 5)
    larger = dataclasses.replace(
        network, memory=dataclasses.replace(memory, input_shift=shift, input_scale=1)
    )
    design = Design.for_networks(data.draw(st.sampled_from([[network], [network, larger]])), folds)
    image = device_image(network, design)
    assert len(image) <= max_image_bytes(design)
    assert network_from_image(image, design).fingerprint() == network.fingerprint()


@given(st.data())
def test_a_recurrent_network_comes_back_from_its_image(data):
    network = data.draw(recurrent_networks())
    design = Design.for_networks([network], [Fold(lanes=2), Fold(lanes=3)])
    image = device_image(network, design)
    assert len(image) <= max_image_bytes(design)
    assert network_from_image(image, design).fingerprint() == network.fingerprint()
