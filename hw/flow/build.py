# SPDX-License-Identifier: Apache-2.0
"""Bitstreams: synthesis, place and route, packing, until the clock is met or the build fails.

A build happens in a folder of its own. The bitstream is written beside its final name and then
renamed, so that a file of that name is always a whole one that met its timing.
"""

import dataclasses
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from amaranth.lib.wiring import Component

from hw.boards.board import Board
from hw.flow.multiplier_timing import multiplier_path
from hw.flow.on_board import OnBoard
from hw.flow.report import PlaceReport, Resources, read_netlist, read_place_report
from hw.flow.tools import find_tool, run_tool
from hw.vendor.pll import PllSetting, choose_pll
from model.whole_file import whole_file

__all__ = ["Attempt", "Bitstream", "TimingError", "build_bitstream", "part_of"]

_NAME = "top"
_NETLISTS = {"ice40": f"{_NAME}.json", "ecp5": f"{_NAME}.json", "gowin": f"{_NAME}.syn.json"}
_PLACED = f"{_NAME}.report.json"

# No memory here is read at an address that is written in the same cycle, or what is read then is
# not used. Without this, Yosys guards every block RAM with a comparator and a bypass register.
_FREE_COLLISIONS = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2"
_IS_PART = re.compile(
    r"(layer|store|replay|times|neurons|sampler)\d+$|(table|readout|members|rates|rasteriser|series|marks)$"
)
# The flip-flops of an iCE40 tile share one clock enable, so that an enable for two or three of
# them wastes the rest; a multiplexer fits the table beside each. A distributed RAM of a Gowin chip
# takes the tables and flip-flops of a whole tile.
_SYNTHESIS_OPTIONS = {
    "ice40": "-device u -dffe_min_ce_use 6",
    "ecp5": "-nowidelut",
    "gowin": "-nowidelut -nolutram",
}
# On Gowin nextpnr knows no delay of a multiplier, so what lies behind one would not be timed.
_MULTIPLIERS = {"ice40": "-dsp", "ecp5": "", "gowin": "-nodsp"}


