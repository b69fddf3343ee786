# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.lanes.lane import Lane, lane_latency
from tests.hw.designs import stepwise, two_layers
from tests.hw.streams import run


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_word_changes_the_potential_by_its_signed_sum(width):
    layer = two_layers(folds=((4, width, 1), (4, 1, 1)), potential_bits=10).layers[0]
    dut = Lane(layer=layer)
    assert dut.latency == lane_latency(layer) == (1 if width == 1 else 2)

    async def bench(ctx):
        expected = 0
        for bits in range(1 << width):
            for spikes in range(1 << width):
                ctx.set(dut.bits, bits)
                ctx.set(dut.spikes, spikes)
                await ctx.tick()
                ctx.set(dut.spikes, 0)
                await ctx.tick().repeat(dut.latency)
                for k in range(width):
                    if spikes >> k & 1:
                        expected += 1 if bits >> k & 1 else -1
                assert ctx.get(dut.potential) == expected

    run(dut, bench)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_start_values_are_loaded_digit_by_digit(width):
    design = two_layers(folds=((4, width, 1), (4, 1, 1)), potential_bits=9, threshold_bits=5)
    layer = design.layers[0]
    dut = Lane(layer=layer)
    rng = random.Random(width)

    async def bench(ctx):
        for start in [*range(-16, 16), *(rng.randint(-16, 15) for _ in range(10))]:
            for plane in range(layer.planes):
                shift = width * (layer.planes - 1 - plane)
                ctx.set(dut.bits, (start >> shift) & ((1 << width) - 1))
                ctx.set(dut.load, 1 << plane)
                await ctx.tick()
            ctx.set(dut.load, 0)
            await ctx.tick().repeat(dut.latency)
            assert ctx.get(dut.potential) == start

    run(dut, bench)


@pytest.mark.parametrize("way", [-1, 1])
def test_potential_reaches_its_bounds(way):
    layer = two_layers(potential_bits=5).layers[0]
    dut = Lane(layer=layer)

    async def bench(ctx):
        ctx.set(dut.bits, way == 1)
        ctx.set(dut.spikes, 1)
        bound = 15 if way == 1 else 16
        await ctx.tick().repeat(bound)
        ctx.set(dut.spikes, 0)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.potential) == way * bound

    run(dut, bench)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 6])
def test_the_first_word_of_a_step_takes_the_place_of_the_sum_before(width):
    design = stepwise(sizes=(30, 10, 4), folds=((4, width, 1), (4, 1, 1)))
    dut = Lane(layer=design.layers[0])
    rng = random.Random(width)

    async def bench(ctx):
        expected = [0] * dut.latency
        for _ in range(400):
            bits, spikes = rng.getrandbits(width), rng.getrandbits(width)
            # Sums of a step stay within the fan-in.
            clear = rng.random() < 0.4 or abs(expected[-1]) > 20
            ctx.set(dut.bits, bits)
            ctx.set(dut.spikes, spikes)
            ctx.set(dut.clear, clear)
            total = sum((1 if bits >> k & 1 else -1) for k in range(width) if spikes >> k & 1)
            expected.append(total + (0 if clear else expected[-1]))
            await ctx.tick()
            assert ctx.get(dut.potential) == expected[-dut.latency]

    run(dut, bench)


@pytest.mark.parametrize("depth", [2, 3, 8])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 6])
def test_a_word_of_a_plane_counts_its_power_of_two(width, depth):
    design = stepwise(
        sizes=(30, 10, 4),
        folds=((4, width, 1), (4, 1, 1)),
        integers=((depth, False), (1, False)),
        sample_input="words",
        encoding="series",
    )
    layer = design.layers[0]
    dut = Lane(layer=layer)
    assert dut.latency == lane_latency(layer) == (2 if width == 1 else 3)
    rng = random.Random(width)
    most = (1 << layer.potential_bits - 1) - 1
    reached = set()

    async def bench(ctx):
        expected = [0] * dut.latency
        for _ in range(600):
            bits, spikes = rng.getrandbits(width), rng.getrandbits(width)
            plane = rng.randrange(depth)
            total = sum((1 if bits >> k & 1 else -1) for k in range(width) if spikes >> k & 1)
            total <<= plane
            clear = rng.random() < 0.02 or not -most - 1 <= expected[-1] + total <= most
            ctx.set(dut.bits, bits)
            ctx.set(dut.spikes, spikes)
            ctx.set(dut.plane, plane)
            ctx.set(dut.clear, clear)
            expected.append(total + (0 if clear else expected[-1]))
            reached.add(total)
            await ctx.tick()
            assert ctx.get(dut.potential) == expected[-dut.latency]

    run(dut, bench)
    if width < 4:
        assert {min(reached), max(reached)} == {-width << depth - 1, width << depth - 1}
