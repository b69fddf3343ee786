# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest
import torch

from hw.design.memory_design import MemoryDesign
from hw.legendre.series_source import SeriesSource
from hw.legendre.state_reader import group_cycles
from model.legendre import LegendreMemory
from model.legendre_step import emissions, state_history
from tests.hw.designs import stepwise
from tests.hw.legendre.test_state_reader import words
from tests.hw.streams import get, put, run


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(("channels", "every"), [(1, 0), (1, 2), (2, 3), (3, 1)])
def test_series_are_evaluated(channels, every, stall):
    rng = np.random.default_rng(channels)
    memory = LegendreMemory.for_window(
        order=6, window=9, channels=channels, emission_bits=4, reads=2, input_peak=128
    )
    room = MemoryDesign.for_memories([memory], values=9 * channels)
    design = stepwise(
        sizes=(room.states, 8, 4),
        folds=((4, 4, 1), (4, 1, 1)),
        encoding="series",
        memory=room,
        integers=((4, True), (1, False)),
        steps=2,
        pixels_per_cycle=1,
        step_results=True,
    )
    dut = SeriesSource(design=design)
    samples = [rng.integers(0, 256, (steps, channels)) for steps in (7, 4)]
    beats, expected, running = [], [], []
    for sample in samples:
        values = sample.ravel().tolist()
        beats += [
            {"pixels": [value], "last": int(k == len(values) - 1)} for k, value in enumerate(values)
        ]
        history = state_history(memory, torch.as_tensor(sample[None] - 100))[0]
        for step in range(1, len(sample) + 1):
            if step == len(sample) or (every and step % every == 0):
                part = words(emissions(memory, history[step - 1][None])[0], 4, 4)
                expected.append(part)
                running.append(int(step < len(sample)))
    taken, begun, inputs = [], [], []

    async def source(ctx):
        for name, value in (
            ("order", 6),
            ("channels", channels),
            ("states", memory.states),
            ("zero", 100),
            ("reads", 2),
            ("input_scale", room.scale(memory)),
        ):
            ctx.set(dut.config[name], value)
        ctx.set(dut.every, every)
        for target, values in enumerate((memory.coefficients, memory.emission_shifts)):
            ctx.set(dut.write_enable, 1 << target)
            for row, value in enumerate(values.tolist()):
                ctx.set(dut.write_row, row)
                ctx.set(dut.write_data, value)
                await ctx.tick()
        ctx.set(dut.write_enable, 0)
        await put(ctx, dut.i, beats, random.Random(1), stall)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, sum(map(len, expected)), random.Random(2), stall))

    async def watch(ctx):
        cycle = 0
        async for _, _, valid, is_running, enters, ready in ctx.tick().sample(
            dut.evaluation.valid, dut.evaluation.running, dut.i.valid, dut.i.ready
        ):
            if valid:
                begun.append((cycle, is_running))
            if enters and ready:
                inputs.append(cycle)
            cycle += 1

    run(dut, source, sink, background=[watch], outputs=[dut.o])
    assert [word for _, word in taken] == [word for part in expected for word in part]
    assert [is_running for _, is_running in begun] == running
    if stall:
        return
    # Values follow each other, evaluations between them.
    cycles, ends = room.cycles(6), iter(part[-1] for part in expected)
    span = 2 * -(-memory.states // 4) * group_cycles(design)
    gaps = {later - before for before, later in zip(inputs, inputs[1:], strict=False)}
    assert gaps <= {cycles, cycles + span + 1}
    assert len(inputs) == len(beats)
    assert next(ends)["last"]
    for cycle, _ in begun:
        assert cycle - cycles in inputs
