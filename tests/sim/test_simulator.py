# SPDX-License-Identifier: Apache-2.0
"""Benches: what passes, what fails, and that a run without a test is a failure."""

from pathlib import Path

import pytest

from sim.simulator import BenchError, Simulator, available_simulators, build_simulator, run_bench
from sim.verilator import BuildError

REGISTER = """
module top(input clk, input [3:0] d, output reg [3:0] q);
always @(posedge clk) q <= d;
endmodule
"""
HEAD = """
import cocotb
from cocotb.triggers import Timer
"""
PASSES = """
@cocotb.test()
async def follows(dut):
    for value in (3, 9):
        dut.d.value = value
        for clock in (0, 1):
            dut.clk.value = clock
            await Timer(1, unit="ns")
        assert int(dut.q.value) == value
"""
FAILS = """
@cocotb.test()
async def fails(dut):
    await Timer(1, unit="ns")
    assert False, "on purpose"
"""
SKIPPED = """
@cocotb.test(skip=True)
async def skipped(dut):
    pass
"""


@pytest.fixture
def register(tmp_path: Path, cache: Path) -> Simulator:
    """A compiled register."""
    source = tmp_path / "top.v"
    source.write_text(REGISTER)
    return build_simulator("verilator", [source], top="top", cache=cache)


def bench(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """Write a bench where the simulator's Python finds it."""
    name = f"bench_{abs(hash(text))}"
    (folder / f"{name}.py").write_text(HEAD + text)
    monkeypatch.syspath_prepend(str(folder))
    return name


def test_passing_failing_and_missing_tests(
    register: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_bench(register, bench=bench(tmp_path, monkeypatch, PASSES), folder=tmp_path / "passes")
    # Waves are only written by a simulator built for them.
    with pytest.raises(ValueError, match="Simulator must have been built with waves"):
        run_bench(register, bench="any", folder=tmp_path, waves=True)
    for text, message in (
        (PASSES + FAILS, r"failed:\n(.|\n)*on purpose"),
        (SKIPPED, "executed no test"),
        ("", "executed no test|left no result"),
    ):
        name = bench(tmp_path, monkeypatch, text)
        with pytest.raises(BenchError, match=rf"^Bench {name} ({message})"):
            run_bench(register, bench=name, folder=tmp_path / name)
    with pytest.raises(BenchError, match="^Bench no_such_bench (left no result|executed no test)"):
        run_bench(register, bench="no_such_bench", folder=tmp_path / "none")


def test_refused_design(tmp_path: Path) -> None:
    source = tmp_path / "top.v"
    source.write_text("module top(input a); assign b = c +; endmodule\n")
    with pytest.raises(BuildError, match=r"^verilator refused the design:\n(.|\n)*syntax error"):
        build_simulator("verilator", [source], top="top", cache=tmp_path / "cache")


def test_available_simulators(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available_simulators() == ("verilator",)
    fake = tmp_path / "iverilog"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    assert available_simulators() == ("verilator", "icarus")
