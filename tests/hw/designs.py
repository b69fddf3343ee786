# SPDX-License-Identifier: Apache-2.0
"""Small designs for component tests."""

from typing import Any

from hw.design import Design, Fold, LayerDesign
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
    **fields: Any,
) -> Design:
    """A stepwise design with two layers; a fold is (lanes, inputs_per_cycle, times_per_cycle)."""
    hidden = {"membrane_shift": 3, "membrane_bits": 10}
    if kind is NeuronKind.LIF:
        hidden["reset"] = "subtract"
    else:
        hidden |= {"synapse_shift": 2, "synapse_bits": 9}
        hidden |= {"refractory_shift": 2, "refractory_bits": 6}
    layers = tuple(
        LayerDesign(
            fan_in=fan_in,
            neurons=neurons,
            fold=Fold(lanes=fold[0], inputs_per_cycle=fold[1], times_per_cycle=fold[2]),
            potential_bits=fan_in.bit_length() + 1,
            threshold_bits=6,
            kind=here,
            dynamics=dynamics,
            members=1 if sampled else members,
            sampled=sampled,
        )
        for fan_in, neurons, fold, here, dynamics in zip(
            sizes,
            sizes[1:],
            folds,
            (kind, NeuronKind.INTEGRATOR),
            (Dynamics(**hidden), Dynamics(membrane_bits=8)),
            strict=False,
        )
    )
    fields.setdefault("pixels_per_cycle", folds[0][1])
    fields.setdefault("steps", 6)
    return Design(layers=layers, members=members, readouts=(Readout.FINAL_POTENTIAL,), **fields)
