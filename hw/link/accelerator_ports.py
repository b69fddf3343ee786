# SPDX-License-Identifier: Apache-2.0
"""What a link and an accelerator have between them."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.formats.image_layout import LoadError
from hw.loading.registers import RegisterBus
from hw.parts.byte_beat import ByteBeat
from hw.parts.spike_word import output_record, sample_beat

__all__ = ["STATUS_PORTS", "accelerator_ports"]

#: Ports through which an accelerator tells how it is.
STATUS_PORTS = ("running", "load_error", "sample_values", "classes", "needs_seed", "measured")


def accelerator_ports(design: Design) -> dict[str, wiring.Member]:
    """Ports to and from those of `hw.accelerator.Accelerator` that have the same names."""
    return {
        "o_network": Out(stream.Signature(ByteBeat)),
        "o_sample": Out(stream.Signature(sample_beat(design))),
        "i_record": In(stream.Signature(output_record(design))),
        "bus": Out(RegisterBus()),
        "running": In(1),
        "load_error": In(LoadError),
        "sample_values": In(range(design.sample_values + 1)),
        "classes": In(range(design.classes + 1)),
        "needs_seed": In(1),
        "measured": In(1),
    }
