# SPDX-License-Identifier: Apache-2.0
"""Schedules of training: learning rates, gains of quantisers."""

import math

__all__ = ["falling_gain", "warm_cosine"]

_WARM_UP_STEPS = 200


def warm_cosine(step: int, total: int, *, warm_up: float = _WARM_UP_STEPS) -> float:
    """Share of the peak rate, 0..1: linear over the first steps, and a cosine to 0.

    Parameters
    ----------
    step
        Step, 0..total - 1.
    total
        Steps of the whole run.
    warm_up
        Steps of the linear rise, >= 1.
    """
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / total))


def falling_gain(start: float, anneal: float, share: float) -> float:
    """Gain of quantisers, in units of the final one, at a share 0..1 of the run.

    Parameters
    ----------
    start
        Gain at the beginning, >= 1; it falls by the same factor each step.
    anneal
        Share of the run after which it is 1.
    share
        Share of the run that is done.
    """
    left = 1 - share / anneal if anneal else 0.0
    return float(start ** max(0.0, left))
