# SPDX-License-Identifier: Apache-2.0
import random

from hw.row_memory import RowMemory
from tests.hw.streams import run


def test_rows_read_one_cycle_later():
    rng = random.Random(3)
    dut = RowMemory(rows=11, row_bits=48)
    rows = [rng.getrandbits(48) for _ in range(11)]

    async def bench(ctx):
        ctx.set(dut.write_enable, 1)
        for number, row in enumerate(rows):
            ctx.set(dut.write_row, number)
            ctx.set(dut.write_data, row)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        for _ in range(40):
            number = rng.randrange(11)
            ctx.set(dut.read_row, number)
            await ctx.tick()
            assert ctx.get(dut.read_data) == rows[number]

    run(dut, bench)
