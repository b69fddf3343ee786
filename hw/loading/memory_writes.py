# SPDX-License-Identifier: Apache-2.0
"""Rows of the core's memories, put together from bytes."""

from amaranth import Module, Signal, Value

from hw.design.design import Design
from hw.formats.contents import Contents
from hw.formats.write_target import write_row_bits, write_targets

__all__ = ["MemoryWrites"]


class MemoryWrites:
    """Puts rows together: bytes shift in from the top, lowest first.

    A row is offered in the cycle after its last byte was taken.

    Parameters
    ----------
    m
        The module that gets the registers.
    design
        Gives the memories, `hw.formats.write_target`.
    valid, target, row, end, data
        As ``write_valid`` and so on of `hw.core.Core`.
    contents
        What the memories hold at power-up.
    """

    def __init__(
        self,
        m: Module,
        *,
        design: Design,
        valid: Value,
        target: Value,
        row: Value,
        end: Value,
        data: Value,
        contents: Contents | None = None,
    ) -> None:
        self._contents = contents
        self._targets = {memory.number: memory for memory in write_targets(design)}
        longest = max(memory.row_bytes for memory in self._targets.values())
        self._row = Signal(write_row_bits(design), name="write_row")
        self._bytes = Signal(8 * longest, name="write_bytes")
        self._enable = Signal(1 + max(self._targets), name="write_enable")
        m.d.sync += self._enable.eq(0)
        with m.If(valid):
            m.d.sync += [
                self._bytes.eq((self._bytes >> 8) | (data << (len(self._bytes) - 8))),
                self._row.eq(row),
                self._enable.eq(end << target),
            ]

    @property
    def row(self) -> Value:
        """Number of the row in hand."""
        return self._row

    def enable(self, target: int) -> Value:
        """Whether the row in hand is for this memory."""
        return self._enable[target]

    def initial(self, target: int) -> tuple[int, ...] | None:
        """Rows of this memory at power-up; None if they do not matter."""
        return None if self._contents is None else self._contents.rows[target]

    def data(self, target: int) -> Value:
        """The row in hand, as wide as this memory's."""
        memory = self._targets[target]
        start = len(self._bytes) - 8 * memory.row_bytes
        return self._bytes[start : start + memory.row_bits]
