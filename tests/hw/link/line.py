# SPDX-License-Identifier: Apache-2.0
"""A host on the bytes of a link, in Amaranth's simulator."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from firmware.link import Frame, FrameParser, encode_frame
from hw.accelerator import Accelerator
from hw.design.design import Design
from hw.formats.structures import pack
from hw.link.accelerator_ports import STATUS_PORTS
from hw.link.link import Link
from hw.link.packets import FrameType, LoadBegin, LoadData
from tests.hw.streams import run

__all__ = ["Host", "LinkedAccelerator", "converse", "load"]


class LinkedAccelerator(wiring.Component):
    """Accelerator and link without a UART."""

    def __init__(self, *, design: Design) -> None:
        self._design = design
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(design=self._design)
        m.submodules.link = link = Link(design=self._design)
        connect(m, flipped(self.i), link.i)
        connect(m, link.o, flipped(self.o))
        connect(m, link.o_network, accelerator.i_network)
        connect(m, link.o_sample, accelerator.i_sample)
        connect(m, accelerator.o_record, link.i_record)
        connect(m, link.bus, accelerator.bus)
        for port in STATUS_PORTS:
            m.d.comb += getattr(link, port).eq(getattr(accelerator, port))
        m.d.comb += [accelerator.errors.eq(link.errors), accelerator.restart.eq(link.restart)]
        return m


class Host:
    """Sends bytes and frames, takes what comes back."""

    def __init__(self, ctx: Any, dut: Any, rng: random.Random, stall: float) -> None:
        self._ctx, self._dut, self._rng, self._stall = ctx, dut, rng, stall
        self._parser = FrameParser()
        self._sequence = 0
        self.replies: list[Frame] = []

    async def send(self, line: bytes) -> None:
        """Send bytes as they are; take what comes meanwhile."""
        for byte in line:
            while self._rng.random() < self._stall:
                await self._tick()
            self._ctx.set(self._dut.i.payload, byte)
            self._ctx.set(self._dut.i.valid, 1)
            assert self._ctx.get(self._dut.i.ready), "a byte was not taken"
            await self._tick()
            self._ctx.set(self._dut.i.valid, 0)

    async def _tick(self) -> None:
        ready = self._rng.random() >= self._stall
        self._ctx.set(self._dut.o.ready, ready)
        _, _, valid, byte = await self._ctx.tick().sample(self._dut.o.valid, self._dut.o.payload)
        if valid and ready:
            self.replies += self._parser.feed(bytes([byte]))

    async def wait(self, cycles: int = 3000) -> Frame | None:
        """Next reply, or none within some cycles."""
        for _ in range(cycles):
            if self.replies:
                return self.replies.pop(0)
            await self._tick()
        return None

    async def request(self, kind: Any, body: bytes = b"") -> Frame:
        """Send a frame and return the reply to it."""
        self._sequence += 1
        await self.send(encode_frame(Frame(type=kind, sequence=self._sequence, body=body)))
        reply = await self.wait()
        assert reply is not None, "no reply"
        assert reply.sequence == self._sequence
        return reply


async def load(host: Host, image: bytes, *, part: int = 200) -> list[Frame]:
    """Load an image; returns the replies."""
    replies = [await host.request(FrameType.LOAD_BEGIN, pack(LoadBegin, length=len(image)))]
    for offset in range(0, len(image), part):
        body = pack(LoadData, remaining=len(image) - offset) + image[offset : offset + part]
        replies.append(await host.request(FrameType.LOAD_DATA, body))
    replies.append(await host.request(FrameType.LOAD_END))
    return replies


def converse(
    design: Design, talk: Callable[[Host], Awaitable[None]], *, stall: float = 0.0, seed: int = 1
) -> None:
    """Run a conversation with an accelerator on a link."""
    dut = LinkedAccelerator(design=design)

    async def bench(ctx: Any) -> None:
        await talk(Host(ctx, dut, random.Random(seed), stall))

    run(dut, bench, outputs=[dut.o])
