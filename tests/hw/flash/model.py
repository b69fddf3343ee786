# SPDX-License-Identifier: Apache-2.0
"""A 25-series SPI flash on the pins of `hw.flash.reader.FlashPins`, for Amaranth's simulator."""

from typing import Any

__all__ = ["FlashModel"]


class FlashModel:
    """Answers 0x03; sleeps, as iCE40's tools leave it, until 0xAB and ``wake_cycles`` more.

    Anything else that is sent is a failure, and so is a read while it sleeps.

    Parameters
    ----------
    content
        Bytes from address 0 on; what is missing is erased. May be changed at any time.
    wake_cycles
        Clock cycles from the end of 0xAB to the first selection that is understood.
    """

    def __init__(self, content: bytes = b"", *, wake_cycles: int = 30) -> None:
        self.content = content
        self.is_asleep = True
        #: First address of each read, in order.
        self.reads: list[int] = []
        self._wake_cycles = wake_cycles

    def _bit(self, place: int) -> int:
        address, bit = divmod(place, 8)
        byte = self.content[address] if address < len(self.content) else 0xFF
        return (byte >> (7 - bit)) & 1

    def bench(self, pins: Any) -> Any:
        """A bench for the background."""

        async def answer(ctx: Any) -> None:
            cycle, awake_at = 0, None
            was_selected = sck_before = 0
            taken: list[int] = []
            place = 0
            async for _, _, cs, sck, copi in ctx.tick().sample(pins.cs, pins.sck, pins.copi):
                cycle += 1
                if cs:
                    # A command that is cut does nothing.
                    if was_selected and len(taken) >= 8 and _number(taken[:8]) == 0xAB:
                        self.is_asleep, awake_at = False, cycle + self._wake_cycles
                    was_selected, taken = 0, []
                    sck_before = 0
                    continue
                if not was_selected:
                    assert awake_at is None or cycle >= awake_at, "selected while it wakes up"
                    assert not sck, "the clock must be 0 when it is selected"
                was_selected = 1
                if sck and not sck_before and len(taken) < 32:
                    taken.append(copi)
                    if len(taken) == 8:
                        command = _number(taken)
                        assert command == 0xAB if self.is_asleep else command in (0xAB, 0x03)
                    if len(taken) == 32:
                        self.reads.append(_number(taken[8:]))
                        place = 8 * self.reads[-1]
                if not sck and sck_before and len(taken) == 32:
                    ctx.set(pins.cipo, self._bit(place))
                    place += 1
                sck_before = sck

        return answer


def _number(bits: list[int]) -> int:
    return int("".join(map(str, bits)), 2)
