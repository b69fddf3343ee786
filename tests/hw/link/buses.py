# SPDX-License-Identifier: Apache-2.0
"""Hosts at the pins of a board, in Amaranth's simulator: a serial line and SPI."""

from typing import Any

from firmware.link import Frame, FrameParser, encode_frame
from hw.link.spi_peripheral import CYCLES_PER_SCK

__all__ = ["SerialHost", "SpiHost"]

_CYCLE = 1e-6  # of `tests.hw.streams.run`


class SerialHost:
    """Sends bits and takes those that come, at a speed that may be changed."""

    def __init__(self, ctx: Any, dut: Any, divisor: int) -> None:
        self._ctx, self._dut = ctx, dut
        self._sequence = 0
        self.divisor = divisor
        self.levels: list[int] = []

    async def level(self, level: int, cycles: int) -> None:
        """Hold the line."""
        self._ctx.set(self._dut.rx, level)
        for _ in range(cycles):
            _, _, here = await self._ctx.tick().sample(self._dut.tx)
            self.levels.append(here)

    async def send(self, line: bytes) -> None:
        """Send bytes."""
        for byte in line:
            for bit in (0, *((byte >> k) & 1 for k in range(8)), 1):
                await self.level(bit, self.divisor)

    async def wait(self, byte_times: int = 30) -> list[Frame]:
        """Wait for frames, and return those that have come since the last call."""
        found: list[Frame] = []
        for _ in range(0, byte_times, 3):
            await self.level(1, 10 * self.divisor * 3)
            found = FrameParser().feed(_bytes_of(self.levels, self.divisor))
            if found:
                break
        self.levels.clear()
        return found

    async def request(self, kind: Any, body: bytes = b"") -> Frame | None:
        """Send a frame; returns the reply to it, or none."""
        self._sequence += 1
        await self.send(encode_frame(Frame(type=kind, sequence=self._sequence, body=body)))
        replies = [each for each in await self.wait() if each.sequence == self._sequence]
        return replies[0] if replies else None


def _bytes_of(levels: list[int], divisor: int) -> bytes:
    """Bytes on a line of which every cycle is known."""
    line, place = bytearray(), 0
    while 0 in levels[place:]:
        start = levels.index(0, place) + divisor // 2
        bits = levels[start + divisor : start + 9 * divisor : divisor]
        if start + 9 * divisor >= len(levels):
            break
        if levels[start + 9 * divisor]:
            line.append(sum(bit << k for k, bit in enumerate(bits)))
        place = start + 9 * divisor
    return bytes(line)


class SpiHost:
    """Clocks bytes out and in at any phase to the board's clock.

    Parameters
    ----------
    half
        Clock cycles of half a period of SCK; need not be whole.
    """

    def __init__(self, ctx: Any, dut: Any, *, half: float = CYCLES_PER_SCK / 2) -> None:
        self._ctx, self._dut, self._half = ctx, dut, half
        self._parser = FrameParser()
        self._sequence = 0

    async def _wait(self, phases: float = 1) -> None:
        await self._ctx.delay(self._half * phases * _CYCLE)

    async def select(self, selected: bool) -> None:
        """Begin or end a selection."""
        self._ctx.set(self._dut.cs, not selected)
        await self._wait()

    async def bits(self, value: int, count: int = 8) -> int:
        """Exchange bits, the highest first."""
        found = 0
        for place in reversed(range(count)):
            self._ctx.set(self._dut.copi, value >> place & 1)
            await self._wait()
            found = found << 1 | self._ctx.get(self._dut.cipo)
            self._ctx.set(self._dut.sck, 1)
            await self._wait()
            self._ctx.set(self._dut.sck, 0)
        return found

    async def exchange(self, message: bytes) -> bytes:
        """Exchange bytes in one selection."""
        await self.select(True)
        found = bytes([await self.bits(byte) for byte in message])
        await self._wait()
        await self.select(False)
        return found

    async def request(self, kind: Any, body: bytes = b"", *, polls: int = 60) -> Frame | None:
        """Send a frame, then zeros; returns the reply to it, or none."""
        self._sequence += 1
        line = encode_frame(Frame(type=kind, sequence=self._sequence, body=body))
        replies = self._parser.feed(await self.exchange(line + bytes(polls)))
        replies = [each for each in replies if each.sequence == self._sequence]
        return replies[0] if replies else None
