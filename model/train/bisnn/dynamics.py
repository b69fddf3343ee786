# SPDX-License-Identifier: Apache-2.0
"""Neurons with a state at every step, as training runs them: integers forward, surrogates backward.

With binary weights the forward pass is the arithmetic of ``model/stepwise.py``, carried out in
float32, which is exact for the integers that can occur here. Backward, the floor of a leak has the
gradient of the identity, a spike has a surrogate derivative around its threshold, and nothing
flows back through a reset or a refractory trace (as in DECOLLE, Kaiser et al. 2020).
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from model.description import Dynamics, NeuronKind, Reset

__all__ = ["Surrogate", "fire", "left_by_leak"]


def left_by_leak(shift: int) -> float:
    """Share of a state that is left after ``state -= state >> shift``, without the floor."""
    return 1 - 2.0**-shift


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surrogate:
    """Derivative of a spike with respect to the distance u of the potential from its threshold.

    Parameters
    ----------
    width
        Half of the base of the triangle ``max(0, 1 - |u| / width) / width``, or the whole width of
        the box ``[-width / 2 < u <= width / 2] / width``, in units of the membrane.
    box
        Box (the authors') instead of triangle.
    """

    width: float
    box: bool = False

    def __call__(self, distance: Tensor) -> Tensor:
        """Derivative at each distance; the argument is overwritten."""
        if self.box:
            inside = (distance > -self.width / 2) & (distance <= self.width / 2)
            return inside.to(distance.dtype).mul_(1 / self.width)
        scale = 1 / self.width
        return distance.abs_().mul_(-scale * scale).add_(scale).clamp_(min=0)


def fire(
    sums: Tensor,
    thresholds: Tensor,
    *,
    kind: NeuronKind,
    dynamics: Dynamics,
    steps: int,
    surrogate: Surrogate,
    exact: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Run a layer over all steps of a batch.

    Parameters
    ----------
    sums
        Synaptic sums, float32 (T', N, neurons); steps from T' on have no input.
    thresholds
        float32 (neurons,), positive; integers where `exact`.
    kind
        LIF or spike response.
    dynamics
        Shifts, fraction bits, jump, reset.
    steps
        Number of steps T >= T'.
    surrogate
        Derivative of a spike.
    exact
        Leaks are floors, as in hardware; otherwise real multiplications (full precision).
    dtype
        Type of the spikes.

    Returns
    -------
    torch.Tensor
        Spikes 0 or 1, (T, N, neurons).
    """
    function = _Lif if kind is NeuronKind.LIF else _SpikeResponse
    how = _How(dynamics=dynamics, steps=steps, surrogate=surrogate, exact=exact, dtype=dtype)
    result: Tensor = function.apply(sums, thresholds, how)
    return result


@dataclasses.dataclass(frozen=True, kw_only=True)
class _How:
    """What both kinds of neuron are told, see `fire`."""

    dynamics: Dynamics
    steps: int
    surrogate: Surrogate
    exact: bool
    dtype: torch.dtype

    @property
    def gain(self) -> float:
        """Units of the state that a synaptic sum of 1 adds."""
        return float(1 << self.dynamics.fraction_bits)

    def leak(self, state: Tensor, shift: int, scratch: Tensor) -> None:
        """Take ``state >> shift`` away from a state, in place."""
        if self.exact:
            torch.mul(state, 2.0**-shift, out=scratch)
            state.sub_(scratch.floor_())
        else:
            state.mul_(left_by_leak(shift))


class _Lif(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, thresholds: Tensor, how: _How) -> Tensor:
        dynamics = how.dynamics
        potentials = sums.new_empty(how.steps, *sums.shape[1:])
        spikes = torch.empty_like(potentials, dtype=how.dtype)
        state = torch.zeros_like(sums[0])
        scratch = torch.empty_like(state)
        for step in range(how.steps):
            how.leak(state, dynamics.membrane_shift, scratch)
            if step < len(sums):
                state.add_(sums[step], alpha=how.gain)
            potentials[step] = state
            fired = torch.ge(state, thresholds, out=scratch)
            spikes[step] = fired
            if dynamics.reset is Reset.SUBTRACT:
                state.addcmul_(fired, thresholds, value=-1)
            else:
                state.mul_(fired.neg_().add_(1))
        ctx.save_for_backward(potentials, thresholds)
        ctx.how, ctx.given = how, len(sums)
        return spikes

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        potentials, thresholds = ctx.saved_tensors
        how, dynamics = ctx.how, ctx.how.dynamics
        kept = left_by_leak(dynamics.membrane_shift)
        distance = potentials - thresholds
        fired = distance >= 0
        direct = how.surrogate(distance).mul_(gradient)
        to_thresholds = direct.sum((0, 1)).neg_()
        after = torch.zeros_like(direct[0])  # gradient of the state after reset
        for step in range(len(direct) - 1, -1, -1):
            if dynamics.reset is Reset.SUBTRACT:
                to_thresholds.sub_((after * fired[step]).sum(0))
            else:
                after.mul_(~fired[step])
            direct[step].add_(after)
            torch.mul(direct[step], kept, out=after)
        to_sums = direct[: ctx.given].mul_(how.gain)
        return to_sums, to_thresholds, None


class _SpikeResponse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, thresholds: Tensor, how: _How) -> Tensor:
        dynamics = how.dynamics
        distances = sums.new_empty(how.steps, *sums.shape[1:])
        state, current, trace, scratch = (torch.zeros_like(sums[0]) for _ in range(4))
        for step in range(how.steps):
            how.leak(state, dynamics.membrane_shift, scratch)
            state.add_(current)  # of the step before: a synaptic delay of one step
            how.leak(current, dynamics.synapse_shift, scratch)
            if step < len(sums):
                current.add_(sums[step], alpha=how.gain)
            torch.sub(state, thresholds, out=distances[step])
            distances[step].sub_(trace)
            how.leak(trace, dynamics.refractory_shift, scratch)
            trace.add_(distances[step] >= 0, alpha=dynamics.refractory_jump)
        ctx.save_for_backward(distances)
        ctx.how, ctx.given = how, len(sums)
        return (distances >= 0).to(how.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (distances,) = ctx.saved_tensors
        how, dynamics = ctx.how, ctx.how.dynamics
        kept = left_by_leak(dynamics.membrane_shift)
        kept_current = left_by_leak(dynamics.synapse_shift)
        direct = how.surrogate(distances.clone()).mul_(gradient)
        to_thresholds = direct.sum((0, 1)).neg_()
        to_sums = torch.empty_like(direct)
        state, current = torch.zeros_like(direct[0]), torch.zeros_like(direct[0])
        for step in range(len(direct) - 1, -1, -1):
            # state here is the gradient of the membrane one step later
            current.mul_(kept_current).add_(state)
            state.mul_(kept).add_(direct[step])
            to_sums[step] = current
        to_sums = to_sums[: ctx.given].mul_(how.gain)
        return to_sums, to_thresholds, None
