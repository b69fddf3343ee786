# SPDX-License-Identifier: Apache-2.0
"""Small designs for component tests."""

from typing import Any

from hw.design import Design, Fold, LayerDesign
from model.description import Readout

__all__ = ["two_layers"]


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
