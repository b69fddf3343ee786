# SPDX-License-Identifier: Apache-2.0
"""Payload shapes between the blocks of a stepwise layer."""

from amaranth import Shape, signed, unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data

from hw.design.design import Design, LayerDesign, index_bits
from hw.parts.spike_word import spike_word
from model.description import NeuronKind

__all__ = [
    "STEP_END",
    "emission_layout",
    "emission_shape",
    "first_state",
    "neuron_state",
    "score_layout",
    "score_shape",
    "state_layout",
    "step_sums_layout",
]

#: The end of a block's step is being taken: ``valid``, ``final_block`` (the last block in use: the
#: step is over), ``last`` (the last step of the pass for a member).
STEP_END = data.StructLayout({"valid": 1, "final_block": 1, "last": 1})


def neuron_state(layer: LayerDesign) -> data.StructLayout:
    """State of one neuron: ``membrane``, and ``synapse`` and ``refractory`` where the kind has
    them."""
    dynamics = layer.dynamics
    is_fraction = layer.kind is NeuronKind.DIFFUSED
    members: dict[str, ShapeLike] = {"membrane": Shape(dynamics.membrane_bits, not is_fraction)}
    if layer.kind is NeuronKind.SPIKE_RESPONSE:
        members["synapse"] = signed(dynamics.synapse_bits)
        members["refractory"] = unsigned(dynamics.refractory_bits)
    return data.StructLayout(members)


def first_state(layer: LayerDesign) -> int:
    """Bits of a neuron's state before the first step: 0, of a diffused quantiser half a unit."""
    if layer.kind is NeuronKind.DIFFUSED:
        return 1 << layer.dynamics.fraction_bits - 1
    return 0


def emission_shape(layer: LayerDesign) -> Shape:
    """What a neuron emits in a step: a spike or none, or an integer."""
    return Shape(layer.output_bits, layer.output_signed)


def score_shape(layer: LayerDesign) -> signed:
    """``membrane - threshold``."""
    return signed(max(layer.dynamics.membrane_bits, layer.threshold_bits) + 1)


def step_sums_layout(design: Design, layer: int) -> data.StructLayout:
    """Synaptic sums of the P neurons of a block in one step.

    Members: ``valid`` (for one cycle, at the end of the step), ``last`` (of the pass for a
    member), ``sums`` (P signed sums of weights whose inputs spiked).
    """
    this = design.layers[layer]
    return data.StructLayout(
        {
            "valid": 1,
            "last": 1,
            "sums": data.ArrayLayout(signed(this.potential_bits), this.lanes),
        }
    )


def state_layout(design: Design, layer: int) -> data.StructLayout:
    """What can be seen of U neurons at the end of a step.

    Members: ``valid``, ``member``, ``step`` (since the sample began, modulo ``2**step_bits``),
    ``row`` (neurons row*U to row*U+U-1), ``last`` (last step of the pass for a member), ``states``
    (U states after the step, reset and jump included), ``spikes`` (U bits; U integers where
    neurons emit some of several bits).
    """
    this = design.layers[layer]
    count = this.updates_per_cycle
    integers = data.ArrayLayout(emission_shape(this), count)
    return data.StructLayout(
        {
            "valid": 1,
            "member": index_bits(design.members),
            "step": design.step_bits,
            "row": index_bits(this.state_rows),
            "last": 1,
            "states": data.ArrayLayout(neuron_state(this), count),
            "spikes": integers if this.output_bits > 1 else count,
        }
    )


def emission_layout(design: Design, layer: int) -> data.StructLayout:
    """A word for the next layer: ``valid`` and ``word`` (spike_word of the next layer)."""
    return data.StructLayout({"valid": 1, "word": spike_word(design, layer + 1)})


def score_layout(design: Design) -> data.StructLayout:
    """Score of an output neuron, in neuron order: ``valid``, ``score`` (signed), ``end`` (last
    neuron), ``last`` (last step of the pass for a member)."""
    return data.StructLayout(
        {"valid": 1, "score": score_shape(design.layers[-1]), "end": 1, "last": 1}
    )
