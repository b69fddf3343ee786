# SPDX-License-Identifier: Apache-2.0
"""A loadable memory of wide rows."""

from collections.abc import Sequence

from amaranth import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import index_bits

__all__ = ["RowMemory", "column_bits", "row_memory_signature"]

# Rows of more are spread over narrow memories, each as deep as a block RAM of so many bits can be:
# left alone, Yosys takes wide and shallow blocks, and spends more tables on choosing between them
# than a committee may cost.
_SHALLOW = 1024
_BLOCK_BITS = 16384


def column_bits(*, rows: int, row_bits: int) -> int:
    """Bits of each of the memories that the rows are spread over."""
    if rows <= _SHALLOW:
        return row_bits
    return max(1, _BLOCK_BITS >> index_bits(rows))


def row_memory_signature(*, rows: int, row_bits: int) -> dict[str, wiring.Member]:
    """Ports that a row memory and its vendor twins share.

    Members
    -------
    read_row : In(index of a row)
    read_data : Out(row_bits)
        The row whose number stood at ``read_row`` one cycle before.
    write_row, write_data, write_enable : In
        Write port. What is read in a cycle of writing is undefined.
    """
    return {
        "read_row": In(index_bits(rows)),
        "read_data": Out(row_bits),
        "write_row": In(index_bits(rows)),
        "write_data": In(row_bits),
        "write_enable": In(1),
    }


class RowMemory(wiring.Component):
    """Rows in whatever block RAM the tools choose.

    Parameters
    ----------
    rows
        Number of rows.
    row_bits
        Bits of a row.
    initial
        All rows as they are at power-up, each of ``row_bits``; the memory is in block RAM then,
        where `hw.patch` finds it. None: nobody relies on them.

    Members
    -------
    See `row_memory_signature`.
    """

    def __init__(self, *, rows: int, row_bits: int, initial: Sequence[int] | None = None) -> None:
        self._rows = rows
        self._row_bits = row_bits
        self._initial = initial
        super().__init__(row_memory_signature(rows=rows, row_bits=row_bits))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        size = column_bits(rows=self._rows, row_bits=self._row_bits)
        columns = range(0, self._row_bits, size)
        # Yosys spends no logic on rows that are read while they are written.
        attributes: dict[str, int | str] = {"no_rw_check": 1}
        if self._initial is not None:
            attributes["ram_style"] = "block"
        for number, first in enumerate(columns):
            bits = slice(first, min(first + size, self._row_bits))
            name = f"rows{number}" if len(columns) > 1 else "rows"
            m.submodules[name] = rows = memory.Memory(
                shape=bits.stop - bits.start,
                depth=self._rows,
                init=[
                    row >> bits.start & (1 << bits.stop - bits.start) - 1
                    for row in self._initial or ()
                ],
                attrs=attributes,
            )
            write, read = rows.write_port(), rows.read_port()
            m.d.comb += [
                read.addr.eq(self.read_row),
                self.read_data[bits].eq(read.data),
                write.addr.eq(self.write_row),
                write.data.eq(self.write_data[bits]),
                write.en.eq(self.write_enable),
            ]
        return m
