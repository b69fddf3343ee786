# SPDX-License-Identifier: Apache-2.0
import dataclasses
import random
import zlib

import numpy as np
import pytest

from firmware.image import device_image
from hw.design.design import Design, Fold
from hw.formats.image_layout import ImageHeader, ImageLayer, LoadError, LoadState
from hw.formats.structures import byte_span
from hw.formats.write_target import write_targets
from hw.loading.loader import Loader
from model.description import LatencyEncoding, Layer, Network
from model.encoding import RateEncoding
from tests.hw.streams import plain, put, run
from tests.series import make_parallel, make_recurrent
from tests.stepwise import make_network


def network(sizes=(9, 7, 3), steps=6, seed=1):
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (neurons, fan_in)), rng.integers(-2, 5, neurons))
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(range(255, 255 - steps, -1))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers))


NETWORK, SMALLER = network(), network(sizes=(5, 2, 2), steps=3, seed=2)
DESIGN = Design.for_networks(
    [NETWORK, SMALLER],
    [Fold(lanes=3, inputs_per_cycle=4, times_per_cycle=1), Fold(lanes=5)],
    pixels_per_cycle=4,
)
IMAGE = device_image(NETWORK, DESIGN)


def field(name):
    """Offset of a field of the header."""
    return byte_span(ImageHeader, name).start


def layer_field(layer, name):
    """Offset of a field of a layer's entry."""
    return 24 + 8 * layer + byte_span(ImageLayer, name).start


def with_crc(image):
    """The image with the CRC that it should have."""
    return bytes(image[:-4]) + zlib.crc32(bytes(image[:-4])).to_bytes(4, "little")


def altered(place, value, size=2):
    """The image with another number somewhere, and a right CRC."""
    image = bytearray(IMAGE)
    image[place : place + size] = value.to_bytes(size, "little")
    return with_crc(image)


def loaded(images, *, stall=0.0, lasts=None, design=DESIGN):
    """Load images one after the other; returns what was held after each, and the rows written."""
    dut = Loader(design=design)
    held, rows, row = [], {}, bytearray()

    async def source(ctx):
        for index, image in enumerate(images):
            beats = [
                {"data": byte, "last": place == len(image) - 1} for place, byte in enumerate(image)
            ]
            if lasts is not None:
                beats[-1]["last"] = lasts[index]
            await put(ctx, dut.i, beats[:30], random.Random(1), stall)
            await ctx.tick()
            assert not ctx.get(dut.running)
            await put(ctx, dut.i, beats[30:], random.Random(2), stall)
            await ctx.tick().repeat(2)
            held.append((ctx.get(dut.state), ctx.get(dut.error), ctx.get(dut.fingerprint)))
            if ctx.get(dut.running):
                held[-1] += (plain(ctx.get(dut.config)), ctx.get(dut.sample_values))

    async def writes(ctx):
        port = (dut.write_valid, dut.write_target, dut.write_row, dut.write_end, dut.write_data)
        async for _, _, valid, target, number, end, byte in ctx.tick().sample(*port):
            if valid:
                row.append(byte)
            if valid and end:
                rows[target, number] = bytes(row)
                row.clear()

    run(dut, source, background=[writes])
    return held, rows


