# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.replay_buffer import ReplayBuffer
from tests.hw.designs import two_layers
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
