# SPDX-License-Identifier: Apache-2.0
import pytest
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.link.line_speed import PATIENCE, LineSpeed
from hw.link.uart_receiver import UartReceiver
from hw.link.write_rules import at_most
from tests.hw.refused import refused
from tests.hw.streams import run


async def pulse(ctx, port, count=1):
    for _ in range(count):
        ctx.set(port, 1)
        await ctx.tick()
        ctx.set(port, 0)
        await ctx.tick()


def test_bad_events_in_a_row_bring_the_built_speed_back():
    dut = LineSpeed(divisor=208)

    async def bench(ctx):
        await pulse(ctx, dut.bad, 3 * PATIENCE + 5)
        assert ctx.get(dut.cycles) == 208
        await pulse(ctx, dut.good)
        for chosen in (2, 24):
            ctx.set(dut.chosen, chosen)
            await pulse(ctx, dut.choose)
            assert ctx.get(dut.cycles) == chosen
            await pulse(ctx, dut.bad, PATIENCE - 1)
            await pulse(ctx, dut.good)
            await pulse(ctx, dut.bad, PATIENCE - 1)
            assert ctx.get(dut.cycles) == chosen
            await pulse(ctx, dut.bad)
            assert ctx.get(dut.cycles) == 208

    run(dut, bench)


@pytest.mark.parametrize("gap", [0, 1, 17])
@pytest.mark.parametrize("cycles", [2, 3, 5, 13, 20, 23])
def test_zeros_at_the_built_speed_are_errors_at_every_higher_one(cycles, gap):
    built = 25
    dut = UartReceiver(divisor=built)
    errors, found = [], []

    async def line(ctx):
        ctx.set(dut.cycles, cycles)
        ctx.set(dut.o.ready, 1)
        for _ in range(PATIENCE):
            ctx.set(dut.rx, 0)
            await ctx.tick().repeat(9 * built)
            ctx.set(dut.rx, 1)
            await ctx.tick().repeat(built + gap)

    async def watch(ctx):
        async for _, _, error, valid in ctx.tick().sample(dut.line_error, dut.o.valid):
            errors.append(error)
            found.append(valid)

    run(dut, line, background=[watch])
    assert sum(errors) == PATIENCE
    assert not any(found)


def test_a_receiver_whose_speed_changes_in_mid_byte_comes_back():
    dut = UartReceiver(divisor=25)
    found = []

    async def line(ctx):
        ctx.set(dut.o.ready, 1)
        for cycles in (25, 2, 25, 3):
            ctx.set(dut.rx, 0)
            await ctx.tick().repeat(60)
            ctx.set(dut.cycles, cycles)
            ctx.set(dut.rx, 1)
            # Through what is left of the byte, and the timer's way round.
            await ctx.tick().repeat(10 * 25 + 32)
            for level in [0, *((0x5A >> k) & 1 for k in range(8)), 1]:
                ctx.set(dut.rx, level)
                await ctx.tick().repeat(cycles)
            await ctx.tick().repeat(30)
            assert found[-1] == 0x5A

    async def watch(ctx):
        async for _, _, valid, byte in ctx.tick().sample(dut.o.valid, dut.o.payload):
            found.extend([byte] if valid else [])

    run(dut, line, background=[watch])


@pytest.mark.parametrize("divisor", [1, 65536])
def test_divisors_that_cannot_be(divisor):
    text = refused(LineSpeed, TypeError, divisor=divisor)
    assert text == f"Divisor must be an integer in 2..65535, not {divisor}"


class Comparison(wiring.Component):
    """Eight bits with constants."""

    def __init__(self, limits):
        super().__init__({"i": In(8), "o": Out(len(limits))})
        self._limits = limits

    def elaborate(self, _platform):
        m = Module()
        m.d.sync += self.o.eq(Cat(at_most(self.i, limit) for limit in self._limits))
        return m


def test_comparison_with_a_constant():
    limits = (0, 1, 2, 25, 100, 128, 208, 254, 255, 256, 1000)
    dut = Comparison(limits)

    async def bench(ctx):
        for value in range(256):
            ctx.set(dut.i, value)
            await ctx.tick()
            assert ctx.get(dut.o) == sum((value <= limit) << k for k, limit in enumerate(limits))

    run(dut, bench)
