# SPDX-License-Identifier: Apache-2.0
"""How many samples a host may have under way."""

from hw.link.packets import CRC_BYTES, HEADER_BYTES

__all__ = ["WIDEST", "SampleWindow"]

#: Most samples under way on a board that is faster than its line.
WIDEST = 32
_BITS_PER_BYTE = 10


class SampleWindow:
    """Samples that may be under way: as many as the board's buffer holds, or more if it is fast.

    A board that needs at most half the time for a sample that the line needs to bring one always
    has room for the next. Then more may be on their way: they lie in the host's own buffers and
    hide the time until it gets to see an answer. One lost frame, or one sample that had to wait
    for another, and what the buffer holds is the limit again.

    Parameters
    ----------
    safe
        Samples that never overrun the board's buffer.
    values
        Bytes of a sample.
    divisor
        Clock cycles a bit of the line; 0: not known.
    """

    def __init__(self, *, safe: int, values: int, divisor: int) -> None:
        self._safe = safe
        self._line_cycles = divisor * _BITS_PER_BYTE * (HEADER_BYTES + values + CRC_BYTES)
        self._is_fast: bool | None = None  # not known

    def note(self, cycles: int, *, repeated: bool) -> None:
        """Take the cycles of an answer, 0 where they were not measured, and whether a frame was
        lost since the batch began."""
        fast = 0 < 2 * cycles <= self._line_cycles and not repeated
        self._is_fast = fast and self._is_fast is not False

    @property
    def size(self) -> int:
        """Samples that may be under way now."""
        return max(self._safe, WIDEST) if self._is_fast else self._safe
