# SPDX-License-Identifier: Apache-2.0
"""Real builds of something tiny, and builds that must fail."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.boards import BOARDS, find_board
from hw.flow.build import TimingError, build_bitstream, part_of
from hw.flow.on_board import NoPinsError, OnBoard, check_pins
from hw.flow.report import Resources, read_netlist, read_place_report, sum_resources
from hw.flow.tools import MissingToolError, ToolError, ToolTimeoutError, find_tool, run_tool
from hw.vendor.pll import choose_pll


class Echo(wiring.Component):
    """Sends the line back after a sum of so many bits, which sets the clock; ports as BoardTop."""

    def __init__(self, *, bits: int, link: str = "uart", flash: bool = False) -> None:
        self._bits = bits
        ports = {"rx": In(1), "tx": Out(1)}
        if link == "spi":
            ports = {name: In(1) for name in ("sck", "cs", "copi")}
            ports |= {name: Out(1) for name in ("cipo", "cipo_enable")}
        if flash:
            ports |= {f"flash_{name}": Out(1) for name in ("cs", "sck", "copi")}
            ports["flash_cipo"] = In(1)
        super().__init__(ports)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        number = Signal(self._bits)
        total = Signal(self._bits)
        ports = self.signature.members
        taken = [getattr(self, name) for name, port in ports.items() if port.flow is In]
        given = [getattr(self, name) for name, port in ports.items() if port.flow is Out]
        m.d.sync += [number.eq((number << 1) | Cat(*taken).xor()), total.eq(total + number)]
        m.d.comb += [port.eq(total[-1 - index]) for index, port in enumerate(given)]
        return m


@pytest.mark.parametrize(
    ("name", "clock"), [("icebreaker", 24.0), ("ulx3s-25f", 105.0), ("tang-nano-9k", 81.0)]
)
def test_a_tiny_design_becomes_a_bitstream(tmp_path: Path, name: str, clock: float) -> None:
    board = find_board(name)
    asked, stages = [], []

    def top(clock_hz: float) -> Echo:
        asked.append(clock_hz)
        return Echo(bits=8, flash=True)

    path = tmp_path / f"echo{board.bitstream_suffix}"
    made = build_bitstream(
        board=board,
        make_top=top,
        path=path,
        folder=tmp_path / "tools",
        clock_mhz=clock,
        on_stage=stages.append,
    )
    assert made.path == path
    assert path.stat().st_size > 1000
    assert made.clock_mhz == pytest.approx(clock)
    assert asked == [pytest.approx(clock * 1e6)]
    assert made.place.achieved_mhz >= clock
    assert made.place.critical_path
    assert sum_resources(made.parts).flip_flops >= 16
    assert 0 < made.place.resources.luts < made.place.available.luts
    assert [stage.split()[0] for stage in stages] == ["synthesis", "place", "bitstream"]


@pytest.mark.parametrize("name", BOARDS)
def test_link_and_flash_find_their_pins(name: str) -> None:
    board = find_board(name)
    setting = choose_pll(board.pll, input_hz=board.clock_hz, wanted_hz=board.target_mhz * 1e6)
    for link in ("uart", "spi") if board.spi is not None else ("uart",):
        inner = Echo(bits=8, link=link, flash=True)
        top = OnBoard(board=board, setting=setting, inner=inner)
        platform = board.platform()
        plan = platform.prepare(top, "top", emit_src=False)
        netlist = plan.files["top.il"]
        for resource, number in (board.flash, board.uart if link == "uart" else board.spi):
            for io in platform.lookup(resource, number).ios:
                pin = rf"connect \\\w+ \\{resource}_{number}__{io.name}__io\b"
                # The flash clock of an ECP5 is behind a cell; UARTs have more than two signals.
                is_joined = (resource, io.name) != ("spi_flash_1x", "clk") or (
                    board.flash_clock == "pin"
                )
                is_joined &= io.name not in ("rts", "dtr")
                assert bool(re.search(pin, netlist)) == is_joined, io.name
        assert ("USRMCLK" in netlist) == (board.flash_clock == "USRMCLK")


def test_a_board_without_pins_for_spi_refuses_the_link() -> None:
    text = "Link of ulx3s-25f must be uart, not spi: it has no pins for SPI"
    with pytest.raises(NoPinsError, match=f"^{re.escape(text)}$"):
        check_pins(find_board("ulx3s-25f"), "spi")
    check_pins(find_board("pico-ice"), "spi")


def test_without_a_clock_the_second_try_takes_what_the_first_achieved(tmp_path: Path) -> None:
    board = dataclasses.replace(find_board("icebreaker"), target_mhz=250.0)
    path = tmp_path / "slow.bin"
    made = build_bitstream(
        board=board, make_top=lambda _: Echo(bits=48), path=path, folder=tmp_path / "tools"
    )
    assert len(made.attempts) >= 2
    assert [attempt.met for attempt in made.attempts[:-1]] == [False] * (len(made.attempts) - 1)
    assert made.attempts[-1].met
    assert 16 <= made.clock_mhz <= made.attempts[0].achieved_mhz
    assert path.exists()


def test_a_clock_that_is_missed_leaves_no_bitstream(tmp_path: Path) -> None:
    path = tmp_path / "fast.bin"
    path.write_bytes(b"of an earlier build")
    with pytest.raises(
        TimingError, match=r"Clock of icebreaker must be 249 MHz, but the best of 1 place"
    ):
        build_bitstream(
            board=find_board("icebreaker"),
            make_top=lambda _: Echo(bits=48),
            path=path,
            folder=tmp_path / "tools",
            clock_mhz=250.0,
            attempts=1,
        )
    assert not path.exists()


def test_missing_native_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="Tool yosys must be on PATH"):
        build_bitstream(
            board=find_board("icebreaker"),
            make_top=lambda _: Echo(bits=8),
            path=tmp_path / "none.bin",
            folder=tmp_path / "tools",
            native=True,
        )
    with pytest.raises(MissingToolError, match="Tool must be one of yosys, "):
        find_tool("vivado")


def test_a_failing_tool_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"Tool yosys failed with exit code 1: ERROR: .*nowhere"):
        run_tool(["yosys", "-q", "-p", "read_rtlil nowhere.il"], folder=tmp_path)


def test_a_tool_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ToolTimeoutError, match="Tool yosys did not finish in the time given"):
        run_tool(["yosys", "-p", "shell"], folder=tmp_path, deadline=0.0)


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("design.accelerator.core.layer0.lane3.potential_SB_DFF_Q", "layer0"),
        ("design.accelerator.core.store1.words.0.0_RAM", "store1"),
        ("design.accelerator.core.readout.best_SB_LUT4_O", "readout"),
        ("design.accelerator.core.row_SB_DFFE_Q", "core"),
        ("design.accelerator.core.layer0", "core"),
        ("design.accelerator.loader.place_SB_LUT4_O", "accelerator"),
        ("design.link.encoder.ring.0.0_RAM", "link"),
        ("design.power_up.boot.reader.place_SB_DFF_Q", "boot"),
        ("clock.pll", "board"),
    ],
)
def test_parts_are_named_as_in_estimates(cell: str, part: str) -> None:
    assert part_of(cell) == part


def test_cells_are_counted_by_part(tmp_path: Path) -> None:
    def cells(*types: str) -> dict[str, dict[str, str]]:
        return {f"a.b{n}.c": {"type": kind} for n, kind in enumerate(types)}

    netlist = tmp_path / "top.json"
    top = {
        "attributes": {"top": "1"},
        "cells": cells("SB_LUT4", "SB_DFFESR", "SB_CARRY", "CCU2C", "TRELLIS_FF", "DP16KD"),
    }
    netlist.write_text(json.dumps({"modules": {"top": top, "cell": {"cells": {}}}}))
    assert read_netlist(netlist, part_of=lambda name: name.split(".")[0]) == {
        "a": Resources(luts=3, flip_flops=2, ram_blocks=1)
    }
    netlist.write_text(json.dumps({"modules": {}}))
    with pytest.raises(ValueError, match=re.escape("must have one top module, not 0")):
        read_netlist(netlist, part_of=str)


def test_a_report_without_a_clock_is_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"fmax": {}, "utilization": {}}))
    with pytest.raises(ValueError, match="must have a clock"):
        read_place_report(report, clock_mhz=24.0)
