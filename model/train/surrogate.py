# SPDX-License-Identifier: Apache-2.0
"""Integer operations of the network with the gradients that training gives them.

Forward, each function is exactly what the frozen network computes; backward, a straight-through
or surrogate gradient stands in for a derivative that is zero almost everywhere.
"""

import torch
from torch import Tensor

__all__ = ["fire_once", "round_through", "signs"]


class _Signs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, latent: Tensor, dtype: torch.dtype) -> Tensor:
        return (latent >= 0).to(dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.to(torch.float32), None


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        return value.round()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


class _FireOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, drive: Tensor) -> Tensor:
        highest = torch.empty_like(drive)
        highest[0] = drive[0]
        for step in range(1, drive.shape[0]):
            torch.maximum(highest[step - 1], drive[step], out=highest[step])
        ctx.save_for_backward(drive, highest)
        return (highest >= 0).to(drive.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        drive, highest = ctx.saved_tensors  # type: ignore[attr-defined]
        routed = highest.abs().neg_().add_(1).clamp_(min=0).mul_(gradient)
        for step in range(drive.shape[0] - 1, 0, -1):
            # routed[step] holds the gradient of all steps >= step; what belongs to an earlier
            # maximum moves on to the step before.
            own = routed[step] * (drive[step] > highest[step - 1])
            routed[step - 1].add_(routed[step]).sub_(own)
            routed[step] = own
        return routed


def signs(latent: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Binary weights of real latent weights: +1 where ``latent >= 0``, else -1.

    The gradient passes straight through.

    Parameters
    ----------
    latent
        Real tensor of any shape.
    dtype
        Type of the result.
    """
    result: Tensor = _Signs.apply(latent, dtype)
    return result


def round_through(value: Tensor) -> Tensor:
    """Nearest integers (ties to even), with the gradient of the identity."""
    result: Tensor = _Round.apply(value)
    return result


def fire_once(drive: Tensor) -> Tensor:
    """Whether each neuron has fired at or before each step.

    A neuron fires at the first step with ``drive >= 0`` and stays fired, which is the sign of the
    running maximum. Backward, the gradient at step t goes to the step where the running maximum
    was reached, weighted by the triangle ``max(0, 1 - |maximum|)``.

    Parameters
    ----------
    drive
        (T, N, neurons): distance of the potential from the threshold, in units of the
        potential's spread.

    Returns
    -------
    torch.Tensor
        (T, N, neurons) of 0 and 1, never falling along T.
    """
    result: Tensor = _FireOnce.apply(drive)
    return result
