# SPDX-License-Identifier: Apache-2.0
"""The learning-rate schedule of all training here."""

import math

__all__ = ["warm_cosine"]

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
