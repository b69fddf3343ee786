# SPDX-License-Identifier: Apache-2.0
"""What a loaded network and the host tell the core."""

from typing import Any

from amaranth.lib import data

from hw.design.design import Design
from hw.legendre.recurrent_source import series_config
from hw.legendre.series_source import memory_config

__all__ = ["core_config"]


def core_config(design: Design) -> data.StructLayout:
    """What a loaded network and the host set: ``steps`` (T), ``readout`` (index into
    ``design.readouts``), and for each of ``layers`` the ``neurons`` and ``blocks`` in use.

    Of a stepwise design also ``members`` (K in use, at least 1), and where the gateware has it
    ``phase`` (of the rate code), ``seed`` (of the members that are drawn), ``memory``
    (`hw.legendre.series_source.memory_config`), ``series``
    (`hw.legendre.recurrent_source.series_config`, of recurrent designs) and ``step_results`` (1:
    answer after every step, with K = 1; of designs that evaluate a memory, of 16 bits: answer after
    every so many input steps).
    """
    layer = data.StructLayout({"neurons": 16, "blocks": 16})
    fields: dict[str, Any] = {
        "steps": range(design.steps + 1),
        "readout": range(len(design.readouts) + 1),
        "layers": data.ArrayLayout(layer, len(design.layers)),
    }
    if design.is_stepwise:
        fields["members"] = range(design.members + 1)
    if design.encodes_rates:
        fields["phase"] = 8
    if design.sampled:
        fields["seed"] = 32
    if design.memory is not None:
        fields["memory"] = memory_config(design.memory)
    if design.encoder is not None:
        fields["series"] = series_config(design.encoder)
    if design.step_results:
        fields["step_results"] = 16 if design.evaluates else 1
    return data.StructLayout(fields)
