# SPDX-License-Identifier: Apache-2.0
import dataclasses
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.design.design import Design, Fold
from hw.formats.capacity_words import EventWords
from hw.formats.design_words import design_from_words, design_words, max_layers
from hw.formats.register_map import (
    EVENT_BASE,
    LAYER_BASE,
    LAYER_STRIDE,
    REGISTERS,
    BootState,
    register_address,
    register_rows,
)
from hw.formats.structures import size_of
from hw.loading.registers import Registers
from model.description import EventEncoding
from tests.hw.designs import two_layers
from tests.hw.refused import refused
from tests.hw.streams import run
from tests.stepwise import make_network, stepwise_designs, stepwise_networks
from tests.strategies import designs, networks


@given(st.data())
def test_a_design_is_rebuilt_from_its_registers(data):
    network = data.draw(networks())
    design = data.draw(designs(network))
    words = design_words(design)
    assert all(0 <= value < 1 << 32 for value in words.values())
    assert design_from_words(lambda address: words.get(address, 0)) == design


def stepwise_design(network, **fields):
    """Smallest design with two lanes."""
    return Design.for_networks([network], [Fold(lanes=2) for _ in network.layers], **fields)


@given(st.data())
def test_a_stepwise_design_is_rebuilt_from_its_registers(data):
    design = data.draw(stepwise_designs(data.draw(stepwise_networks())))
    words = design_words(design)
    assert design_from_words(lambda address: words.get(address, 0)) == design


def test_every_option_of_a_stepwise_design_is_told():
    encoding = EventEncoding(
        width=4096,
        height=34,
        left=4000,
        top=2,
        crop_width=96,
        crop_height=30,
        shift=5,
        merge_polarity=True,
        bin_us=1 << 30,
        steps=65535,
    )
    network = make_network((3, 16, 2), seed=1, encoding=encoding)
    folds = [Fold(lanes=16), Fold(lanes=2)]
    for fields in ({"sample_input": "events"}, {"sample_input": "words"}):
        design = Design.for_networks(
            [network],
            folds,
            step_results=True,
            members=255,
            weight_memory="spram",
            **fields,
        )
        design = dataclasses.replace(design, layers=(design.layers[0], design.layers[1]))
        words = design_words(design)
        assert design_from_words(lambda address, words=words: words.get(address, 0)) == design
    with pytest.raises(ValueError, match="Members must be at most 255, not 256"):
        design_words(dataclasses.replace(design, members=256))


@pytest.mark.parametrize("early_stop", [False, True])
@pytest.mark.parametrize("banks", [1, 2])
def test_every_option_of_a_design_is_told(early_stop, banks):
    design = two_layers(
        folds=((16, 2, 1), (4, 1, 1)),
        early_stop=early_stop,
        store_banks=banks,
        weight_memory="spram",
        pixels_per_cycle=4,
    )
    words = design_words(design)
    assert design_from_words(lambda address: words.get(address, 0)) == design


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("magic", 0, "Register magic must be 0x4b505350, not 0x00000000"),
        ("protocol", 1, "Protocol version must be 4, not 1"),
        (
            "design_hash",
            1,
            r"Design hash must be 0x[0-9a-f]{8}, not 0x00000001: this gateware was ",
        ),
    ],
)
def test_registers_of_something_else(name, value, text):
    words = design_words(two_layers()) | {register_address(name): value}
    with pytest.raises(ValueError, match=text):
        design_from_words(lambda address: words.get(address, 0))


def test_too_many_layers_for_the_window():
    layer = two_layers().layers[0]
    layer = dataclasses.replace(layer, fan_in=4, neurons=4)
    design = Design(layers=(layer,) * 12, steps=4)
    text = refused(Registers, ValueError, design=design)
    assert text == "Layers must number at most 8, not 12"


