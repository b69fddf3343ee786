# SPDX-License-Identifier: Apache-2.0
"""The path through a multiplier of an iCE40, which place and route does not see.

nextpnr takes all pins of an ``SB_MAC16`` for those of registers, whether or not the registers in
it are used (``ice40/arch.cc``, `getPortTimingClass`): it measures the paths to it and from it, not
what lies between. Here the three are added up.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

__all__ = ["MULTIPLIER_NS", "MultiplierPath", "multiplier_path"]

#: Slowest way through a multiplier without registers, in ns: any input to any output of
#: ``SB_MAC16_MUL_S_16X16_BYPASS`` at the worst corner, project IceStorm's ``timings_up5k.txt``.
MULTIPLIER_NS = 9.05

# nextpnr adds this to the name of a packed cell.
_PACKED = "_DSP"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiplierPath:
    """Slowest path from a register through a multiplier to a register.

    Parameters
    ----------
    before_ns, after_ns
        From the clock to an input; from an output to the next register, its setup time included.
    """

    before_ns: float
    after_ns: float

    @property
    def achieved_mhz(self) -> float:
        """Clock that it allows."""
        return 1000 / (self.before_ns + MULTIPLIER_NS + self.after_ns)

    @property
    def lines(self) -> tuple[str, ...]:
        """The path as text."""
        return (
            f"{self.before_ns:6.2f} ns     path  to the slowest input of a multiplier",
            f"{MULTIPLIER_NS:6.2f} ns    logic  through it, at most",
            f"{self.after_ns:6.2f} ns     path  from its slowest output to a register",
        )


def multiplier_path(report: Path, netlist: Path) -> MultiplierPath | None:
    """The slowest path through a multiplier of a design.

    Parameters
    ----------
    report
        Written by ``nextpnr-ice40 --report --detailed-timing-report``.
    netlist
        JSON netlist that it read.

    Returns
    -------
    MultiplierPath or None
        None without multipliers.

    Raises
    ------
    ValueError
        If an output of a multiplier feeds something else than registers: what comes behind it
        would not be known.
    """
    modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    cells = next(m for m in modules.values() if "top" in m.get("attributes", {}))["cells"]
    outputs = _outputs(cells)
    if not outputs:
        return None
    nets = json.loads(report.read_text(encoding="utf-8"))["detailed_net_timings"]
    before, after = [], []
    for net in nets:
        delays = [(max(end["delay"]), end["cell"]) for end in net["endpoints"]]
        before += [delay for delay, cell in delays if cell.endswith(_PACKED)]
        if net["driver"].endswith(_PACKED):
            output = net["driver"].removesuffix(_PACKED), int(net["port"].rpartition("_")[2])
            outputs[output] -= len(delays)
            after += [delay for delay, _ in delays]
    open_ends = [output for output, sinks in outputs.items() if sinks]
    if open_ends:
        name, bit = open_ends[0]
        raise ValueError(f"Output {bit} of multiplier {name} must feed registers alone")
    return MultiplierPath(before_ns=max(before), after_ns=max(after))


def _outputs(cells: dict[str, Any]) -> dict[tuple[str, int], int]:
    """Outputs of multipliers that are used, by cell and bit, and how many cells each feeds."""
    drivers = {
        bit: (name, place)
        for name, cell in cells.items()
        if cell["type"] == "SB_MAC16"
        for place, bit in enumerate(cell["connections"]["O"])
    }
    used: dict[tuple[str, int], int] = {}
    for cell in cells.values():
        bits = {
            bit
            for port, bits in cell["connections"].items()
            if not (cell["type"] == "SB_MAC16" and port == "O")
            for bit in bits
        }
        for bit in bits & drivers.keys():
            used[drivers[bit]] = used.get(drivers[bit], 0) + 1
    return used
