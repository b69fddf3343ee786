# SPDX-License-Identifier: Apache-2.0
"""Altered copies of training series: moved and stretched in time, with noise."""

import numpy as np

from model.train.lmu.config import Copies

__all__ = ["altered"]


def altered(
    values: np.ndarray, table: Copies, bounds: tuple[int, int], chance: np.random.Generator
) -> np.ndarray:
    """Return one altered copy of each series, its last step fixed but for the shift.

    Parameters
    ----------
    values
        int16 (N, T, channels), 0 before a series begins.
    table
        How far.
    bounds
        Least and largest integer there can be.
    chance
        Source of chance.

    Returns
    -------
    numpy.ndarray
        int16 (N, T, channels). Steps from outside the series are 0, and steps that are 0 in all
        channels get no noise.
    """
    count, steps, _ = values.shape
    factor = 1 + table.stretch * (2 * chance.random((count, 1)) - 1)
    shift = chance.integers(-table.shift, table.shift + 1, (count, 1))
    # Step t of the copy is at this place of the series, counted back from its end.
    back = (steps - 1 - np.arange(steps)[None] + shift) / factor
    places = np.rint(steps - 1 - back).astype(np.int64)
    inside = (places >= 0) & (places < steps)
    taken = values[np.arange(count)[:, None], places.clip(0, steps - 1)]
    taken = np.where(inside[..., None], taken, 0)
    noise = np.rint(chance.normal(0, 1, taken.shape) * table.noise)
    noise *= (taken != 0).any(2, keepdims=True)
    return np.clip(taken + noise, *bounds).astype(np.int16)
