# SPDX-License-Identifier: Apache-2.0
"""What came out of a build: resources by part and clock, read from the tools' JSON files."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["PlaceReport", "Resources", "read_netlist", "read_place_report", "sum_resources"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resources:
    """Cells of a design or of a part of one.

    Parameters
    ----------
    luts
        4-input look-up tables; carry cells count as the tables that they occupy.
    flip_flops
        Flip-flops.
    ram_blocks
        Block RAMs (iCE40: 4 kbit, ECP5 and Gowin: 18 kbit).
    spram_blocks
        Single-port RAMs of 256 kbit (UP5K).
    dsp_blocks
        Multipliers.
    """

    luts: int = 0
    flip_flops: int = 0
    ram_blocks: int = 0
    spram_blocks: int = 0
    dsp_blocks: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in dataclasses.fields(self)
            }
        )

    def to_json(self) -> dict[str, int]:
        """Plain values."""
        return dataclasses.asdict(self)


# What one cell of a netlist counts as. iCE40 carry cells sit in the logic cell of a table.
_CELLS = {
    "SB_LUT4": Resources(luts=1),
    "SB_RAM40_4K": Resources(ram_blocks=1),
    "SB_SPRAM256KA": Resources(spram_blocks=1),
    "SB_MAC16": Resources(dsp_blocks=1),
    "LUT4": Resources(luts=1),
    "CCU2C": Resources(luts=2),
    "TRELLIS_DPR16X4": Resources(luts=6),
    "TRELLIS_FF": Resources(flip_flops=1),
    "DP16KD": Resources(ram_blocks=1),
    "PDPW16KD": Resources(ram_blocks=1),
    "MULT18X18D": Resources(dsp_blocks=1),
    "LUT1": Resources(luts=1),
    "LUT2": Resources(luts=1),
    "LUT3": Resources(luts=1),
    "ALU": Resources(luts=1),
    "SDPB": Resources(ram_blocks=1),
    "SDPX9B": Resources(ram_blocks=1),
    "DPB": Resources(ram_blocks=1),
    "DPX9B": Resources(ram_blocks=1),
    "MULT18X18": Resources(dsp_blocks=1),
}

# nextpnr's bucket names of each family in turn. Gowin's LUT4 holds the carry cells, too.
_BUCKETS = {
    "luts": ("ICESTORM_LC", "TRELLIS_COMB", "LUT4"),
    "flip_flops": ("TRELLIS_FF", "DFF"),
    "ram_blocks": ("ICESTORM_RAM", "DP16KD", "BSRAM"),
    "spram_blocks": ("ICESTORM_SPRAM",),
    "dsp_blocks": ("ICESTORM_DSP", "MULT18X18D", "MULT18X18"),
}


def _count(cell_type: str) -> Resources | None:
    # iCE40 names flip-flops SB_DFF..., Gowin DFF...
    if re.match(r"(SB_)?DFF", cell_type):
        return Resources(flip_flops=1)
    return _CELLS.get(cell_type)


def read_netlist(path: Path, *, part_of: Callable[[str], str]) -> dict[str, Resources]:
    """Count the cells of a flat synthesised netlist by part.

    Synthesis names a cell after the nearest named signal, whose name still holds its place in the
    hierarchy; cells on a border are counted on one of its sides.

    Parameters
    ----------
    path
        JSON netlist of yosys.
    part_of
        Maps a hierarchical cell name (dots between levels) to the name of a part.

    Returns
    -------
    dict
        Resources of each part, sorted by name.
    """
    modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    tops = [module for module in modules.values() if "top" in module.get("attributes", {})]
    if len(tops) != 1:
        raise ValueError(f"Netlist {path} must have one top module, not {len(tops)}")
    parts: dict[str, Resources] = {}
    for name, cell in tops[0]["cells"].items():
        resources = _count(cell["type"])
        if resources is not None:
            part = part_of(name)
            parts[part] = parts.get(part, Resources()) + resources
    return dict(sorted(parts.items()))


def sum_resources(parts: Mapping[str, Resources]) -> Resources:
    """Resources of all parts together."""
    return sum(parts.values(), start=Resources())


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlaceReport:
    """What nextpnr says about a routed design.

    Parameters
    ----------
    achieved_mhz
        Highest clock of the slowest path, from nextpnr's timing model.
    resources
        Cells placed; flip-flops are 0 on iCE40, where they share a cell with a table.
    available
        Cells of the chip.
    critical_path
        The slowest path as text lines, from start to end.
    """

    achieved_mhz: float
    resources: Resources
    available: Resources
    critical_path: tuple[str, ...]


def read_place_report(path: Path, *, clock_mhz: float) -> PlaceReport:
    """Read the file that ``nextpnr --report`` wrote.

    Parameters
    ----------
    path
        The file.
    clock_mhz
        System clock; tells it from other clocks.

    Raises
    ------
    ValueError
        If the report has no clock.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    clocks = report.get("fmax", {})
    if not clocks:
        raise ValueError(f"Report {path} must have a clock")
    system = min(clocks, key=lambda name: abs(clocks[name]["constraint"] - clock_mhz))
    use = report["utilization"]

    def pick(key: str) -> Resources:
        return Resources(
            **{
                field: sum(use[name][key] for name in names if name in use)
                for field, names in _BUCKETS.items()
            }
        )

    return PlaceReport(
        achieved_mhz=float(clocks[system]["achieved"]),
        resources=pick("used"),
        available=pick("available"),
        critical_path=_critical_path(report.get("critical_paths", []), system),
    )


def _critical_path(paths: list[dict[str, Any]], clock: str) -> tuple[str, ...]:
    for path in paths:
        if path["from"].endswith(clock) and path["to"].endswith(clock):
            return tuple(
                f"{step['delay']:6.2f} ns {step['type']:>8}  "
                f"{step.get('net') or step['from']['cell']} -> {step['to']['cell']}"
                for step in path["path"]
            )
    return ()
