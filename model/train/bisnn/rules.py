# SPDX-License-Identifier: Apache-2.0
"""The learning rules: how weights come from latent values, and how a gradient moves those.

* ``bisnn-st``: ``w = sign(w_r)``, and the gradient with respect to w moves w_r.
* ``bisnn-bayes``: w_r is the natural parameter of a Bernoulli posterior,
  ``P(w = +1) = sigmoid(2 w_r)`` with mean ``tanh(w_r)`` (Jang et al. 2020; Meng et al. 2020).
* ``full-precision``: ``w = w_r``.
"""

import dataclasses
import enum

import torch
from torch import Tensor

from model.train.surrogate import signs

__all__ = ["Draw", "Rule", "draw", "natural_update", "probabilities", "slope"]


class Rule(enum.StrEnum):
    """Learning rules, by the name that a recipe gives them."""

    STRAIGHT_THROUGH = "bisnn-st"
    BAYES = "bisnn-bayes"
    FULL_PRECISION = "full-precision"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    """A sample of the posterior of one layer.

    Parameters
    ----------
    weights
        What the forward pass uses: relaxed weights within -1..1, or their signs.
    slope
        Derivative of the relaxed weights with respect to the posterior's means.
    """

    weights: Tensor
    slope: Tensor


def draw(
    natural: Tensor, generator: torch.Generator, *, temperature: float, binary: bool = False
) -> Draw:
    """Draw relaxed weights ``tanh((w_r + delta) / tau)``, delta half the logit of a uniform number.

    Parameters
    ----------
    natural
        w_r.
    generator
        Source of chance.
    temperature
        tau > 0. The probability of a positive weight is that of the posterior for every tau.
    binary
        Use the signs in the forward pass and the relaxed weights for the slope only.
    """
    uniform = torch.empty_like(natural).uniform_(generator=generator)
    limit = torch.finfo(natural.dtype).eps
    uniform.clamp_(limit, 1 - limit)
    argument = torch.logit(uniform).mul_(0.5).add_(natural).mul_(1 / temperature)
    weights = signs(argument, natural.dtype) if binary else torch.tanh(argument)
    return Draw(weights=weights, slope=slope(natural, argument, temperature=temperature))


def slope(natural: Tensor, argument: Tensor, *, temperature: float) -> Tensor:
    """Return ``(1 - w^2) / tau / (1 - mu^2)`` with ``w = tanh(argument)``, ``mu = tanh(w_r)``.

    Written with ``1 - tanh(x)^2 = 4 e / (1 + e)^2, e = exp(-2 |x|)``, which loses no digits where
    tanh rounds to 1: in float32 the difference of squares is 0 from |x| = 9 on.
    """
    relaxed = torch.exp(argument.abs().mul_(-2))
    mean = torch.exp(natural.abs().mul_(-2))
    ratio = (1 + mean).div_(1 + relaxed).square_()
    # e^(-2|a|) / e^(-2|w_r|) as one exponential: neither factor alone can be 0 by underflow
    return ratio.mul_(torch.exp((natural.abs() - argument.abs()).mul_(2))).mul_(1 / temperature)


def natural_update(
    natural: Tensor,
    gradient: Tensor,
    *,
    rate: float,
    complexity: float,
    prior: float,
    limit: float,
) -> None:
    """Bayesian learning rule: ``w_r <- (1 - eta rho) w_r - eta (s G - rho w_0)``, in place.

    Parameters
    ----------
    natural
        w_r.
    gradient
        ``s G``: gradient of the mean loss with respect to the posterior's means.
    rate
        eta.
    complexity
        rho, weight of the KL term in the free energy.
    prior
        w_0, natural parameter of the prior.
    limit
        Largest |w_r| afterwards.
    """
    decay = min(1.0, rate * complexity)
    natural.mul_(1 - decay).add_(gradient, alpha=-rate).add_(decay * prior).clamp_(-limit, limit)


def probabilities(natural: Tensor) -> Tensor:
    """Return ``P(w = +1)`` of each weight."""
    return torch.sigmoid(2 * natural)