def test_addresses_do_not_meet():
    addresses = [register.address for register in REGISTERS]
    single = two_layers()
    stepwise = stepwise_design(make_network((4, 3, 2), seed=1))
    assert (max_layers(single), max_layers(stepwise)) == (8, 4)
    ends = LAYER_BASE + 8 * LAYER_STRIDE, LAYER_BASE + 4 * 2 * LAYER_STRIDE
    event_words = list(range(EVENT_BASE, EVENT_BASE + size_of(EventWords), 4))
    for here in (
        addresses + list(range(LAYER_BASE, ends[0], 4)),
        addresses + list(range(LAYER_BASE, ends[1], 4)) + event_words,
    ):
        assert len(set(here)) == len(here)
        assert all(address % 4 == 0 and 0 <= address < 256 for address in here)
    assert len(register_rows()) == len(REGISTERS) + 4


def test_window_shows_design_state_and_counters():
    design = two_layers(folds=((4, 2, 1), (4, 1, 1)))
    dut = Registers(design=design, clock_hz=12_000_000, board="icebreaker")

    async def bench(ctx):
        async def read(name):
            ctx.set(dut.bus.address, register_address(name))
            await ctx.tick()
            return ctx.get(dut.bus.read_data)

        for address in range(0, 256, 4):
            ctx.set(dut.bus.address, address)
            await ctx.tick()
            if address in design_words(design):
                assert ctx.get(dut.bus.read_data) == design_words(design)[address]
        assert await read("clock_hz") == 12_000_000
        assert await read("fingerprint") == 0
        ctx.set(dut.fingerprint, 0x12345678)
        assert await read("fingerprint") == 0
        ctx.set(dut.running, 1)
        assert await read("fingerprint") == 0x12345678
        ctx.set(dut.state, 2)
        ctx.set(dut.load_error, 3)
        assert await read("status") == 0x0302
        ctx.set(dut.sample_values, 9)
        ctx.set(dut.config, {"steps": 3, "readout": 2, "layers": [{}, {"neurons": 4}]})
        assert await read("network_size") == 0x00040009
        assert await read("network") == 0x00020003
        assert await read("board") == zlib.crc32(b"icebreaker")
        ctx.set(dut.link, {"divisor": 8, "built": 208})
        assert await read("link") == 208 << 16 | 8
        ctx.set(dut.boot, {"slot": 0xFF, "slots": 4, "state": BootState.BUSY, "resident": 1})
        assert await read("boot") == 0x010104FF
        first = await read("cycles")
        assert await read("cycles") == first + 1
        ctx.set(dut.sample_done, 1)
        ctx.set(dut.input_spikes, 2)
        ctx.set(dut.hidden_spikes, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.sample_done, 0)
        ctx.set(dut.input_spikes, 0)
        ctx.set(dut.hidden_spikes, 0)
        assert [await read(name) for name in ("samples", "input_spikes", "hidden_spikes")] == [
            5,
            10,
            5,
        ]

    run(dut, bench)


def test_error_flags_stay_until_they_are_cleared():
    dut = Registers(design=two_layers())

    async def bench(ctx):
        async def write(name, value):
            ctx.set(dut.bus.address, register_address(name))
            ctx.set(dut.bus.write_data, value)
            ctx.set(dut.bus.write, 1)
            dropped = ctx.get(dut.drop)
            await ctx.tick()
            ctx.set(dut.bus.write, 0)
            return dropped

        async def flags():
            ctx.set(dut.bus.address, register_address("errors"))
            await ctx.tick()
            return ctx.get(dut.bus.read_data)

        for flag in ("line", "frame", "request"):
            ctx.set(dut.errors, {flag: 1})
            await ctx.tick()
        ctx.set(dut.errors, {})
        assert await flags() == 0b10101
        assert not await write("errors", 0b00101)
        assert await flags() == 0b10000
        assert not await write("cycles", 0xFFFFFFFF)
        assert not await write("control", 0xFFFFFFFE)
        assert await flags() == 0b10000
        assert await write("control", 1)

    run(dut, bench)
