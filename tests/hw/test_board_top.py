# SPDX-License-Identifier: Apache-2.0
import random
import zlib

import pytest

from hw.board_top import BoardTop
from hw.formats.register_map import LinkWord, register_address
from hw.formats.structures import pack, unpack
from hw.link.line_speed import PATIENCE
from hw.link.packets import FrameType, ReadRequest, Refusal, RefusalReason, WriteRequest
from tests.hw.designs import two_layers
from tests.hw.link.buses import SerialHost, SpiHost
from tests.hw.refused import refused
from tests.hw.streams import run


def test_a_register_is_read_over_the_serial_line():
    design = two_layers()
    dut = BoardTop(design=design, divisor=3, clock_hz=48_000_000)

    async def bench(ctx):
        host = SerialHost(ctx, dut, 3)
        for name, value in (("magic", b"PSPK"), ("clock_hz", (48_000_000).to_bytes(4, "little"))):
            reply = await host.request(FrameType.READ, read_of(name))
            assert (reply.type, reply.body) == (FrameType.WORDS, value)
        # A byte without stop bit raises a flag and nothing else.
        await host.level(0, 11 * 3)
        reply = await host.request(FrameType.READ, read_of("errors"))
        assert reply is None or reply.body == b"\1\0\0\0"
        reply = await host.request(FrameType.READ, read_of("errors"))
        assert reply.body == b"\1\0\0\0"

    run(dut, bench)
    assert (dut.design, dut.divisor) == (design, 3)


def test_boards_that_cannot_be():
    text = refused(BoardTop, TypeError, design=two_layers(), divisor=1)
    assert text == "Divisor must be an integer in 2..65535, not 1"
    text = refused(BoardTop, ValueError, design=two_layers(sample_input="words"), divisor=4)
    assert text == "Sample input of a design with a link must be pixels or events, not 'words'"
    text = refused(BoardTop, ValueError, design=two_layers(), divisor=4, link="i2c")
    assert text == "Link must be one of uart, spi, not 'i2c'"


def read_of(name):
    """Body of a request for one register."""
    return pack(ReadRequest, address=register_address(name), words=1)


def write_of(name, value):
    """Body of a write to a register."""
    return pack(WriteRequest, address=register_address(name), value=value)


def reason(reply):
    assert reply.type is FrameType.REFUSED
    return RefusalReason(unpack(Refusal, reply.body)["reason"])


def test_speed_is_chosen_and_comes_back():
    dut = BoardTop(design=two_layers(), divisor=8, board="icebreaker")

    async def bench(ctx):
        host = SerialHost(ctx, dut, 8)

        async def link():
            reply = await host.request(FrameType.READ, read_of("link"))
            return None if reply is None else unpack(LinkWord, reply.body)

        assert await link() == {"divisor": 8, "built": 8}
        assert (await host.request(FrameType.READ, read_of("board"))).body == (
            zlib.crc32(b"icebreaker").to_bytes(4, "little")
        )
        for value in (1, 9, 0x102):
            reply = await host.request(FrameType.WRITE, write_of("link", value))
            assert reason(reply) is RefusalReason.VALUE
        reply = await host.request(FrameType.WRITE, write_of("boot", 0))
        assert reason(reply) is RefusalReason.VALUE
        for chosen in (3, 2):
            # The reply still comes at the speed before.
            reply = await host.request(FrameType.WRITE, write_of("link", chosen))
            assert reply.type is FrameType.DONE
            host.divisor = chosen
            assert await link() == {"divisor": chosen, "built": 8}
            probe = random.Random(chosen).randbytes(40)
            assert (await host.request(FrameType.PROBE, probe)).type is FrameType.DONE
        # A host that knows nothing of it finds the board again.
        host.divisor = 8
        assert await link() is None
        await host.send(bytes(PATIENCE))
        assert await link() == {"divisor": 8, "built": 8}

    run(dut, bench)


@pytest.mark.parametrize("half", [4, 4.3])
def test_registers_are_read_over_spi(half):
    dut = BoardTop(design=two_layers(), clock_hz=24_000_000, link="spi")
    assert (dut.divisor, dut.link) == (0, "spi")

    async def bench(ctx):
        host = SpiHost(ctx, dut, half=half)
        for _ in range(2):
            reply = await host.request(FrameType.READ, read_of("clock_hz"))
            assert reply.body == (24_000_000).to_bytes(4, "little")
            # A selection that ends anywhere costs no more than the frame that was on the line.
            await host.select(True)
            await host.exchange(b"\0\x07garb")
            await host.select(True)
            await host.bits(0xA5, 5)
            await host.select(False)
        assert (await host.request(FrameType.READ, read_of("link"))).body == bytes(4)
        reply = await host.request(FrameType.WRITE, write_of("link", 4))
        assert reason(reply) is RefusalReason.VALUE
        assert (await host.request(FrameType.PROBE, bytes(range(50)))).type is FrameType.DONE

    run(dut, bench)
