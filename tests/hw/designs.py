# SPDX-License-Identifier: Apache-2.0
"""Small designs for component tests."""

from typing import Any

from hw.design.design import Design, Fold, LayerDesign
from model.description import Dynamics, NeuronKind, Readout

__all__ = ["stepwise", "two_layers"]


def two_layers(
    *,
    sizes: tuple[int, int, int] = (12, 10, 4),
    folds: tuple[tuple[int, int, int], tuple[int, int, int]] = ((4, 1, 1), (4, 1, 1)),
    potential_bits: int = 7,
    threshold_bits: int = 5,
    steps: int = 4,
    **fields: Any,
) -> Design:
    """A design with two layers; a fold is (lanes, inputs_per_cycle, times_per_cycle)."""
    layers = tuple(
        LayerDesign(
            fan_in=fan_in,
            neurons=neurons,
            fold=Fold(lanes=fold[0], inputs_per_cycle=fold[1], times_per_cycle=fold[2]),
            potential_bits=potential_bits,
            threshold_bits=threshold_bits,
        )
        for fan_in, neurons, fold in zip(sizes, sizes[1:], folds, strict=False)
    )
    fields.setdefault("readouts", tuple(Readout))
    fields.setdefault("pixels_per_cycle", folds[0][1])
    return Design(layers=layers, steps=steps, **fields)


def stepwise(
    *,
    sizes: tuple[int, int, int] = (12, 10, 4),
    folds: tuple[tuple[int, int, int], tuple[int, int, int]] = ((4, 1, 1), (4, 1, 1)),
    kind: NeuronKind = NeuronKind.LIF,
    sampled: bool = False,
    members: int = 1,
    integers: tuple[tuple[int, bool], tuple[int, bool]] = ((1, False), (1, False)),
    **fields: Any,
) -> Design:
    """A stepwise design with two layers; a fold is (lanes, inputs_per_cycle, times_per_cycle).

    ``integers``: bits and sign of the inputs of each layer; where the second layer's are more than
    spikes, neurons of the first are diffused quantisers.
    """
    hidden: dict[str, Any] = {"membrane_shift": 3, "membrane_bits": 10}
    bits, signed = integers[1]
    if bits > 1:
        kind = NeuronKind.DIFFUSED
    if kind is NeuronKind.LIF:
        hidden["reset"] = "subtract"
    elif kind is NeuronKind.DIFFUSED:
        hidden = {"fraction_bits": 4, "membrane_bits": 4}
        hidden |= {"emission_bits": bits, "emission_signed": signed}
    else:
        hidden |= {"synapse_shift": 2, "synapse_bits": 9}
        hidden |= {"refractory_shift": 2, "refractory_bits": 6}
    layers = tuple(
        LayerDesign(
            fan_in=fan_in,
            neurons=neurons,
            fold=Fold(lanes=fold[0], inputs_per_cycle=fold[1], times_per_cycle=fold[2]),
            potential_bits=(fan_in << number[0] - 1).bit_length() + 1,
            threshold_bits=6,
            input_bits=number[0],
            input_signed=number[1],
            kind=here,
            dynamics=dynamics,
            members=1 if sampled else members,
            sampled=sampled,
        )
        for fan_in, neurons, fold, number, here, dynamics in zip(
            sizes,
            sizes[1:],
            folds,
            integers,
            (kind, NeuronKind.INTEGRATOR),
            (Dynamics(**hidden), Dynamics(membrane_bits=8)),
            strict=False,
        )
    )
    fields.setdefault("pixels_per_cycle", folds[0][1])
    fields.setdefault("steps", 6)
    return Design(layers=layers, members=members, readouts=(Readout.FINAL_POTENTIAL,), **fields)
