# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.link.spi_peripheral import CYCLES_PER_SCK, SpiPeripheral
from tests.hw.link.buses import SpiHost
from tests.hw.streams import put, run, take_all

# Half periods of SCK in clock cycles: the limit, in step and not, and slower.
HALVES = [CYCLES_PER_SCK / 2, CYCLES_PER_SCK / 2 + 0.01, 5.37, 11.0]


def conversation(talk, replies=b"", *, half=CYCLES_PER_SCK / 2, stall=0.0, phase=0.37):
    """Bytes that the peripheral takes while the host talks and the board has replies."""
    dut = SpiPeripheral()
    taken = []

    async def host(ctx):
        await ctx.delay(phase * 1e-6)
        await talk(SpiHost(ctx, dut, half=half), ctx, dut)

    async def source(ctx):
        await put(ctx, dut.i, replies, random.Random(3), stall)

    async def sink(ctx):
        await take_all(ctx, dut.o, taken.append, random.Random(4), 0.0)

    run(dut, host, background=[source, sink])
    return bytes(taken)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("phase", [0.0, 0.37, 0.99])
def test_bytes_arrive_both_ways(half, phase):
    rng = random.Random(7)
    message, replies = b"\x00\xff\x80\x01" + rng.randbytes(12), b"\xff\x01" + rng.randbytes(6)

    async def talk(host, ctx, dut):
        assert ctx.get(dut.cipo_enable) == 0
        # What waits before the selection goes out at once, and zeros behind it.
        await ctx.tick().repeat(4)
        found = await host.exchange(message)
        assert found == replies + bytes(len(message) - len(replies))

    assert conversation(talk, replies, half=half, phase=phase) == message


def test_idle_fillers_are_zeros():
    async def talk(host, _ctx, _dut):
        assert await host.exchange(bytes(5)) == bytes(5)

    assert conversation(talk) == bytes(5)


def test_replies_that_come_late_come_whole_and_in_order():
    replies = random.Random(5).choices(range(1, 256), k=20)

    async def talk(host, _ctx, _dut):
        found = b"".join([await host.exchange(bytes(7)) for _ in range(40)])
        assert [byte for byte in found if byte] == replies

    conversation(talk, bytes(replies), stall=0.98)


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_selection_that_ends_in_mid_byte(cut):
    async def talk(host, ctx, _dut):
        await ctx.tick().repeat(4)
        await host.select(True)
        assert await host.bits(0x5A) == 0x11
        assert await host.bits(0xFF, cut) == 0x22 >> (8 - cut)
        await host.select(False)
        # The byte that had begun goes out again; the one that had come in part is gone.
        assert await host.exchange(b"\x12\x34") == b"\x22\x33"

    assert conversation(talk, b"\x11\x22\x33") == b"\x5a\x12\x34"


def test_a_spike_on_the_clock_costs_no_more_than_the_selection():
    async def talk(host, ctx, dut):
        await host.select(True)
        await host.bits(0x5A)
        ctx.set(dut.sck, 1)
        await ctx.tick()
        ctx.set(dut.sck, 0)
        await ctx.tick().repeat(4)
        await host.bits(0x77)
        await host.select(False)
        await host.exchange(b"\x12\x34")

    taken = conversation(talk)
    assert taken[0] == 0x5A
    assert taken[2:] == b"\x12\x34"


def test_a_clock_without_selection_is_none_of_its_business():
    async def talk(host, ctx, dut):
        await host.bits(0xA5)
        assert ctx.get(dut.cipo_enable) == 0
        assert await host.exchange(b"\x12\0") == b"\x11\0"

    assert conversation(talk, b"\x11") == b"\x12\0"


def test_its_line_is_driven_while_selected():
    async def talk(host, ctx, dut):
        await host.select(True)
        assert ctx.get(dut.cipo_enable) == 1
        await host.select(False)
        assert ctx.get(dut.cipo_enable) == 0

    assert conversation(talk) == b""