class TimingError(RuntimeError):
    """A build that did not meet its clock; the text names wanted and achieved clock."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """One place and route run.

    Parameters
    ----------
    clock_mhz
        Clock asked for.
    achieved_mhz
        Clock that the slowest path allows.
    seed
        Seed of the placer.
    seconds
        Wall time of synthesis (where it ran again), place and route.
    """

    clock_mhz: float
    achieved_mhz: float
    seed: int
    seconds: float

    @property
    def met(self) -> bool:
        """Whether the clock was met."""
        return self.achieved_mhz >= self.clock_mhz


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bitstream:
    """A finished bitstream and what the tools said about it.

    Parameters
    ----------
    path
        The file.
    board
        Board that it is for.
    setting
        PLL setting, with the clock it makes.
    place
        Report of place and route.
    parts
        Resources by part, counted in the netlist before packing.
    packing
        Command line that packed it.
    attempts
        All runs, the last of which met the clock.
    seconds
        Wall time of the whole build.
    """

    path: Path
    board: Board
    setting: PllSetting
    place: PlaceReport
    parts: dict[str, Resources]
    packing: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    seconds: float

    @property
    def clock_mhz(self) -> float:
        """System clock in MHz."""
        return self.setting.output_mhz


def part_of(name: str) -> str:
    """Part of a hierarchical cell name, as `hw.fit.estimate` names them: ``layer0``, ``link``,
    ..."""
    levels = name.split(".")
    if levels[:3] == ["design", "accelerator", "core"]:
        # Yosys names a cell after a signal: one level is the signal's own name.
        return levels[3] if len(levels) > 4 and _IS_PART.match(levels[3]) else "core"
    if levels[:2] == ["design", "accelerator"]:
        return "accelerator"
    if levels[:2] == ["design", "power_up"]:
        return "boot"
    return "link" if levels[0] == "design" else "board"


def build_bitstream(
    *,
    board: Board,
    make_top: Callable[[float], Component],
    path: Path,
    folder: Path,
    clock_mhz: float | None = None,
    target_mhz: float | None = None,
    multiplies: bool = False,
    native: bool = False,
    attempts: int = 4,
    time_limit_s: float = 3600.0,
    on_stage: Callable[[str], None] = lambda text: None,
) -> Bitstream:
    """Build until the clock is met.

    With a clock given, other placer seeds are tried until it is met. Without one, the target is
    tried first, then what the run before achieved.

    Parameters
    ----------
    board
        Board.
    make_top
        Makes the component with ports ``rx`` and ``tx`` for a system clock in Hz.
    path
        Where the bitstream goes.
    folder
        Build folder, made if missing; what an earlier build left in it is overwritten.
    clock_mhz
        Clock to meet; None: picked by the build.
    target_mhz
        What is tried first then; None: the board's target.
    multiplies
        Products are made in the chip's multipliers.
    native
        Programs on PATH instead of YoWASP wheels.
    attempts
        Most place and route runs.
    time_limit_s
        Seconds after which the build gives up.
    on_stage
        Called with a line of text whenever a tool starts.

    Raises
    ------
    TimingError
        If the clock was not met; no bitstream is written.
    hw.flow.tools.MissingToolError, hw.flow.tools.ToolError
        If a tool is missing or fails.
    hw.vendor.pll.PllError
        If the board's PLL cannot make the clock.
    """
    for tool in board.tools:
        find_tool(tool, native=native)
    start = time.monotonic()
    deadline = start + time_limit_s
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)

    wanted = (target_mhz or board.target_mhz) if clock_mhz is None else clock_mhz
    synthesised: PllSetting | None = None
    commands: list[list[str]] = []
    tried: list[Attempt] = []
    while len(tried) < attempts:
        begin = time.monotonic()
        setting = choose_pll(board.pll, input_hz=board.clock_hz, wanted_hz=wanted * 1e6)
        if setting != synthesised:
            on_stage(f"synthesis for {setting.output_mhz:g} MHz")
            commands = _prepare(
                board, setting, make_top(setting.output_hz), folder, multiplies=multiplies
            )
            run_tool(commands[0], folder=folder, native=native, deadline=deadline)
            synthesised = setting
        seed = 1 + sum(attempt.clock_mhz == setting.output_mhz for attempt in tried)
        on_stage(f"place and route for {setting.output_mhz:g} MHz, seed {seed}")
        place_command = [*commands[1], "--seed", str(seed)]
        run_tool(place_command, folder=folder, native=native, deadline=deadline)
        place = _read_report(board, folder, setting)
        tried.append(
            Attempt(
                clock_mhz=setting.output_mhz,
                achieved_mhz=place.achieved_mhz,
                seed=seed,
                seconds=time.monotonic() - begin,
            )
        )
        if tried[-1].met:
            on_stage("bitstream")
            run_tool(commands[2], folder=folder, native=native, deadline=deadline)
            with whole_file(path) as temporary:
                shutil.copyfile(folder / f"{_NAME}{board.bitstream_suffix}", temporary)
            return Bitstream(
                path=path,
                board=board,
                setting=setting,
                place=place,
                parts=read_netlist(folder / _NETLISTS[board.family], part_of=part_of),
                packing=tuple(commands[2]),
                attempts=tuple(tried),
                seconds=time.monotonic() - start,
            )
        if clock_mhz is None:
            wanted = 0.98 * place.achieved_mhz
    best = max(tried, key=lambda attempt: attempt.achieved_mhz / attempt.clock_mhz)
    raise TimingError(
        f"Clock of {board.name} must be {best.clock_mhz:g} MHz, but the best of {len(tried)} "
        f"place and route runs achieves {best.achieved_mhz:.2f} MHz: ask for a lower clock or "
        f"fewer lanes"
    )


def _read_report(board: Board, folder: Path, setting: PllSetting) -> PlaceReport:
    """What place and route says, with the paths that it does not see."""
    place = read_place_report(folder / _PLACED, clock_mhz=setting.output_mhz)
    if board.family != "ice40":
        return place
    path = multiplier_path(folder / _PLACED, folder / _NETLISTS["ice40"])
    if path is None or path.achieved_mhz >= place.achieved_mhz:
        return place
    return dataclasses.replace(place, achieved_mhz=path.achieved_mhz, critical_path=path.lines)


def _prepare(
    board: Board, setting: PllSetting, inner: Component, folder: Path, *, multiplies: bool
) -> list[list[str]]:
    """Write all files of a build; return the command lines of its three tools."""
    options = [_SYNTHESIS_OPTIONS[board.family]]
    if multiplies:
        options.append(_MULTIPLIERS[board.family])
    plan = board.platform().prepare(
        OnBoard(board=board, setting=setting, inner=inner),
        _NAME,
        emit_src=False,
        script_after_read=_FREE_COLLISIONS,
        synth_opts=" ".join(options),
        # The achieved clock is read from the report and judged here. On Gowin nothing else says
        # which clock is wanted.
        nextpnr_opts=f"--freq {setting.output_mhz:.6f} --report {_PLACED} "
        "--detailed-timing-report --timing-allow-fail",
    )
    plan.extract(str(folder))
    return json.loads(plan.files[f"build_{_NAME}.json"])["commands"]
