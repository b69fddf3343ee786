# SPDX-License-Identifier: Apache-2.0

from firmware.link import Frame, FrameParser, encode_frame
from hw.board_top import BoardTop
from hw.link.packets import FrameType, ReadRequest
from hw.register_map import register_address
from hw.structures import pack
from tests.hw.designs import two_layers
from tests.hw.refused import refused
from tests.hw.streams import run

DIVISOR = 3


def bytes_of(levels):
    """Bytes on a line of which every cycle is known."""
    line, place = bytearray(), 0
    while 0 in levels[place:]:
        start = levels.index(0, place) + DIVISOR // 2
        bits = levels[start + DIVISOR : start + 9 * DIVISOR : DIVISOR]
        line.append(sum(bit << k for k, bit in enumerate(bits)))
        place = start + 9 * DIVISOR
    return bytes(line)


def test_a_register_is_read_over_the_serial_line():
    design = two_layers()
    dut = BoardTop(design=design, divisor=DIVISOR, clock_hz=48_000_000)

    async def host(ctx):
        for name in ("magic", "clock_hz"):
            body = pack(ReadRequest, address=register_address(name), words=1)
            for byte in encode_frame(Frame(type=FrameType.READ, sequence=9, body=body)):
                for level in [0, *((byte >> k) & 1 for k in range(8)), 1]:
                    ctx.set(dut.rx, level)
                    await ctx.tick().repeat(DIVISOR)
            await ctx.tick().repeat(20 * 10 * DIVISOR)
        # A byte without stop bit raises a flag and nothing else.
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(11 * DIVISOR)
        ctx.set(dut.rx, 1)

    levels = []

    async def line(ctx):
        async for _, _, level in ctx.tick().sample(dut.tx):
            levels.append(level)

    run(dut, host, background=[line])
    assert (dut.design, dut.divisor) == (design, DIVISOR)
    replies = FrameParser().feed(bytes_of(levels))
    assert [(reply.type, reply.sequence, reply.body) for reply in replies] == [
        (FrameType.WORDS, 9, b"PSPK"),
        (FrameType.WORDS, 9, (48_000_000).to_bytes(4, "little")),
    ]


def test_boards_that_cannot_be():
    text = refused(BoardTop, TypeError, design=two_layers(), divisor=1)
    assert text == "Divisor must be an integer of at least 2, not 1"
    text = refused(BoardTop, ValueError, design=two_layers(sample_input="words"), divisor=4)
    assert text == "Sample input of a design with a link must be pixels or events, not 'words'"
