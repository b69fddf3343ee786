# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.lanes.lane_array import layer_latency
from hw.single_spike.layer import Layer
from tests.hw.designs import two_layers
from tests.hw.streams import plain, run


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("width", [1, 3])
def test_observations_follow_their_words_at_the_stated_latency(width, stall):
    rng = random.Random(width)
    design = two_layers(sizes=(9, 8, 4), folds=((4, width, 1), (4, 1, 1)), threshold_bits=4)
    this = design.layers[0]
    dut = Layer(design=design, layer=0)
    assert dut.latency == layer_latency(this)
    rows = [rng.getrandbits(this.row_bits) for _ in range(this.rows)]
    samples = []
    for _ in range(5):
        steps = sorted({0, *rng.sample(range(1, 4), 2)})
        words = []
        for step in steps:
            size = rng.randint(1, 3)
            for place in range(size):
                words.append(
                    {
                        "group": rng.randrange(this.groups),
                        "spikes": rng.randrange(1 << width),
                        "step": step,
                        "end_of_step": int(place == size - 1),
                        "last": int(place == size - 1 and step == steps[-1]),
                    }
                )
        samples.append(words)

    def field(row, lane):
        return row >> lane * width & ((1 << width) - 1)

    def start(block, lane):
        value = 0
        for plane in range(this.planes):
            value = value << width | field(rows[block * this.rows_per_block + plane], lane)
        bits = this.planes * width
        return value - (1 << bits) if value >> (bits - 1) else value

    expected = []
    for words in samples:
        for block in range(2):
            potentials = [start(block, lane) for lane in range(4)]
            for word in words:
                row = rows[block * this.rows_per_block + this.planes + word["group"]]
                for lane in range(4):
                    for k in range(width):
                        if word["spikes"] >> k & 1:
                            potentials[lane] += 1 if field(row, lane) >> k & 1 else -1
                if word["end_of_step"]:
                    expected.append((block, word["step"], word["last"], list(potentials)))

    took, seen = [], []

    async def source(ctx):
        ctx.set(dut.blocks, 2)
        ctx.set(dut.write_enable, 1)
        for number, row in enumerate(rows):
            ctx.set(dut.write_row, number)
            ctx.set(dut.write_data, row)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        for words in samples:
            for word in words + words:
                while rng.random() < stall:
                    await ctx.tick()
                ctx.set(dut.i.payload, word)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def room(ctx):
        room_rng = random.Random(2)
        while True:
            ctx.set(dut.room, room_rng.random() >= stall)
            await ctx.tick()

    async def sink(ctx):
        cycle = 0
        async for _, _, valid, ready, word, seen_now in ctx.tick().sample(
            dut.i.valid, dut.i.ready, dut.i.payload, dut.observation
        ):
            if valid and ready and word.end_of_step:
                took.append(cycle)
            if seen_now.valid:
                seen.append((cycle, plain(seen_now)))
            cycle += 1
            if len(seen) == len(expected):
                return

    run(dut, sink, background=[source, room])
    assert [(s["block"], s["step"], s["last"], s["potentials"]) for _, s in seen] == expected
    assert [cycle for cycle, _ in seen] == [cycle + dut.latency for cycle in took]


def test_a_pass_costs_its_planes_and_one_cycle_a_word():
    design = two_layers(sizes=(9, 8, 4), folds=((4, 2, 1), (4, 1, 1)), threshold_bits=5)
    dut = Layer(design=design, layer=0)
    ends = []

    async def source(ctx):
        ctx.set(dut.blocks, 2)
        ctx.set(dut.room, 1)
        ctx.set(dut.i.valid, 1)
        for cycle in range(60):
            ctx.set(dut.i.p.last, cycle % 4 == 3)
            _, _, reserve = await ctx.tick().sample(dut.reserve)
            if reserve:
                ends.append(cycle)

    run(dut, source)
    # With `last` on every fourth cycle, a pass of 3 planes ends on the first such cycle after.
    assert design.layers[0].planes == 3
    assert ends == [cycle for cycle in range(60) if cycle % 4 == 3]
