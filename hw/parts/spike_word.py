# SPDX-License-Identifier: Apache-2.0
"""Payload shapes of the streams between blocks."""

from amaranth import signed, unsigned
from amaranth.lib import data

from hw.design.design import Design, index_bits

__all__ = [
    "event_beat",
    "output_record",
    "pixel_beat",
    "sample_beat",
    "spike_time_beat",
    "spike_word",
]


def spike_word(design: Design, layer: int) -> data.StructLayout:
    """Spikes of one step among one group of S inputs of a layer.

    Words of a sample are sorted by step; words without spikes are sent only where an end must be
    marked. Single-spike layers: step 0 is always sent, later steps only if they carry spikes.
    Stepwise layers: every step is sent, so that a step is the number of ends before it. Where
    inputs are integers, a word carries one bit of each input of a group, and a group that is not
    all 0 has a word for each plane with set bits, lowest plane first.

    Members: ``group`` (inputs group*S to group*S+S-1), ``spikes`` (S bits, bit k is input
    group*S+k), ``plane`` (only where ``input_bits`` > 1: which bit of the inputs, two's complement
    if they have a sign), ``step`` (not in stepwise designs), ``end_of_step`` (last word of its
    step), ``last`` (last word of the sample, or of the sample's pass for one member; implies
    ``end_of_step``).
    """
    this = design.layers[layer]
    step = {} if design.is_stepwise else {"step": unsigned(design.step_bits)}
    plane = {"plane": unsigned(index_bits(this.input_bits))} if this.input_bits > 1 else {}
    return data.StructLayout(
        {
            "group": unsigned(index_bits(this.groups)),
            "spikes": unsigned(this.inputs_per_cycle),
            **plane,
            **step,
            "end_of_step": unsigned(1),
            "last": unsigned(1),
        }
    )


def spike_time_beat(design: Design, layer: int) -> data.StructLayout:
    """Spike times of the next G inputs of a layer, in input order.

    Members: ``fires`` (G bits), ``steps`` (G time steps), ``last`` (last beat of the sample).
    """
    count = design.times_per_cycle(layer)
    return data.StructLayout(
        {
            "fires": unsigned(count),
            "steps": data.ArrayLayout(unsigned(design.step_bits), count),
            "last": unsigned(1),
        }
    )


def pixel_beat(design: Design) -> data.StructLayout:
    """The next G pixels of a sample, first pixel in the lowest byte; the last beat may be padded
    with pixels of value 0.

    Members: ``pixels`` (G bytes), ``last``.
    """
    return data.StructLayout(
        {"pixels": data.ArrayLayout(unsigned(8), design.pixels_per_cycle), "last": unsigned(1)}
    )


def event_beat(design: Design) -> data.StructLayout:
    """An event of a camera; events of a sample come in order of time.

    Members: ``time`` (us since the sample began), ``x``, ``y``, ``polarity``, ``present`` (0: no
    event, the beat only ends the sample), ``last`` (last beat of the sample).
    """
    return data.StructLayout(
        {
            "time": unsigned(32),
            "x": unsigned(index_bits(design.events.width)),
            "y": unsigned(index_bits(design.events.height)),
            "polarity": unsigned(1),
            "present": unsigned(1),
            "last": unsigned(1),
        }
    )


def sample_beat(design: Design) -> data.StructLayout:
    """What a sample is made of: `pixel_beat`, `event_beat`, or `spike_word` of the first layer."""
    if design.sample_input == "events":
        return event_beat(design)
    return pixel_beat(design) if design.sample_input == "pixels" else spike_word(design, 0)


def output_record(design: Design) -> data.StructLayout:
    """What one output neuron did in a sample; one record a neuron, in order.

    Members: ``neuron``, ``fired``, ``step`` (0 unless fired), ``score`` (signed, see
    ``model/golden.py``), ``winner`` (best neuron up to and with this one: the class, in the last
    record), ``last``.

    Members in a stepwise design: ``neuron``, ``score`` (sum over the members), ``votes`` (members
    that would have chosen this neuron), ``winner`` (the class), ``running`` (the answer after a
    step, not the sample's), ``last`` (last record of the answer).
    """
    if design.is_stepwise:
        return data.StructLayout(
            {
                "neuron": unsigned(index_bits(design.classes)),
                "score": signed(design.score_bits),
                "votes": range(design.members + 1),
                "winner": unsigned(index_bits(design.classes)),
                "running": unsigned(1),
                "last": unsigned(1),
            }
        )
    return data.StructLayout(
        {
            "neuron": unsigned(index_bits(design.classes)),
            "fired": unsigned(1),
            "step": unsigned(design.step_bits),
            "score": signed(design.score_bits),
            "winner": unsigned(index_bits(design.classes)),
            "last": unsigned(1),
        }
    )
