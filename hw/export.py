# SPDX-License-Identifier: Apache-2.0
"""Verilog export: one function, and a JSON side file that says what was exported."""

import json
import os
from pathlib import Path
from typing import Any

from amaranth import Shape
from amaranth.back import verilog
from amaranth.lib import wiring

from hw.core import probe_layouts
from hw.design.design import Design
from hw.export_top import ExportTop, bundle_fields, export_ports
from hw.formats.register_map import register_rows
from hw.parts.spike_word import output_record, sample_beat
from hw.parts.step_shapes import neuron_state
from model.whole_file import whole_file

__all__ = ["export", "side_file", "to_verilog"]


def to_verilog(component: wiring.Component, *, name: str) -> str:
    """Verilog of a component, without source paths or internal attributes.

    The same component gives the same text on every machine.
    """
    return verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)


def side_file(design: Design, *, name: str = "popspike", probes: bool = False) -> dict[str, Any]:
    """What a user of the exported Verilog must know, as plain values.

    Returns
    -------
    dict
        ``design`` (`Design.to_json`), ``design_hash``, ``top``, ``ports`` (name, direction,
        width), ``fields`` (for each port with several: name, lowest bit, width, signed),
        ``probes`` (fields of each, by name), ``registers`` (rows of the register map).
    """
    ports = [{"name": clock, "direction": "input", "width": 1} for clock in ("clk", "rst")]
    for port, member in export_ports(design, probes=probes).items():
        direction = "input" if member.flow is wiring.In else "output"
        width = Shape.cast(member.shape).width
        ports.append({"name": port, "direction": direction, "width": width})
    bundles = {
        "s_axis_sample_tdata": sample_beat(design),
        "m_axis_result_tdata": output_record(design),
    }
    fields = {
        port: [vars(field) for field in bundle_fields(layout)] for port, layout in bundles.items()
    }
    for layer in range(len(design.layers) if probes else 0):
        fields |= _probe_fields(design, layer)
    return {
        "top": name,
        "design": design.to_json(),
        "design_hash": design.design_hash(),
        "probes": {
            probe: [field for field, _ in layout]
            for probe, layout in (probe_layouts(design).items() if probes else ())
        },
        "ports": ports,
        "fields": fields,
        "registers": [
            dict(zip(("address", "name", "access", "meaning"), row, strict=True))
            for row in register_rows()
        ],
    }


def _probe_fields(design: Design, layer: int) -> dict[str, list[dict[str, Any]]]:
    """Fields of the probe that shows several neurons: potentials of P lanes, or states of U."""
    this = design.layers[layer]
    if not design.is_stepwise:
        bits = this.potential_bits
        lanes = [
            {"name": f"lane{lane}", "offset": bits * lane, "width": bits, "signed": True}
            for lane in range(this.lanes)
        ]
        return {f"probe{layer}_potentials": lanes}
    state = neuron_state(this)
    states = [
        {
            **vars(field),
            "name": f"{field.name}{number}",
            "offset": number * state.size + field.offset,
        }
        for number in range(this.updates_per_cycle)
        for field in bundle_fields(state)
    ]
    bits = this.output_bits
    integers = [
        {"name": f"n{number}", "offset": bits * number, "width": bits, "signed": this.output_signed}
        for number in range(this.updates_per_cycle if bits > 1 else 0)
    ]
    return {f"probe{layer}_states": states} | (
        {f"probe{layer}_spikes": integers} if integers else {}
    )


def export(
    design: Design,
    folder: str | os.PathLike[str],
    *,
    name: str = "popspike",
    probes: bool = False,
) -> tuple[Path, Path]:
    """Write ``<name>.v`` and ``<name>.json``.

    Each file is written beside its place and then renamed.

    Parameters
    ----------
    design
        Capacity and fold.
    folder
        Made if it is not there.
    name
        Name of the files and of the top module.
    probes
        Add the probe ports.

    Returns
    -------
    tuple
        Paths of the Verilog file and of the side file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        folder / f"{name}.v": to_verilog(ExportTop(design=design, probes=probes), name=name),
        folder / f"{name}.json": json.dumps(side_file(design, name=name, probes=probes), indent=2)
        + "\n",
    }
    for path, text in texts.items():
        with whole_file(path) as temporary:
            temporary.write_text(text)
    verilog_path, json_path = texts
    return verilog_path, json_path
