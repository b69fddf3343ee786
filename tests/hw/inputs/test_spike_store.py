# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.inputs.spike_store import SpikeStore
from tests.hw.designs import two_layers
from tests.hw.streams import get, put, run


def words_by_step(times, width):
    """{(step, group): spikes} of one sample, from spike steps (None where silent)."""
    words = {}
    for index, step in enumerate(times):
        if step is not None:
            key = (step, index // width)
            words[key] = words.get(key, 0) | 1 << index % width
    return words


def beats_of(times, count):
    for start in range(0, len(times), count):
        part = times[start : start + count]
        yield {
            "fires": sum((step is not None) << k for k, step in enumerate(part)),
            "steps": [step or 0 for step in part],
            "last": start + count >= len(times),
        }


def check_sample(taken, times, width, last_step=None):
    """Sorted, complete, marked; returns the number of words."""
    words = words_by_step(times, width)
    steps = {step for step, _ in words} | {0}
    if last_step is not None:
        steps = set(range(last_step + 1))
    found = {}
    for position, word in enumerate(taken):
        after = taken[position + 1] if position + 1 < len(taken) else None
        assert word["last"] == (after is None)
        assert word["end_of_step"] == (after is None or after["step"] > word["step"])
        assert after is None or after["step"] >= word["step"]
        steps.discard(word["step"])
        if word["spikes"]:
            assert (word["step"], word["group"]) not in found
            found[word["step"], word["group"]] = word["spikes"]
        else:
            assert word["end_of_step"]
            assert not [1 for step, _ in words if step == word["step"]]
    assert found == words
    assert not steps


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize(("width", "count"), [(1, 1), (1, 3), (2, 4), (3, 3), (4, 12)])
@pytest.mark.parametrize("every_step", [0, 1])
def test_spikes_leave_sorted_by_step(every_step, width, count, banks, stall):
    rng = random.Random(count)
    inputs = 24
    design = two_layers(
        sizes=(inputs, 10, 4),
        folds=((4, width, 1), (4, 1, 1)),
        pixels_per_cycle=count,
        store_banks=banks,
        steps=6,
    )
    dut = SpikeStore(design=design, layer=0)
    samples = []
    for density in (1.0, 0.0, 0.5, 0.1, 0.9, 0.3, 0.0, 1.0):
        choice = rng.choice([range(6), [2], [0, 5]])
        samples.append(
            [rng.choice(choice) if rng.random() < density else None for _ in range(inputs)]
        )
    beats = [beat for times in samples for beat in beats_of(times, count)]

    async def source(ctx):
        ctx.set(dut.every_step, every_step)
        ctx.set(dut.last_step, 5)
        await put(ctx, dut.i, beats, rng, stall)

    async def sink(ctx):
        sink_rng = random.Random(7)
        for times in samples:
            taken = []
            while not taken or not taken[-1]["last"]:
                taken += [word for _, word in await get(ctx, dut.o, 1, sink_rng, stall)]
            check_sample(taken, times, width, 5 if every_step else None)

    run(dut, source, sink, outputs=[dut.o])


def test_stop_leaves_out_the_rest_of_its_sample_only():
    design = two_layers(sizes=(12, 10, 4), steps=4)
    dut = SpikeStore(design=design, layer=0)
    times = [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    beats = [beat for _ in range(2) for beat in beats_of(times, 1)]

    async def source(ctx):
        await put(ctx, dut.i, beats, random.Random(0), 0)

    async def sink(ctx):
        rng = random.Random(0)
        first = await get(ctx, dut.o, 3, rng, 0)
        ctx.set(dut.stop, 1)  # seen in the cycle in which the next word waits
        ctx.set(dut.stop_sample, 0)
        await ctx.tick()
        ctx.set(dut.stop, 0)
        words = [word for _, word in first]
        while not words[-1]["last"]:
            words += [word for _, word in await get(ctx, dut.o, 1, rng, 0)]
        assert [word["step"] for word in words] == [0, 0, 1, 1, 3]
        assert words[-1]["spikes"] == 0
        second = await get(ctx, dut.o, 12, rng, 0)
        check_sample([word for _, word in second], times, 1)

    run(dut, source, sink, outputs=[dut.o])
