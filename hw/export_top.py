# SPDX-License-Identifier: Apache-2.0
"""The accelerator with flat AXI4-Stream port names, for systems outside Amaranth."""

import dataclasses

from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.accelerator import Accelerator
from hw.core import probe_layouts
from hw.design.design import Design
from hw.parts.spike_word import output_record, sample_beat

__all__ = ["ExportTop", "PortField", "bundle_fields", "export_ports"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PortField:
    """A field within a port: lowest bit, width, and whether it is two's complement."""

    name: str
    offset: int
    width: int
    signed: bool


def bundle_fields(layout: data.StructLayout) -> tuple[PortField, ...]:
    """Fields of a payload without its frame end, packed without a gap.

    A payload's ``last`` travels as tlast; it is the highest field of every payload.
    """
    fields = []
    for name, field in layout:
        if name != "last":
            shape = field.shape
            is_signed = bool(getattr(shape, "signed", False))
            fields.append(
                PortField(name=name, offset=field.offset, width=field.width, signed=is_signed)
            )
    return tuple(fields)


def export_ports(design: Design, *, probes: bool) -> dict[str, wiring.Member]:
    """Ports of `ExportTop` by name."""
    ports = {}
    streams = {
        "s_axis_network": (8, In, Out),
        "s_axis_sample": (sample_beat(design).size - 1, In, Out),
        "m_axis_result": (output_record(design).size - 1, Out, In),
    }
    for name, (width, forward, backward) in streams.items():
        ports[f"{name}_tdata"] = forward(width)
        ports[f"{name}_tvalid"] = forward(1)
        ports[f"{name}_tready"] = backward(1)
        ports[f"{name}_tlast"] = forward(1)
    ports |= {"reg_addr": In(8), "reg_rdata": Out(32), "reg_wdata": In(32), "reg_write": In(1)}
    for probe, layout in probe_layouts(design).items() if probes else ():
        for name, field in layout:
            ports[f"{probe}_{name}"] = Out(field.width)
    return ports


class ExportTop(wiring.Component):
    """Accelerator whose streams are AXI4-Stream ports: tdata, tvalid, tready, tlast.

    Parameters
    ----------
    design
        Capacity and fold.
    probes
        Add a port ``<probe>_<field>`` for each field of `hw.core.probe_layouts`.

    Members
    -------
    s_axis_network_* : In
        Device image, one byte a beat.
    s_axis_sample_* : In
        ``pixels_per_cycle`` pixels a beat, first pixel in the lowest byte; or the bits of
        `hw.spike_word.spike_word` without ``last``.
    m_axis_result_* : Out
        `hw.parts.spike_word.output_record` without ``last``; tlast ends a sample.
    reg_addr, reg_rdata, reg_wdata, reg_write
        Register window, see `hw.loading.registers.RegisterBus`.
    """

    def __init__(self, *, design: Design, probes: bool = False) -> None:
        self._design = design
        self._probes = probes
        super().__init__(export_ports(design, probes=probes))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = inner = Accelerator(design=self._design, probes=self._probes)
        for name, port in (
            ("s_axis_network", inner.i_network),
            ("s_axis_sample", inner.i_sample),
        ):
            m.d.comb += [
                port.payload.as_value()[:-1].eq(getattr(self, f"{name}_tdata")),
                port.p.last.eq(getattr(self, f"{name}_tlast")),
                port.valid.eq(getattr(self, f"{name}_tvalid")),
                getattr(self, f"{name}_tready").eq(port.ready),
            ]
        m.d.comb += [
            self.m_axis_result_tdata.eq(inner.o_record.payload.as_value()[:-1]),
            self.m_axis_result_tlast.eq(inner.o_record.p.last),
            self.m_axis_result_tvalid.eq(inner.o_record.valid),
            inner.o_record.ready.eq(self.m_axis_result_tready),
            inner.bus.address.eq(self.reg_addr),
            inner.bus.write_data.eq(self.reg_wdata),
            inner.bus.write.eq(self.reg_write),
            self.reg_rdata.eq(inner.bus.read_data),
        ]
        for probe, layout in probe_layouts(self._design).items() if self._probes else ():
            for name, _ in layout:
                m.d.comb += getattr(self, f"{probe}_{name}").eq(getattr(inner, probe)[name])
        return m
