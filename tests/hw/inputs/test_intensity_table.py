# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.inputs.intensity_table import IntensityTable
from tests.hw.designs import two_layers
from tests.hw.streams import get, put, run


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("pixels", [1, 3])
def test_pixels_become_spike_times(pixels, stall):
    rng = random.Random(pixels)
    dut = IntensityTable(design=two_layers(pixels_per_cycle=pixels, steps=5))
    table = [rng.choice([None, 0, 1, 2, 3, 4]) for _ in range(256)]
    beats = [
        {"pixels": [rng.randrange(256) for _ in range(pixels)], "last": rng.random() < 0.3}
        for _ in range(60)
    ]
    taken = []

    async def source(ctx):
        for intensity, step in enumerate(table):
            ctx.set(dut.write_row, intensity)
            ctx.set(dut.write_data, {"fires": step is not None, "step": step or 0})
            ctx.set(dut.write_valid, 1)
            await ctx.tick()
        ctx.set(dut.write_valid, 0)
        await put(ctx, dut.i, beats, rng, stall)

    async def sink(ctx):
        await ctx.tick().repeat(256)
        taken.extend(await get(ctx, dut.o, len(beats), random.Random(1), stall))

    run(dut, source, sink, outputs=[dut.o])
    expected = [
        {
            "fires": sum((table[value] is not None) << k for k, value in enumerate(beat["pixels"])),
            "steps": [table[value] or 0 for value in beat["pixels"]],
            "last": int(beat["last"]),
        }
        for beat in beats
    ]
    assert [payload for _, payload in taken] == expected
    if not stall:
        cycles = [cycle for cycle, _ in taken]
        assert cycles == list(range(dut.latency, dut.latency + len(beats)))
