# SPDX-License-Identifier: Apache-2.0
"""What probes show, written to files by the simulator itself: a line of Verilog a cycle, no Python.

A bench runs `TOP`, which has the ports of the exported accelerator but for the probes, and
``cycle`` beside them: the number of clock edges so far. For each probe there is a file of its name
in the working folder, with a line for every cycle in which it was valid.
"""

import dataclasses
from pathlib import Path

import numpy as np
from amaranth import Shape
from amaranth.lib import wiring

from hw.core import probe_layouts
from hw.design.design import Design, ceil_div
from hw.export_top import export_ports

__all__ = ["TOP", "Probe", "Seen", "monitor_verilog", "probes", "read_probe"]

#: Top module of a bench.
TOP = "bench_top"
_INNER = "monitor"
_CYCLE_BITS = 32
# Values of hexadecimal digits; what is none (unknown bits) is above them.
_DIGITS = np.full(256, 16, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


@dataclasses.dataclass(frozen=True)
class Probe:
    """A probe of the exported Verilog: its name, and width of each field but ``valid``."""

    name: str
    fields: dict[str, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What a probe showed: cycles int64 (n,), and bits of each field, uint8 (n, width), lowest
    first."""

    cycles: np.ndarray
    bits: dict[str, np.ndarray]

    def numbers(self, field: str) -> np.ndarray:
        """A field as an unsigned number: int64 (n,)."""
        bits = self.bits[field]
        return bits.astype(np.int64) @ np.left_shift(np.int64(1), np.arange(bits.shape[1]))


def _widths(design: Design) -> dict[str, tuple[int, bool]]:
    """Width of each port, and whether it is an input."""
    ports = export_ports(design, probes=True)
    return {
        name: (Shape.cast(member.shape).width, member.flow is wiring.In)
        for name, member in ports.items()
    }


def probes(design: Design) -> list[Probe]:
    """All probes of a design."""
    return [
        Probe(name, {field: each.width for field, each in layout if field != "valid"})
        for name, layout in probe_layouts(design).items()
    ]


def monitor_verilog(design: Design, *, name: str = "popspike") -> str:
    """Verilog of `TOP` around the exported module of a name."""
    widths = _widths(design)
    plain = {port: value for port, value in widths.items() if not port.startswith("probe")}
    declared = ["input clk", "input rst"]
    declared += [
        f"{'input' if is_input else 'output'} [{width - 1}:0] {port}"
        for port, (width, is_input) in plain.items()
    ]
    shared = [f".{port}({port})" for port in ("clk", "rst", *plain)]
    inside = [f".{port}({port})" for port in widths if port not in plain]
    lines = [
        f"module {_INNER}({', '.join([*declared, f'output reg [{_CYCLE_BITS - 1}:0] cycle'])});",
        *(
            f"  wire [{width - 1}:0] {port};"
            for port, (width, _) in widths.items()
            if port not in plain
        ),
        f"  {name} inner({', '.join([*shared, *inside])});",
        "  initial cycle = 0;",
        "  always @(posedge clk) cycle <= cycle + 1;",
    ]
    for probe in probes(design):
        shown = ", ".join(["cycle", *(f"{probe.name}_{field}" for field in probe.fields)])
        form = "%h" * (1 + len(probe.fields))
        lines += [
            f"  integer file_{probe.name};",
            f'  initial file_{probe.name} = $fopen("{probe.name}", "w");',
            "  always @(posedge clk)",
            f'    if ({probe.name}_valid) $fwrite(file_{probe.name}, "{form}\\n", {shown});',
        ]
    lines += [
        "endmodule",
        f"module {TOP}({', '.join([*declared, f'output [{_CYCLE_BITS - 1}:0] cycle'])});",
        f"  {_INNER} inner({', '.join([*shared, '.cycle(cycle)'])});",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def read_probe(folder: Path, probe: Probe) -> Seen:
    """Read what a probe showed, cycles counted from the start of the simulation.

    Raises
    ------
    ValueError
        If it showed unknown bits.
    """
    widths = {"cycle": _CYCLE_BITS, **probe.fields}
    size = sum(ceil_div(width, 4) for width in widths.values()) + 1
    content = np.fromfile(folder / probe.name, np.uint8)
    digits = _DIGITS[content[: len(content) // size * size].reshape(-1, size)[:, :-1]]
    if (digits > 15).any():
        raise ValueError(f"Probe {probe.name} must show 0 and 1 only, not unknown bits")
    values, start = {}, 0
    for field, width in widths.items():
        part = digits[:, start : start + ceil_div(width, 4), None]
        start += part.shape[1]
        bits = np.unpackbits(part[:, ::-1], axis=2, count=4, bitorder="little")
        values[field] = bits.reshape(len(digits), 4 * part.shape[1])[:, :width]
    cycles = Seen(values["cycle"], {"cycle": values.pop("cycle")}).numbers("cycle")
    return Seen(cycles, values)
