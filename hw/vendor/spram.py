# SPDX-License-Identifier: Apache-2.0
"""Single-port memory from UP5K SPRAM cells, the twin of `hw.parts.row_memory.RowMemory`."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring

from hw.design.design import SPRAM_ROWS, ceil_div
from hw.parts.row_memory import row_memory_signature

__all__ = ["SpramRowMemory"]

_WIDTH = 16


class SpramRowMemory(wiring.Component):
    """Rows in SB_SPRAM256KA cells (16384 x 16 bits each), side by side.

    Behaves as `RowMemory`: the row read in one cycle is offered in the next. A cell has one port,
    so a write takes the place of a read. Contents are undefined after power-up. Where rows do not
    fill the last cell, some of its bits are not used.

    Parameters
    ----------
    rows
        At most 16384.
    row_bits
        At least 1; a cell holds 16 bits of a row.

    Raises
    ------
    ValueError
        If the rows do not fit the cells.
    """

    def __init__(self, *, rows: int, row_bits: int) -> None:
        if rows > SPRAM_ROWS:
            raise ValueError(f"SPRAM rows must be at most {SPRAM_ROWS}, not {rows}")
        self._rows = rows
        self._row_bits = row_bits
        super().__init__(row_memory_signature(rows=rows, row_bits=row_bits))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        address = Signal(14)
        m.d.comb += address.eq(self.read_row)
        with m.If(self.write_enable):
            m.d.comb += address.eq(self.write_row)
        outputs = []
        for cell in range(ceil_div(self._row_bits, _WIDTH)):
            output = Signal(_WIDTH, name=f"output{cell}")
            outputs.append(output)
            written = Signal(_WIDTH, name=f"written{cell}")
            m.d.comb += written.eq(self.write_data[cell * _WIDTH : (cell + 1) * _WIDTH])
            m.submodules[f"spram{cell}"] = Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal("sync"),
                i_ADDRESS=address,
                i_DATAIN=written,
                i_MASKWREN=Const(0b1111, 4),
                i_WREN=self.write_enable,
                i_CHIPSELECT=Const(1, 1),
                i_STANDBY=Const(0, 1),
                i_SLEEP=Const(0, 1),
                i_POWEROFF=Const(1, 1),
                o_DATAOUT=output,
            )
        m.d.comb += self.read_data.eq(Cat(*outputs))
        return m
