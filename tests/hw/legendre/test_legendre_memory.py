# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest
import torch

from hw.design.memory_design import MemoryDesign
from hw.legendre.legendre_memory import LegendreMemory, write_delay
from model.legendre import LegendreMemory as Memory
from model.legendre_step import MemoryStates
from tests.hw.streams import run


def golden(memory, inputs):
    """States after each step: int (T, channels * q) of inputs (T, channels)."""
    states = MemoryStates(memory, 1)
    seen = []
    for step in inputs:
        states.step(torch.as_tensor(step)[None])
        seen.append(states.states()[0].numpy().copy())
    return np.array(seen)


def simulated(memory, design, samples, stall=0.0, seed=1):
    """Writes of each sample: list of arrays (T, channels * q); and (cycle, delay) of each state."""
    dut = LegendreMemory(memory=design)
    rng = random.Random(seed)
    taken, writes = [], []

    async def source(ctx):
        ctx.set(dut.order, memory.order)
        ctx.set(dut.input_scale, design.scale(memory))
        ctx.set(dut.write_enable, 1)
        for row, coefficient in enumerate(memory.coefficients.tolist()):
            ctx.set(dut.write_row, row)
            ctx.set(dut.write_data, coefficient)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        values = [
            {"value": int(value), "first_step": step == 0, "first_channel": channel == 0}
            for sample in samples
            for step, channels in enumerate(sample)
            for channel, value in enumerate(channels)
        ]
        for value in values:
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(dut.i.p, value)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        for _ in range(2 * memory.order + 30):
            await ctx.tick()

    async def watch(ctx):
        cycle = 0
        async for _, _, valid, ready, state, row, value in ctx.tick().sample(
            dut.i.valid, dut.i.ready, dut.state.valid, dut.state.row, dut.state.value
        ):
            if valid and ready:
                taken.append(cycle)
            if state:
                writes.append((cycle, int(row), int(value)))
            cycle += 1

    run(dut, source, background=[watch])
    states, delays = [], []
    for sample in samples:
        steps = []
        current = np.zeros(memory.states, dtype=np.int64)
        for channels in sample:
            for _ in channels:
                begin = taken.pop(0)
                part, writes = writes[: memory.order], writes[memory.order :]
                for cycle, row, value in part:
                    current[row] = value
                    delays.append((row % memory.order, cycle - begin))
            steps.append(current.copy())
        states.append(np.array(steps))
    assert not writes
    return states, delays


def random_memory(rng, **fields):
    order, bits = rng.randint(2, 40), rng.randint(4, 12)
    fields = {"order": order, "coefficient_bits": bits, **fields}
    order, bits = fields["order"], fields["coefficient_bits"]
    guard, fraction = rng.randint(0, 5), rng.randint(4, 14)
    fields = {
        "guard_bits": guard,
        "fraction_bits": fraction,
        "channels": rng.randint(1, 3),
        **fields,
    }
    memory = Memory.for_window(
        window=rng.randint(2, 900), emission_bits=4, input_peak=rng.choice([1, 16, 256]), **fields
    )
    if rng.random() < 0.5:
        return memory
    # Any coefficients, so that everything saturates.
    values = [rng.randint(1, (2 << bits) - 1) for _ in range(order)]
    return Memory(
        **memory.to_json(),
        emission_shifts=memory.emission_shifts,
        coefficients=np.array(values, dtype=np.uint16),
    )


def room(memory, **fields):
    """A design with room to spare."""
    design = MemoryDesign.for_memories([memory], values=1)
    return MemoryDesign(**{**vars(design), **fields})


@pytest.mark.parametrize("seed", range(14))
def test_states_are_those_of_the_model(seed):
    rng = random.Random(seed)
    # Odd and even orders, and the smallest.
    fields = {"order": seed + 2} if seed < 4 else {}
    memory = random_memory(rng, **fields)
    design = (
        room(memory)
        if rng.random() < 0.5
        else room(
            memory,
            order=memory.order + rng.randint(1, 9),
            channels=memory.channels + 1,
            input_shift=memory.input_shift + 2,
            scale_bits=18,
        )
    )
    limit = rng.choice([1, 20, 255])
    samples = [
        np.array([[rng.randint(-limit, limit) for _ in range(memory.channels)] for _ in range(8)])
        for _ in range(2)
    ]
    samples[1][:, :] = rng.choice([-255, 255])
    states, delays = simulated(memory, design, samples, stall=0.3 * (seed % 2), seed=seed)
    for sample, seen in zip(samples, states, strict=True):
        assert (seen == golden(memory, sample)).all()
    assert all(delay == write_delay(design, memory.order, index) for index, delay in delays)


def test_cycles_of_an_input_value():
    memory = Memory.for_window(order=7, window=20)
    design = room(memory)
    assert design.value_cycles == design.cycles(7) == 35
    for order in (2, 40, 256, 468):
        assert design.cycles(order) <= 2.2 * order + 40
    _, delays = simulated(memory, design, [np.full((3, 1), 9)])
    # The first state of a step is written in the cycle before the next value is taken.
    assert [delay for index, delay in delays if index == 0] == [34] * 3


@pytest.mark.parametrize(("order", "steps"), [(256, 24), (468, 6)])
def test_large_orders(order, steps):
    memory = Memory.for_window(order=order, window=784)
    sample = np.random.default_rng(order).integers(0, 256, (steps, 1))
    states, _ = simulated(memory, room(memory), [sample])
    assert (states[0] == golden(memory, sample)).all()
