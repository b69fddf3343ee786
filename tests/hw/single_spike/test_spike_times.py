# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.single_spike.spike_times import SpikeTimes
from tests.hw.designs import two_layers
from tests.hw.streams import get, run


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(("lanes", "count", "neurons"), [(4, 1, 10), (6, 3, 11), (4, 4, 8)])
def test_the_first_step_at_or_above_threshold_is_the_spike(lanes, count, neurons, stall):
    rng = random.Random(lanes)
    design = two_layers(
        sizes=(12, neurons, 4), folds=((lanes, 1, count), (4, 1, 1)), steps=6, potential_bits=5
    )
    this = design.layers[0]
    dut = SpikeTimes(design=design, layer=0)
    assert dut.beats == lanes // count
    samples = 4
    passes = []
    for _ in range(samples):
        for block in range(this.blocks):
            steps = sorted({0, *rng.sample(range(1, 6), 3)})
            passes.append(
                [
                    (block, step, step == steps[-1], [rng.randint(-16, 4) for _ in range(lanes)])
                    for step in steps
                ]
            )
    expected = []
    for number, seen in enumerate(passes):
        block = number % this.blocks
        for lane in range(lanes):
            first = next((step for _, step, _, values in seen if values[lane] >= 0), None)
            is_real = block * lanes + lane < neurons
            expected.append(first if is_real else None)

    async def source(ctx):
        ctx.set(dut.neurons, neurons)
        ctx.set(dut.blocks, this.blocks)
        for seen in passes:
            await ctx.tick()
            ctx.set(dut.observation.start, 1)
            await ctx.tick()
            ctx.set(dut.observation.start, 0)
            for block, step, last, potentials in seen:
                if last:
                    while not ctx.get(dut.room):
                        await ctx.tick()
                    ctx.set(dut.reserve, 1)
                    await ctx.tick()
                    ctx.set(dut.reserve, 0)
                for name, value in (("block", block), ("step", step), ("last", last), ("valid", 1)):
                    ctx.set(dut.observation[name], value)
                ctx.set(dut.observation.potentials, potentials)
                await ctx.tick()
                ctx.set(dut.observation.valid, 0)

    taken = []

    async def sink(ctx):
        total = samples * this.blocks * dut.beats
        taken.extend(await get(ctx, dut.o, total, random.Random(1), stall))

    run(dut, source, sink, outputs=[dut.o])
    times = [
        step if beat["fires"] >> place & 1 else None
        for _, beat in taken
        for place, step in enumerate(beat["steps"])
    ]
    assert times == expected
    lasts = [number for number, (_, beat) in enumerate(taken) if beat["last"]]
    per_sample = this.blocks * dut.beats
    assert lasts == [per_sample * (number + 1) - 1 for number in range(samples)]


def test_beats_start_two_cycles_after_the_last_observation():
    dut = SpikeTimes(design=two_layers(sizes=(12, 4, 4)), layer=0)

    async def bench(ctx):
        ctx.set(dut.neurons, 4)
        ctx.set(dut.blocks, 1)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.reserve, 1)
        await ctx.tick()
        ctx.set(dut.reserve, 0)
        assert not ctx.get(dut.room)
        ctx.set(dut.observation, {"valid": 1, "last": 1, "step": 2, "potentials": [-1, 0, 3, -4]})
        await ctx.tick()
        ctx.set(dut.observation.valid, 0)
        offered = []
        for _ in range(8):
            _, _, valid, room, beat = await ctx.tick().sample(dut.o.valid, dut.room, dut.o.p)
            offered.append((valid, room, beat.fires if valid else None))
        assert [valid for valid, _, _ in offered] == [0, 1, 1, 1, 1, 0, 0, 0]
        assert [fires for valid, _, fires in offered if valid] == [0, 1, 1, 0]
        assert [room for _, room, _ in offered] == [0, 0, 0, 0, 0, 1, 1, 1]

    run(dut, bench)