def active(network):
    """What the loader holds when a network is active."""
    layers = [
        {"neurons": layer.neurons, "blocks": -(-layer.neurons // room.lanes)}
        for layer, room in zip(network.layers, DESIGN.layers, strict=True)
    ]
    config = {"steps": network.steps, "readout": 0, "layers": layers}
    return LoadState.ACTIVE, LoadError.NONE, network.fingerprint(), config, network.features


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_every_row_goes_where_the_image_says(stall):
    held, rows = loaded([IMAGE], stall=stall)
    assert held == [active(NETWORK)]
    place = 24 + 8 * 2
    expected = {}
    for intensity in range(256):
        expected[0, intensity] = IMAGE[place : place + 2]
        place += 2
    for target, (layer, room) in enumerate(zip(NETWORK.layers, DESIGN.layers, strict=True), 1):
        for number in range(-(-layer.neurons // room.lanes) * room.rows_per_block):
            expected[target, number] = IMAGE[place : place + room.row_bytes]
            place += room.row_bytes
    assert place == len(IMAGE) - 4
    assert rows == expected


def test_a_smaller_network_and_then_the_large_one_again():
    images = [IMAGE, device_image(SMALLER, DESIGN), IMAGE]
    held, _ = loaded(images)
    assert held == [active(NETWORK), active(SMALLER), active(NETWORK)]


@pytest.mark.parametrize("seed", range(6))
def test_memories_of_stepwise_networks(seed):
    sampled, rates = seed == 2, seed in (3, 4)
    large = make_network(
        (7, 5 + seed, 3),
        seed=seed,
        kind="spike-response" if seed % 2 else "lif",
        members=(1, 3, 1, 2, 4, 3)[seed],
        sampled=sampled,
        encoding=RateEncoding(steps=9, phase=101) if rates else None,
    )
    small = dataclasses.replace(
        large,
        layers=tuple(
            dataclasses.replace(layer, weights=layer.weights[: 1 + index])
            for index, layer in enumerate(large.layers)
        ),
    )
    folds = [Fold(lanes=2 + 2 * (seed % 3), times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]
    design = Design.for_networks([large], folds, **({"members": 3} if sampled else {}))
    for network in (large, small):
        held, rows = loaded([device_image(network, design)], design=design)
        state, error, fingerprint, config, features = held[0]
        assert (state, error) == (LoadState.ACTIVE, LoadError.NONE)
        assert (fingerprint, features) == (network.fingerprint(), network.features)
        assert config["members"] == network.members
        assert config.get("phase", 101) == 101
        blocks = [-(-layer.neurons // room.lanes) for layer, room in pairs(network, design)]
        assert [layer["blocks"] for layer in config["layers"]] == blocks
        assert rows == expected_rows(network, design)


def pairs(network, design):
    return list(zip(network.layers, design.layers, strict=True))


def expected_rows(network, design):
    """Rows of weights and thresholds, written down from the description of their places alone."""
    rows = {}
    if design.has_table:
        for intensity, step in enumerate(network.encoding.table()):
            row = 0xFFFF if step == network.steps else int(step)
            rows[0, intensity] = row.to_bytes(2, "little")
    count = len(design.layers)
    for index, (layer, room) in enumerate(pairs(network, design)):
        lanes, width, update = room.lanes, room.inputs_per_cycle, room.updates_per_cycle
        blocks = -(-layer.neurons // lanes)
        for member in range(network.members if room.members > 1 else 1):
            signs = layer.signs(member if layer.members > 1 else 0) > 0
            masks = [signs]
            if room.sampled:
                masks.append(
                    np.unpackbits(
                        layer.undecided, axis=1, count=layer.fan_in, bitorder="little"
                    ).astype(bool)
                )
            for block in range(blocks):
                for group in range(room.groups):
                    value = 0
                    for half, mask in enumerate(masks):
                        for lane in range(lanes):
                            for bit in range(width):
                                line = group * width + bit
                                neuron = min(block * lanes + lane, layer.neurons - 1)
                                if line < layer.fan_in and mask[neuron, line]:
                                    value |= 1 << (half * lanes * width + lane * width + bit)
                    place = member * room.rows_per_member + block * room.rows_per_block + group
                    rows[1 + index, place] = value.to_bytes(room.row_bytes, "little")
        size = -(-room.threshold_row_bits // 8)
        for first in range(0, blocks * lanes, update):
            value = 0
            for place in range(update):
                neuron = min(first + place, layer.neurons - 1)
                threshold = int(layer.thresholds[neuron]) % (1 << room.threshold_bits)
                value |= threshold << (place * room.threshold_bits)
            rows[1 + count + index, first // update] = value.to_bytes(size, "little")
    return rows


@pytest.mark.parametrize("is_recurrent", [False, True])
def test_memories_of_series(is_recurrent):
    network = (make_recurrent if is_recurrent else make_parallel)(seed=4, order=5, channels=2)
    memory = network.memory
    larger = dataclasses.replace(
        network,
        memory=dataclasses.replace(memory, input_shift=memory.input_shift + 2, input_scale=9),
    )
    design = Design.for_networks([network, larger], [Fold(lanes=2), Fold(lanes=3)])
    image = device_image(network, design)
    held, rows = loaded([image], design=design)
    state, error, fingerprint, config, values = held[0]
    assert (state, error) == (LoadState.ACTIVE, LoadError.NONE)
    assert (fingerprint, values) == (network.fingerprint(), network.sample_values)
    assert config["memory"] == {
        "order": memory.order,
        "channels": memory.channels,
        "states": memory.states,
        "input_scale": memory.input_scale << 2,
        "zero": network.encoding.zero,
        "reads": memory.reads,
    }
    if is_recurrent:
        encoding = network.encoding
        assert config["series"] == {"channels": encoding.channels, "shift": encoding.shift}
    for target in write_targets(design)[4:]:
        found = [
            int.from_bytes(rows[target.number, row], "little")
            for row in range(sum(number == target.number for number, _ in rows))
        ]
        wanted = {
            "coefficients": memory.coefficients.tolist(),
            "emission shifts": memory.emission_shifts.tolist(),
        }
        if is_recurrent:
            signs = network.encoder.signs(0) > 0
            channels = 1 << np.arange(memory.channels)
            wanted["encoder weights"] = (signs.T @ channels).tolist()
        assert found == wanted[target.name]


BAD = {
    LoadError.MAGIC: [altered(field("magic") + k, 0x21, 1) for k in range(4)],
    LoadError.VERSION: [altered(field("version"), 1, 1), altered(field("version"), 0, 1)],
    LoadError.READOUT: [altered(field("readout"), 1, 1), altered(field("readout"), 255, 1)],
    LoadError.STEPS: [altered(field("steps"), value) for value in (0, 7, 256 + 6, 65535)],
    LoadError.FEATURES: [altered(field("features"), value) for value in (0, 10, 256 + 9)],
    LoadError.CLASSES: [
        *(altered(field("classes"), value) for value in (0, 4, 2, 256 + 3)),
        *(altered(layer_field(1, "neurons"), value) for value in (0, 2, 4, 256 + 3)),
    ],
    LoadError.MEMBERS: [altered(field("members"), value, 1) for value in (0, 2, 255)],
    LoadError.ENCODING: [altered(field("encoding"), value, 1) for value in (1, 2)],
    LoadError.LAYERS: [altered(field("layers"), value, 1) for value in (0, 1, 3)],
    LoadError.NEURONS: [altered(layer_field(0, "neurons"), value) for value in (0, 8, 256 + 7)],
    LoadError.LENGTH: [
        *(with_crc(IMAGE[:size]) for size in (39, 40, 41, 100, 552, 553, len(IMAGE) - 1)),
        with_crc(IMAGE + b"\0"),
        IMAGE + b"\0",
        altered(layer_field(0, "neurons"), 6),
    ],
    LoadError.CRC: [
        *(
            bytes([*IMAGE[:k], IMAGE[k] ^ 1, *IMAGE[k + 1 :]])
            for k in (12, 21, 44, 554, len(IMAGE) - 5)
        ),
        IMAGE[:-1] + bytes([IMAGE[-1] ^ 0x80]),
    ],
}


@pytest.mark.parametrize("error", list(BAD), ids=lambda error: error.name)
def test_images_that_are_refused(error):
    held, _ = loaded([IMAGE, *BAD[error], IMAGE])
    assert [entry[:2] for entry in held[1:-1]] == [(LoadState.NONE, error)] * len(BAD[error])
    assert [held[0], held[-1]] == [active(NETWORK)] * 2


def test_the_rest_of_a_refused_image_is_swallowed_up_to_its_end():
    bad = altered(field("version"), 9, 1)
    held, _ = loaded([bad, IMAGE, IMAGE], lasts=[0, 1, 1])
    assert held[0][:2] == held[1][:2] == (LoadState.NONE, LoadError.VERSION)
    assert held[2] == active(NETWORK)
