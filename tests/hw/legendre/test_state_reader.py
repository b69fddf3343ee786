# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest
import torch

from hw.design.memory_design import MemoryDesign
from hw.legendre.state_reader import StateReader, group_cycles
from model.legendre import LegendreMemory
from model.legendre_step import emissions
from tests.hw.designs import stepwise
from tests.hw.streams import get, run


def words(train, width, bits):
    """Words of the reads of an evaluation, int (R, states)."""
    out = []
    for read, numbers in enumerate(train):
        padded = [*numbers.tolist(), *[0] * (-len(numbers) % width)]
        for group in range(len(padded) // width):
            part = padded[group * width : (group + 1) * width]
            for plane in range(bits):
                spikes = sum((n >> plane & 1) << k for k, n in enumerate(part))
                ends = (group + 1) * width == len(padded) and plane == bits - 1
                if spikes or ends:
                    out.append(
                        {
                            "group": group,
                            "spikes": spikes,
                            "plane": plane,
                            "end_of_step": int(ends),
                            "last": int(ends and read == len(train) - 1),
                        }
                    )
    return out


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(
    ("width", "order", "channels", "bits", "reads", "most"),
    [(1, 5, 1, 4, 4, 4), (4, 9, 2, 4, 1, 8), (2, 6, 1, 2, 2, 64), (8, 3, 1, 8, 16, 16)],
)
def test_words_are_what_the_model_sends(width, order, channels, bits, reads, most, stall):
    rng = np.random.default_rng(order)
    shifts = rng.integers(0, 12, channels * order).astype(np.uint8)
    memory = LegendreMemory.for_window(
        order=order,
        window=40,
        channels=channels,
        emission_bits=bits,
        reads=reads,
        emission_shifts=shifts,
    )
    room = MemoryDesign.for_memories([memory], values=40 * channels)
    room = MemoryDesign(**{**vars(room), "reads": most, "order": order + 3})
    design = stepwise(
        sizes=(room.states, 8, 4),
        folds=((4, width, 1), (4, 1, 1)),
        encoding="series",
        integers=((bits, True), (1, False)),
        memory=room,
        steps=most,
        pixels_per_cycle=1,
    )
    dut = StateReader(design=design)
    limit = 1 << memory.state_bits - 1
    samples = [
        rng.integers(-limit, limit, memory.states),
        rng.integers(-20, 20, memory.states),
        np.zeros(memory.states, int),
    ]
    trains = [emissions(memory, torch.as_tensor(s, dtype=torch.int32)[None])[0] for s in samples]
    expected = [words(train, width, bits) for train in trains]
    held = {"states": samples[0]}
    taken = []

    async def source(ctx):
        ctx.set(dut.states, memory.states)
        ctx.set(dut.reads, reads)
        ctx.set(dut.write_enable, 1)
        for row, shift in enumerate(shifts.tolist()):
            ctx.set(dut.write_row, row)
            ctx.set(dut.write_data, shift)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        for sample, part in zip(samples, expected, strict=True):
            held["states"] = sample
            await ctx.tick()
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            # Counted from the cycle behind the start.
            taken.append(await get(ctx, dut.o, len(part), random.Random(2), stall))
            await ctx.tick()

    async def states(ctx):
        async for _, _, row in ctx.tick().sample(dut.read_row):
            here = held["states"]
            ctx.set(dut.read_data, int(here[row]) if row < len(here) else 7)

    run(dut, source, background=[states], outputs=[dut.o])
    assert [[word for _, word in part] for part in taken] == expected
    if not stall:
        cycles = group_cycles(design)
        groups = -(-memory.states // width)
        for part in taken:
            for cycle, word in part:
                turn, place = divmod(cycle, cycles)
                assert turn % groups == word["group"]
                assert place == cycles - bits + word["plane"]
            assert part[-1][0] == reads * groups * cycles - 1
