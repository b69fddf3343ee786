# SPDX-License-Identifier: Apache-2.0
"""The small networks, and the gateware for them, on which faults are tried."""

import functools

import numpy as np

from hw.design import Design, Fold
from model.description import LatencyEncoding, Layer, Network, Readout

__all__ = ["fault_design", "fault_networks"]


def _network(seed: int, sizes: tuple[int, ...], steps: int, readout: Readout) -> Network:
    """Random weights, thresholds and levels."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(
            np.where(rng.random((neurons, fan_in)) < 0.5, 1, -1), rng.integers(1, 4, neurons)
        )
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(sorted(rng.integers(1, 256, steps).tolist(), reverse=True))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers), readout=readout)


@functools.cache
def fault_networks() -> tuple[Network, Network]:
    """Two networks that one gateware holds: other sizes, steps and readouts."""
    return (
        _network(1, (20, 10, 4), 6, Readout.FIRST_SPIKE),
        _network(2, (13, 7, 3), 4, Readout.SUMMED_POTENTIAL),
    )


@functools.cache
def fault_design() -> Design:
    """The smallest gateware that holds both."""
    folds = [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=4)]
    return Design.for_networks(list(fault_networks()), folds, pixels_per_cycle=2)
