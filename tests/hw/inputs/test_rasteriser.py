# SPDX-License-Identifier: Apache-2.0
import dataclasses
import random

import numpy as np
import pytest

from hw.inputs.rasteriser import Rasteriser
from model.encoding import EventEncoding
from model.events import Events, rasterise
from tests.hw.designs import stepwise
from tests.hw.streams import get, put, run

ENCODINGS = {
    "plain": EventEncoding(width=6, height=5, crop_width=6, crop_height=5, bin_us=100, steps=6),
    "crop": EventEncoding(
        width=20,
        height=9,
        left=3,
        top=2,
        crop_width=11,
        crop_height=6,
        shift=1,
        merge_polarity=True,
        bin_us=37,
        steps=5,
    ),
}


def make_events(encoding, counts, seed):
    """Random samples, some of them silent, with events outside the crop and after the end."""
    rng = np.random.default_rng(seed)
    end = int(encoding.bin_us * encoding.steps * 1.2)
    times = [np.sort(rng.integers(0, end, count)) for count in counts]
    total = sum(counts)
    return Events(
        t=np.concatenate(times).astype(np.int64),
        x=rng.integers(0, encoding.width, total).astype(np.int32),
        y=rng.integers(0, encoding.height, total).astype(np.int32),
        p=rng.integers(0, 2, total).astype(np.uint8),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def event_beats(events):
    """Beats of every sample."""
    beats = []
    for start, stop in zip(events.offsets, events.offsets[1:], strict=False):
        here = [
            {
                "time": int(events.t[at]),
                "x": int(events.x[at]),
                "y": int(events.y[at]),
                "polarity": int(events.p[at]),
                "present": 1,
                "last": int(at == stop - 1),
            }
            for at in range(start, stop)
        ]
        empty = {"time": 0, "x": 0, "y": 0, "polarity": 0, "present": 0, "last": 1}
        beats += here or [empty]
    return beats


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("name", ENCODINGS)
def test_spikes_are_those_of_the_model(name, width, stall):
    encoding = ENCODINGS[name]
    design = stepwise(
        sizes=(encoding.features, 10, 4),
        folds=((4, width, 1), (4, 1, 1)),
        sample_input="events",
        encoding="events",
        events=encoding,
        steps=encoding.steps,
    )
    dut = Rasteriser(design=design)
    counts = [30, 0, 1, 80, 0, 12]
    events = make_events(encoding, counts, seed=width)
    found = np.zeros((len(counts), encoding.steps, encoding.features), np.uint8)
    ends = len(counts) * encoding.steps
    words = []

    async def source(ctx):
        ctx.set(dut.last_step, encoding.steps - 1)
        await put(ctx, dut.i, event_beats(events), random.Random(1), stall)

    async def sink(ctx):
        rng = random.Random(2)
        while sum(word["end_of_step"] for word in words) < ends:
            words.append((await get(ctx, dut.o, 1, rng, stall))[0][1])

    run(dut, source, sink, outputs=[dut.o])
    sample = step = 0
    for word in words:
        assert word["spikes"] or word["end_of_step"]
        for k in range(width):
            if word["spikes"] >> k & 1:
                place = (sample, step, word["group"] * width + k)
                assert not found[place], "one spike an input and step"
                found[place] = 1
        step += word["end_of_step"]
        assert word["last"] == (step == encoding.steps)
        if word["last"]:
            sample, step = sample + 1, 0
    assert (found == rasterise(encoding, events)).all()


def test_cycles():
    encoding = dataclasses.replace(ENCODINGS["plain"], steps=3)
    design = stepwise(
        sizes=(encoding.features, 10, 4),
        sample_input="events",
        encoding="events",
        events=encoding,
        steps=3,
    )
    dut = Rasteriser(design=design)
    event = {"x": 1, "y": 1, "polarity": 0, "present": 1, "last": 0}
    # Two inputs in step 0; step 1 is silent; one input in step 2, hit twice, ends the sample.
    beats = [
        {**event, "time": 0},
        {**event, "time": 1, "x": 2},
        {**event, "time": 200},
        {**event, "time": 201, "last": 1},
        {**event, "time": 0},
    ]
    taken = []

    async def source(ctx):
        ctx.set(dut.last_step, 2)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        cycle = 0
        for beat in beats:
            ctx.set(dut.i.payload, beat)
            while True:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                cycle += 1
                if ready:
                    taken.append(cycle)
                    break

    run(dut, source)
    gaps = [after - before for before, after in zip(taken, taken[1:], strict=False)]
    assert gaps == [6, 6, 6 + (5 * 2 + 3) + 5, 6 + (5 * 1 + 3 - 2) + 1]
