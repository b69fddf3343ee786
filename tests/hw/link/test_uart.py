# SPDX-License-Identifier: Apache-2.0
import random

import pytest
from amaranth import Module
from amaranth.lib import wiring

from hw.link.uart_receiver import UartReceiver, divisor_for
from hw.link.uart_transmitter import UartTransmitter
from tests.hw.refused import refused
from tests.hw.streams import get, put, run


class Loop(wiring.Component):
    """A transmitter on a receiver, at their built speeds or at others."""

    def __init__(self, send, receive, built=None):
        super().__init__({})
        self._cycles = send, receive
        self.transmitter = UartTransmitter(divisor=built or send)
        self.receiver = UartReceiver(divisor=built or receive)

    def elaborate(self, _platform):
        m = Module()
        send, receive = self._cycles
        m.d.comb += [self.transmitter.cycles.eq(send), self.receiver.cycles.eq(receive)]
        m.submodules.transmitter = self.transmitter
        m.submodules.receiver = self.receiver
        m.d.comb += self.receiver.rx.eq(self.transmitter.tx)
        return m


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("built", [None, 208])
@pytest.mark.parametrize(
    ("send", "receive"), [(2, 2), (3, 3), (4, 4), (25, 25), (51, 50), (49, 50)]
)
def test_bytes_arrive(send, receive, built, stall):
    dut = Loop(send, receive, built)
    message = [0x00, 0xFF, 0x55, 0xAA, *random.Random(send).randbytes(12)]
    taken = []

    async def source(ctx):
        await put(ctx, dut.transmitter.i, message, random.Random(2), stall)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.receiver.o, len(message), random.Random(3), stall / 2))

    run(dut, source, sink, outputs=[dut.receiver.o])
    assert [byte for _, byte in taken] == message
    if not stall and send == receive:
        gaps = {later - earlier for (earlier, _), (later, _) in zip(taken, taken[1:], strict=False)}
        assert gaps == {10 * send}


async def line_byte(ctx, dut, byte, *, stop=1, divisor=4):
    for level in [0, *((byte >> k) & 1 for k in range(8)), stop]:
        ctx.set(dut.rx, level)
        await ctx.tick().repeat(divisor)


def test_a_byte_without_stop_bit_is_dropped_and_the_next_arrives():
    dut = UartReceiver(divisor=4)
    seen, errors = [], []

    async def line(ctx):
        ctx.set(dut.o.ready, 1)
        await line_byte(ctx, dut, 0x12, stop=0)
        await ctx.tick().repeat(30)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(9)
        await line_byte(ctx, dut, 0x34)
        await ctx.tick().repeat(9)

    async def watch(ctx):
        async for _, _, valid, byte, error in ctx.tick().sample(
            dut.o.valid, dut.o.payload, dut.line_error
        ):
            seen.extend([byte] if valid else [])
            errors.append(error)

    run(dut, line, background=[watch])
    assert seen == [0x34]
    assert sum(errors) == 1


def test_a_spike_on_the_line_is_no_byte():
    dut = UartReceiver(divisor=16)
    seen = []

    async def line(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(5)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(200)

    async def watch(ctx):
        async for _, _, valid in ctx.tick().sample(dut.o.valid):
            seen.append(valid)

    run(dut, line, background=[watch])
    assert not any(seen)


def test_a_byte_that_nobody_takes_is_kept_and_the_next_is_lost():
    dut = UartReceiver(divisor=4)
    lost = []

    async def line(ctx):
        await line_byte(ctx, dut, 0x12)
        await line_byte(ctx, dut, 0x34)
        await ctx.tick().repeat(9)
        assert ctx.get(dut.o.payload) == 0x12
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        await line_byte(ctx, dut, 0x56)
        await ctx.tick().repeat(9)
        assert ctx.get(dut.o.payload) == 0x56

    async def watch(ctx):
        async for _, _, overrun in ctx.tick().sample(dut.overrun):
            lost.append(overrun)

    run(dut, line, background=[watch])
    assert sum(lost) == 1


@pytest.mark.parametrize("kind", [UartReceiver, UartTransmitter])
@pytest.mark.parametrize("divisor", [1, 0, 65536, 2.5, "4"])
def test_divisors_that_cannot_be(kind, divisor):
    text = refused(kind, TypeError, divisor=divisor)
    assert text == f"Divisor must be an integer in 2..65535, not {divisor!r}"


@pytest.mark.parametrize(
    ("clock_hz", "least", "most"), [(12e6, 184, 6_000_000), (131_070, 2, 65_535), (5, 1, 2)]
)
def test_speeds_that_a_clock_can_have(clock_hz, least, most):
    assert 2 <= divisor_for(clock_hz, most) <= divisor_for(clock_hz, least) <= 65535
    for baud in (-1, 0, least - 1, most + 1):
        with pytest.raises(ValueError, match="^Bits a second must be in ") as caught:
            divisor_for(clock_hz, baud)
        assert str(caught.value) == (
            f"Bits a second must be in {least}..{most} with a clock of {clock_hz / 1e6:g} MHz, "
            f"not {baud}"
        )


def test_divisor_is_kept():
    for kind in (UartReceiver, UartTransmitter):
        dut = kind(divisor=7)
        assert dut.divisor == 7
        run(dut, idle)


async def idle(ctx):
    await ctx.tick()
