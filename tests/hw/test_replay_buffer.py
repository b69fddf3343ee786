# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.replay_buffer import ReplayBuffer
from tests.hw.designs import stepwise, two_layers
from tests.hw.streams import get, put, run


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("passes", [1, 3])
def test_every_sample_is_played_once_a_pass(passes, stall):
    rng = random.Random(passes)
    dut = ReplayBuffer(design=two_layers(), layer=0)
    samples = []
    for length in (5, 1, 12, 1, 1, 7):
        samples.append(
            [
                {
                    "group": rng.randrange(12),
                    "spikes": 1,
                    "step": rng.randrange(4),
                    "end_of_step": int(rng.random() < 0.5),
                    "last": int(place == length - 1),
                }
                for place in range(length)
            ]
        )
    expected = [word for sample in samples for _ in range(passes) for word in sample]
    taken = []

    async def source(ctx):
        ctx.set(dut.passes, passes)
        await put(ctx, dut.i, [word for sample in samples for word in sample], rng, stall)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, len(expected), random.Random(5), stall))

    run(dut, source, sink, outputs=[dut.o])
    assert [word for _, word in taken] == expected
    if not stall:
        cycles = [cycle for cycle, _ in taken]
        first = len(samples[0]) * passes
        assert cycles[0] == len(samples[0]) - 1 + 3
        assert cycles[:first] == list(range(cycles[0], cycles[0] + first))


def test_no_gap_between_samples_once_stored():
    dut = ReplayBuffer(design=two_layers(), layer=0)
    word = {"group": 0, "spikes": 1, "step": 0, "end_of_step": 1, "last": 0}
    sample = [word] * 4 + [{**word, "last": 1}]
    taken = []

    async def source(ctx):
        ctx.set(dut.passes, 3)
        await put(ctx, dut.i, sample * 4, random.Random(0), 0)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, 4 * 3 * len(sample), random.Random(0), 0))

    run(dut, source, sink)
    cycles = [cycle for cycle, _ in taken]
    assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("passes", [1, 3])
def test_every_step_is_played_once_a_block(passes, stall):
    rng = random.Random(passes)
    dut = ReplayBuffer(design=stepwise(), layer=0, per_step=True)
    assert dut.depth == 12
    steps = []
    for length in (5, 1, 12, 1, 1, 7, 2):
        last = rng.randrange(2)
        steps.append(
            [
                {
                    "group": rng.randrange(12),
                    "spikes": 1,
                    "end_of_step": int(place == length - 1),
                    "last": last * int(place == length - 1),
                }
                for place in range(length)
            ]
        )
    expected = [word for step in steps for _ in range(passes) for word in step]
    taken = []

    async def source(ctx):
        ctx.set(dut.passes, passes)
        await put(ctx, dut.i, [word for step in steps for word in step], rng, stall)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, len(expected), random.Random(5), stall))

    run(dut, source, sink, outputs=[dut.o])
    assert [word for _, word in taken] == expected
    if not stall:
        cycles = [cycle for cycle, _ in taken]
        first = len(steps[0]) * passes
        assert cycles[:first] == list(range(4 + 3, 4 + 3 + first))


def test_two_steps_find_room():
    dut = ReplayBuffer(design=stepwise(), layer=0, per_step=True)

    async def bench(ctx):
        ctx.set(dut.passes, 1)
        for expected in (1, 1, 0):
            assert ctx.get(dut.room) == expected
            ctx.set(dut.reserve, expected)
            await ctx.tick()
        ctx.set(dut.reserve, 0)
        ctx.set(dut.i.payload, {"group": 0, "spikes": 1, "end_of_step": 1, "last": 0})
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        # Fetched 2 cycles after it was taken; there is room in the cycle after.
        for expected in (0, 0, 1, 1):
            assert ctx.get(dut.room) == expected
            await ctx.tick()

    run(dut, bench)


def test_a_sample_is_played_once_a_member():
    design = stepwise(members=5, sample_input="words")
    dut = ReplayBuffer(design=design, layer=0)
    assert dut.depth == design.sample_words == 12 * 6
    step = {"group": 3, "spikes": 1, "end_of_step": 1, "last": 0}
    sample = [step] * 5 + [{**step, "last": 1}]
    taken = []

    async def source(ctx):
        ctx.set(dut.passes, 5)
        await put(ctx, dut.i, sample, random.Random(0), 0)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, 5 * len(sample), random.Random(0), 0))

    run(dut, source, sink)
    assert [word for _, word in taken] == sample * 5
