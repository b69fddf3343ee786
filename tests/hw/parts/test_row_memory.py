# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.parts.row_memory import RowMemory, column_bits
from tests.hw.streams import run


@pytest.mark.parametrize(("count", "columns"), [(11, 1), (1024, 1), (1025, 6)])
def test_rows_read_one_cycle_later(count, columns):
    rng = random.Random(3)
    dut = RowMemory(rows=count, row_bits=48)
    assert -(-48 // column_bits(rows=count, row_bits=48)) == columns
    rows = [rng.getrandbits(48) for _ in range(count)]

    async def bench(ctx):
        ctx.set(dut.write_enable, 1)
        for number, row in enumerate(rows):
            ctx.set(dut.write_row, number)
            ctx.set(dut.write_data, row)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        for _ in range(40):
            number = rng.randrange(count)
            ctx.set(dut.read_row, number)
            await ctx.tick()
            assert ctx.get(dut.read_data) == rows[number]

    run(dut, bench)
