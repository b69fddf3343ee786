# SPDX-License-Identifier: Apache-2.0
"""A loadable memory of wide rows."""

from amaranth import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.design import index_bits

__all__ = ["RowMemory", "row_memory_signature"]


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

    Members
    -------
    See `row_memory_signature`.
    """

    def __init__(self, *, rows: int, row_bits: int) -> None:
        self._rows = rows
        self._row_bits = row_bits
        super().__init__(row_memory_signature(rows=rows, row_bits=row_bits))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.rows = rows = memory.Memory(
            shape=self._row_bits,
            depth=self._rows,
            init=[],
            # Yosys spends no logic on rows that are read while they are written.
            attrs={"no_rw_check": 1},
        )
        write, read = rows.write_port(), rows.read_port()
        m.d.comb += [
            read.addr.eq(self.read_row),
            self.read_data.eq(read.data),
            write.addr.eq(self.write_row),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
        ]
        return m
