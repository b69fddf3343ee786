# SPDX-License-Identifier: Apache-2.0
import random

from hw.stepwise.answer_marks import AnswerMarks
from tests.hw.streams import run


def test_marks_come_out_in_order():
    dut = AnswerMarks(in_flight=5)
    rng = random.Random(1)

    async def bench(ctx):
        held = []
        for _ in range(400):
            begins = len(held) < 5 and rng.random() < 0.5
            ends = bool(held) and rng.random() < 0.5
            mark = rng.randint(0, 1)
            ctx.set(dut.evaluation, {"valid": begins, "running": mark})
            ctx.set(dut.answered, ends)
            if held:
                assert ctx.get(dut.running) == held[0]
            await ctx.tick()
            held = held[ends:] + [mark] * begins

    run(dut, bench)
