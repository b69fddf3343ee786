# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.stepwise.committee_readout import (
    RECORD_CYCLES,
    CommitteeReadout,
    answer_latency,
    member_latency,
)
from tests.hw.designs import stepwise
from tests.hw.streams import get, run


def expected_answer(scores, *, running=False):
    """Records of one answer from the members' scores."""
    classes = range(len(scores[0]))
    sums = [sum(member[c] for member in scores) for c in classes]
    own = [max(classes, key=lambda c, member=member: (member[c], -c)) for member in scores]
    winner = max(classes, key=lambda c: (sums[c], -c))
    return [
        {
            "neuron": c,
            "score": sums[c],
            "votes": own.count(c),
            "winner": winner,
            "running": int(running),
            "last": int(c == classes[-1]),
        }
        for c in classes
    ]


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(("built", "used", "classes"), [(1, 1, 4), (8, 8, 4), (3, 2, 1), (5, 1, 3)])
def test_answers(built, used, classes, stall):
    rng = random.Random(classes)
    design = stepwise(members=built)
    dut = CommitteeReadout(design=design)
    samples = [
        [[rng.randint(-3, 3) for _ in range(classes)] for _ in range(used)] for _ in range(8)
    ]
    samples[0][0] = [-(1 << 8)] * classes  # lowest and highest scores
    samples[1] = [[255] * classes] * used
    taken, last_scores, rooms = [], [], []
    cycle = 0

    async def wait(ctx, cycles=1):
        nonlocal cycle
        await ctx.tick().repeat(cycles)
        cycle += cycles

    async def source(ctx):
        ctx.set(dut.neurons, classes)
        ctx.set(dut.members, used)
        for sample in samples:
            for member in sample:
                # A silent step, then the last one.
                for last in (0, 1):
                    while not ctx.get(dut.room):
                        await wait(ctx)
                    if last:
                        rooms.append(cycle)
                    ctx.set(dut.reserve, 1)
                    ctx.set(dut.reserve_last, last)
                    await wait(ctx)
                    ctx.set(dut.reserve, 0)
                    await wait(ctx, rng.randint(0, 3) + 2)
                    for c, score in enumerate(member):
                        ctx.set(dut.score.valid, 1)
                        ctx.set(dut.score.score, score if last else 77)
                        ctx.set(dut.score.end, c == classes - 1)
                        ctx.set(dut.score.last, last)
                        if last and c == classes - 1:
                            last_scores.append(cycle)
                        await wait(ctx)
                    ctx.set(dut.score.valid, 0)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, len(samples) * classes, random.Random(5), stall))

    run(dut, source, sink, outputs=[dut.o])
    assert [record for _, record in taken] == [
        record for sample in samples for record in expected_answer(sample)
    ]
    if not stall:
        for number, (cycle, _) in enumerate(taken):
            sample, c = divmod(number, classes)
            end = last_scores[(sample + 1) * used - 1]
            assert cycle == end + answer_latency(design) + RECORD_CYCLES * c
    for member in range(1, len(rooms)):
        if member % used:
            assert rooms[member] >= last_scores[member - 1] + member_latency(design)


def test_an_answer_after_every_step():
    design = stepwise(step_results=True)
    dut = CommitteeReadout(design=design)
    steps = [[1, 5, 5, 0], [9, 0, 0, 9], [-4, -3, -2, -1]]
    taken = []

    async def source(ctx):
        ctx.set(dut.neurons, 4)
        ctx.set(dut.members, 1)
        ctx.set(dut.step_results, 1)
        for number, scores in enumerate(steps):
            while not ctx.get(dut.room):
                await ctx.tick()
            ctx.set(dut.reserve, 1)
            ctx.set(dut.reserve_last, number == 2)
            await ctx.tick()
            ctx.set(dut.reserve, 0)
            assert not ctx.get(dut.room)
            for c, score in enumerate(scores):
                ctx.set(dut.score.valid, 1)
                ctx.set(dut.score.score, score)
                ctx.set(dut.score.end, c == 3)
                ctx.set(dut.score.last, number == 2)
                await ctx.tick()
            ctx.set(dut.score.valid, 0)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, 12, random.Random(5), 0))

    run(dut, source, sink, outputs=[dut.o])
    assert [record for _, record in taken] == [
        record
        for number, scores in enumerate(steps)
        for record in expected_answer([scores], running=number < 2)
    ]
