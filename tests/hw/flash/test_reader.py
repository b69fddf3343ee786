# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.flash.reader import FlashReader
from tests.hw.flash.model import FlashModel
from tests.hw.streams import run

CONTENT = random.Random(1).randbytes(3000)


async def bits(ctx, dut, count):
    """Take bits; returns them as bytes and the cycles that they took."""
    taken, cycles = [], 0
    while len(taken) < count:
        _, _, valid, bit, place = await ctx.tick().sample(dut.valid, dut.bit, dut.place)
        cycles += 1
        if valid:
            assert place % 256 == len(taken) % 256
            taken.append(bit)
    return int("".join(map(str, taken)), 2).to_bytes(count // 8, "big"), cycles


@pytest.mark.parametrize("clock_hz", [12_000_000, 0, 101_250_000])
def test_bytes_from_an_address_on(clock_hz):
    dut = FlashReader(clock_hz=clock_hz)
    # Every flash is awake after 50 us, which is not known to be more cycles where the clock is not.
    model = FlashModel(CONTENT, wake_cycles=int((clock_hz or 50e6) * 40e-6))

    async def bench(ctx):
        ctx.set(dut.wake, 1)
        ctx.set(dut.select, 1)
        cycles = 0
        while not ctx.get(dut.is_awake):
            await ctx.tick()
            cycles += 1
        assert cycles == dut.pause + 8 * dut.period - 1
        # A read follows at once; a read that is ended begins again in the cycle after.
        await ctx.tick()
        ctx.set(dut.wake, 0)
        for address, count in ((2047, 36), (2999, 2), (0xFFFFFF, 1)):
            ctx.set(dut.address, address)
            ctx.set(dut.select, 1)
            found, cycles = await bits(ctx, dut, 8 * count)
            assert found == (CONTENT + bytes([0xFF]))[address : address + count].ljust(
                count, bytes([0xFF])
            )
            assert cycles == dut.pause + dut.period * (32 + 8 * count)
            ctx.set(dut.select, 0)
            await ctx.tick()

    run(dut, bench, background=[model.bench(dut.pins)])
    assert model.reads == [2047, 2999, 0xFFFFFF]
    frequency = (clock_hz or 50e6) / dut.period
    assert frequency <= 25e6
    assert dut.pause / (clock_hz or 50e6) >= 50e-6


@pytest.mark.parametrize("cycles", range(1, 150, 7))
def test_a_read_may_end_at_any_time(cycles):
    dut = FlashReader(clock_hz=1_000_000)
    model = FlashModel(CONTENT, wake_cycles=0)
    model.is_asleep = False

    async def bench(ctx):
        ctx.set(dut.address, 17)
        ctx.set(dut.select, 1)
        await ctx.tick().repeat(cycles)
        ctx.set(dut.select, 0)
        await ctx.tick()
        assert (ctx.get(dut.pins.cs), ctx.get(dut.pins.sck), ctx.get(dut.valid)) == (1, 0, 0)
        ctx.set(dut.select, 1)
        found, _ = await bits(ctx, dut, 24)
        assert found == CONTENT[17:20]

    run(dut, bench, background=[model.bench(dut.pins)])
