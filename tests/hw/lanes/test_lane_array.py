# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.lanes.lane_array import LaneArray, layer_latency
from tests.hw.designs import stepwise
from tests.hw.streams import plain, run


@pytest.mark.parametrize(
    ("width", "number", "latency"),
    [(1, (1, False), 5), (3, (1, False), 6), (1, (4, True), 6), (2, (3, True), 7)],
)
def test_sums_follow_their_words_at_the_stated_latency(width, number, latency):
    bits, is_signed = number
    rng = random.Random(width)
    design = stepwise(
        sizes=(24, 4, 3),
        folds=((4, width, 1), (3, 1, 1)),
        integers=(number, (1, False)),
        sample_input="words",
        encoding="series",
    )
    layer = design.layers[0]
    dut = LaneArray(layer=layer, tag=8)
    assert dut.latency == layer_latency(layer) == latency
    rows = [rng.getrandbits(layer.row_bits) for _ in range(layer.rows)]
    most = (1 << layer.potential_bits - 1) - 1
    # What stands at the lanes after each cycle, and its tag.
    expected = [([0] * 4, 0)] * dut.latency

    async def bench(ctx):
        ctx.set(dut.write_enable, 1)
        for number, row in enumerate(rows):
            ctx.set(dut.write_row, number)
            ctx.set(dut.write_data, row)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        ctx.set(dut.control, 1)
        await ctx.tick().repeat(2 * dut.latency)
        for cycle in range(300):
            group, plane = rng.randrange(layer.groups), rng.randrange(bits)
            spikes, moves = rng.getrandbits(width), rng.random() < 0.8
            row, scale = rows[group], 1 << plane
            if is_signed and plane == bits - 1:
                scale = -scale
            sums = [
                scale
                * sum(
                    1 if row >> lane * width + k & 1 else -1
                    for k in range(width)
                    if spikes >> k & 1
                )
                * moves
                for lane in range(4)
            ]
            before = expected[-1][0]
            clear = any(abs(a + b) > most for a, b in zip(before, sums, strict=True))
            clear = clear or rng.random() < 0.05
            ctx.set(dut.base, group // 2)
            ctx.set(dut.place, group - group // 2)
            ctx.set(dut.spikes, spikes)
            ctx.set(dut.moves, moves)
            ctx.set(dut.control, clear)
            ctx.set(dut.tag, cycle % 256)
            if bits > 1:
                ctx.set(dut.plane, plane)
                ctx.set(dut.negative, plane == bits - 1)
            after = [0 if clear else a for a in before]
            after = [a + b for a, b in zip(after, sums, strict=True)]
            expected.append((after, cycle % 256))
            await ctx.tick()
            wanted = expected[-dut.latency]
            if cycle >= dut.latency:
                assert (plain(ctx.get(dut.sums)), ctx.get(dut.tag_after)) == wanted

    run(dut, bench)
