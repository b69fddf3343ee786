# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest

from hw.inputs.rate_encoder import RateEncoder, scan_cycles
from model.encoding import RateEncoding
from model.spike_trains import rate_trains
from tests.hw.designs import stepwise
from tests.hw.streams import get, put, run


def words(train, width, passes):
    """Words of a train (T, features): groups that spike, and the last group of each step."""
    out = []
    for _ in range(passes):
        for step, spikes in enumerate(train):
            padded = [*spikes.tolist(), *[0] * (-len(spikes) % width)]
            groups = [padded[at : at + width] for at in range(0, len(padded), width)]
            for group, bits in enumerate(groups):
                ends = group == len(groups) - 1
                if any(bits) or ends:
                    out.append(
                        {
                            "group": group,
                            "spikes": sum(bit << k for k, bit in enumerate(bits)),
                            "end_of_step": int(ends),
                            "last": int(ends and step == len(train) - 1),
                        }
                    )
    return out


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(
    ("features", "width", "phase", "passes"),
    [(12, 1, 97, 1), (11, 3, 45, 2), (2, 2, 255, 3), (1, 1, 0, 2)],
)
def test_words_are_those_of_the_code(features, width, phase, passes, stall):
    design = stepwise(folds=((4, width, 1), (4, 1, 1)), encoding="rate", members=4, steps=9)
    dut = RateEncoder(design=design)
    rng = np.random.default_rng(features)
    images = rng.integers(0, 256, (4, features), dtype=np.uint8)
    images[0] = 255
    images[1] = 0
    trains = rate_trains(RateEncoding(steps=9, phase=phase), images)
    beats = []
    for image in images:
        padded = [*image.tolist(), *[0] * (-features % width)]
        for at in range(0, len(padded), width):
            last = int(at + width == len(padded))
            beats.append({"pixels": padded[at : at + width], "last": last})
    expected = [word for train in trains for word in words(train, width, passes)]
    taken = []

    async def source(ctx):
        ctx.set(dut.steps, 9)
        ctx.set(dut.phase, phase)
        ctx.set(dut.passes, passes)
        await put(ctx, dut.i, beats, random.Random(1), stall)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, len(expected), random.Random(2), stall))

    run(dut, source, sink, outputs=[dut.o])
    assert [word for _, word in taken] == expected
    if not stall:
        ends = [cycle for cycle, word in taken if word["end_of_step"]]
        count = -(-features // width)
        # The first beat is read a cycle after the last one was taken, its word comes 4 later.
        assert ends[0] == (count - 1) + 5 + (count - 1)
        steps = [after - before for before, after in zip(ends, ends[1:], strict=False)]
        assert steps[: 9 * passes - 1] == [scan_cycles(count)] * (9 * passes - 1)
