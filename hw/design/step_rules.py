# SPDX-License-Identifier: Apache-2.0
"""Rules of a stepwise design; see `hw.design.design.Design`."""

from typing import TYPE_CHECKING

from model.description import NeuronKind, Readout

if TYPE_CHECKING:
    from hw.design.design import Design

__all__ = ["check_stepwise"]


def check_stepwise(design: "Design") -> None:
    """Refuse a stepwise design that contradicts itself.

    Raises
    ------
    ValueError, TypeError
        Naming the field and the rule.
    """
    kinds = [layer.kind for layer in design.layers]
    hidden = (NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE, NeuronKind.DIFFUSED)
    if kinds[-1] is not NeuronKind.INTEGRATOR or any(k not in hidden for k in kinds[:-1]):
        raise ValueError(
            "Layers of a stepwise design must be lif, spike-response or diffused-quantiser "
            f"before an integrator, not {', '.join(kinds)}"
        )
    for index, (before, after) in enumerate(
        zip(design.layers, design.layers[1:], strict=False), start=1
    ):
        wanted = (before.output_bits, before.output_signed)
        found = (after.input_bits, after.input_signed)
        if found != wanted:
            raise ValueError(
                f"Input bits and sign of layer {index} must be those of what layer {index - 1} "
                f"emits, {wanted}, not {found}"
            )
    if design.readouts != (Readout.FINAL_POTENTIAL,) or design.early_stop:
        raise ValueError(
            f"A stepwise design must have the readout {Readout.FINAL_POTENTIAL} alone, and no "
            "early_stop"
        )
    if design.layers[-1].updates_per_cycle != 1:
        raise ValueError(
            "times_per_cycle of the last layer must be 1, "
            f"not {design.layers[-1].updates_per_cycle}"
        )
    if not isinstance(design.members, int) or design.members < 1:
        raise TypeError(f"members must be a positive integer, not {design.members!r}")
    sets = {layer.members for layer in design.layers} - {1, design.members}
    if sets:
        raise ValueError(
            f"Weight sets of a layer must be 1 or the {design.members} members, not {max(sets)}"
        )
    events = design.encoding == "events"
    if design.sample_input != "words" and (design.sample_input == "events") != events:
        raise ValueError(
            f"encoding of sample_input {design.sample_input} must be "
            f"{'events' if design.sample_input == 'events' else 'latency or rate'}, "
            f"not {design.encoding!r}"
        )
    if (design.events is None) != (design.encoding != "events"):
        rule = "absent" if design.events is not None else "given"
        raise ValueError(f"events of encoding {design.encoding} must be {rule}")
    _check_memory(design)
    width = design.layers[0].inputs_per_cycle
    if design.sample_input == "events" and width & (width - 1):
        raise ValueError(
            f"inputs_per_cycle of the first layer must be a power of two with events, not {width}"
        )
    if design.encodes_rates and design.pixels_per_cycle != width:
        raise ValueError(
            f"pixels_per_cycle must equal the first layer's inputs_per_cycle {width} with rate "
            f"encoding, not {design.pixels_per_cycle}"
        )


def _check_memory(design: "Design") -> None:
    memory, first = design.memory, design.layers[0]
    if (memory is not None) != (design.encoding == "series" and design.sample_input == "pixels"):
        rule = "absent" if memory is not None else "given"
        raise ValueError(
            f"memory of encoding {design.encoding} and sample_input {design.sample_input} must be "
            f"{rule}"
        )
    if memory is None:
        if design.encoder is not None:
            raise ValueError("encoder must have a memory behind it")
        return
    if design.pixels_per_cycle != 1:
        raise ValueError(f"pixels_per_cycle must be 1 with a memory, not {design.pixels_per_cycle}")
    if (first.input_bits, first.input_signed) != (memory.emission_bits, True):
        raise ValueError(
            "Inputs of layer 0 must be what the memory sends, signed integers of "
            f"{memory.emission_bits} bits, not {first.input_bits} bits"
        )
    most, encoder = memory.states, design.encoder
    if encoder is not None:
        most += encoder.series_channels + first.neurons
        _check_recurrent(design)
    if first.fan_in > most:
        raise ValueError(
            f"fan_in of layer 0 must be at most the {most} values that come from the memory"
            f"{'' if encoder is None else ', the series and the hidden neurons'}, "
            f"not {first.fan_in}"
        )


def _check_recurrent(design: "Design") -> None:
    first, memory, encoder = design.layers[0], design.memory, design.encoder
    widths = tuple(layer.inputs_per_cycle for layer in design.layers)
    if widths != (1, 1):
        raise ValueError(f"inputs_per_cycle of a recurrent design must be 1, not {widths}")
    if design.members > 1 or memory.reads > 1:
        raise ValueError(
            f"A recurrent design must have 1 member and 1 read, not {design.members} and "
            f"{memory.reads}"
        )
    found = (encoder.features, encoder.channels, encoder.input_bits, encoder.sum_bits)
    wanted = (first.fan_in, memory.channels, memory.emission_bits, memory.input_bits)
    if found != wanted:
        raise ValueError(
            "Inputs, channels, input bits and sum bits of the encoder must be those of layer 0 and "
            f"memory, {wanted}, not {found}"
        )
