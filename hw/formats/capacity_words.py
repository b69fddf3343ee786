# SPDX-License-Identifier: Apache-2.0
"""Registers that describe the parts of a design: layers, neurons, events, a Legendre memory."""

from amaranth.lib import data

__all__ = ["DynamicsWords", "EventWords", "LayerWords", "MemoryWords"]


class LayerWords(data.Struct):
    """Capacity and fold of a layer. ``kind``: 0 single-spike, 1 LIF, 2 spike response, 3 diffused
    quantiser, 4 integrator; ``sets`` (weight sets), ``sampled`` (weights may be drawn), ``spram``
    (the layer that is in SPRAM if one is), ``input_bits`` and ``input_signed`` (what an input
    is)."""

    fan_in: 16
    neurons: 16
    lanes: 16
    inputs_per_cycle: 16
    times_per_cycle: 16
    potential_bits: 8
    threshold_bits: 8
    kind: 8
    sets: 8
    sampled: 1
    spram: 1
    input_bits: 4
    input_signed: 1
    zero: 9


class DynamicsWords(data.Struct):
    """`model.neurons.Dynamics` of a layer of a stepwise design; ``reset``: 0 none, 1 subtract,
    2 to zero."""

    refractory_jump: 24
    fraction_bits: 4
    membrane_shift: 4
    synapse_shift: 4
    refractory_shift: 4
    reset: 2
    zero: 6
    burn_in: 16
    membrane_bits: 8
    synapse_bits: 8
    refractory_bits: 8
    emission_bits: 4
    emission_signed: 1
    more_zero: 35


class EventWords(data.Struct):
    """`model.encoding.EventEncoding` of a design with event encoding."""

    width: 13
    height: 13
    left: 12
    top: 12
    crop_width: 13
    crop_height: 13
    shift: 4
    merge_polarity: 1
    bin_us: 31
    steps: 16


class MemoryWords(data.Struct):
    """`hw.design.memory_design.MemoryDesign` of a design with a Legendre memory; of a recurrent one
    (``is_recurrent``) also ``series_channels`` and the encoder's shifts of states, series and
    hidden neurons: its other sizes follow."""

    order: 12
    channels: 12
    coefficient_bits: 8
    fraction_bits: 8
    guard_bits: 4
    emission_bits: 4
    reads: 8
    input_shift: 8
    scale_bits: 8
    values: 24
    input_bits: 5
    is_recurrent: 1
    series_channels: 11
    shift_of_states: 3
    shift_of_series: 3
    shift_of_neurons: 3
    zero: 6
