# SPDX-License-Identifier: Apache-2.0
"""The Bayesian learning rule against its formula, and the layers against plain autograd."""

import numpy as np
import pytest
import torch

from model.description import Dynamics, NeuronKind, Reset
from model.train.bisnn.dynamics import Surrogate, fire
from model.train.bisnn.rules import draw, natural_update, probabilities, slope


def test_update_is_the_formula_in_float64() -> None:
    rng = np.random.default_rng(3)
    natural, gradient = rng.normal(0, 2, (2, 7, 5))
    uniform = rng.random((7, 5))
    tau, eta, rho, prior = 0.6, 0.3, 0.02, 0.25
    relaxed = np.tanh((natural + 0.5 * np.log(uniform / (1 - uniform))) / tau)
    scale = (1 - relaxed**2) / tau / (1 - np.tanh(natural) ** 2)
    wanted = (1 - eta * rho) * natural - eta * (scale * gradient - rho * prior)

    latent = torch.from_numpy(natural.copy())
    argument = (latent + 0.5 * torch.logit(torch.from_numpy(uniform))) / tau
    ours = slope(latent, argument, temperature=tau)
    natural_update(
        latent,
        ours * torch.from_numpy(gradient),
        rate=eta,
        complexity=rho,
        prior=prior,
        limit=100.0,
    )
    np.testing.assert_allclose(latent.numpy(), wanted, rtol=1e-9)


def test_slope_is_the_derivative_of_the_relaxed_weights() -> None:
    natural = torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_()
    noise = torch.linspace(-1, 1.5, 9, dtype=torch.float64)
    relaxed = torch.tanh((natural + noise) / 0.7)
    relaxed.sum().backward()
    assert natural.grad is not None
    expected = natural.grad / (1 - torch.tanh(natural.detach()) ** 2)
    ours = slope(natural.detach(), (natural.detach() + noise) / 0.7, temperature=0.7)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("natural", [0.0, 1.0, 6.0, 10.0, 50.0, 1e4, -1e4, 3e38])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_nothing_overflows_in_float32(natural: float, temperature: float) -> None:
    latent = torch.full((200_000,), natural)
    drawn = draw(latent, torch.Generator().manual_seed(1), temperature=temperature)
    assert torch.isfinite(drawn.weights).all()
    assert torch.isfinite(drawn.slope).all()
    assert (drawn.slope >= 0).all()
    assert (drawn.weights.abs() <= 1).all()


@pytest.mark.parametrize("natural", [-1.0, -0.2, 0.0, 0.7])
def test_draws_follow_the_posterior(natural: float) -> None:
    count = 200_000
    latent = torch.full((count,), natural, dtype=torch.float64)
    chance = torch.Generator().manual_seed(2)
    wanted = float(probabilities(latent[0]))
    for binary in (False, True):
        drawn = draw(latent, chance, temperature=0.5, binary=binary)
        assert (drawn.weights > 0).double().mean() == pytest.approx(wanted, abs=0.005)
    assert set(drawn.weights.unique().tolist()) == {-1.0, 1.0}


def test_update_keeps_within_its_limit_and_never_turns_by_decay() -> None:
    latent = torch.tensor([5.0, -5.0])
    gradient = torch.tensor([-1e6, 1e6])
    natural_update(latent, gradient, rate=1.0, complexity=0.0, prior=0.0, limit=6.0)
    assert latent.tolist() == [6.0, -6.0]
    natural_update(latent, torch.zeros(2), rate=1e9, complexity=1.0, prior=0.5, limit=6.0)
    assert latent.tolist() == [0.5, 0.5]


def plain_lif(
    sums: torch.Tensor, thresholds: torch.Tensor, dynamics: Dynamics, steps: int, width: float
) -> torch.Tensor:
    """The same layer by ordinary autograd, with a triangle for the step."""
    state, spikes = torch.zeros_like(sums[0]), []
    for step in range(steps):
        state = state - state * 2.0**-dynamics.membrane_shift
        if step < len(sums):
            state = state + sums[step] * (1 << dynamics.fraction_bits)
        distance = state - thresholds
        hard = (distance >= 0).to(sums.dtype)
        soft = (1 - distance.detach().abs() / width).clamp(min=0) / width
        spike = hard + (distance - distance.detach()) * soft
        spikes.append(spike)
        state = (
            state - hard * thresholds if dynamics.reset is Reset.SUBTRACT else state * (1 - hard)
        )
    return torch.stack(spikes)


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO])
def test_gradient_of_lif_is_that_of_autograd(reset: Reset) -> None:
    torch.manual_seed(4)
    dynamics = Dynamics.bounded(
        kind=NeuronKind.LIF, fan_in=9, fraction_bits=2, membrane_shift=2, reset=reset
    )
    values = torch.randn(5, 3, 4, dtype=torch.float64) * 3
    level = torch.full((4,), 7.0, dtype=torch.float64)
    weight = torch.randn(8, 3, 4, dtype=torch.float64)
    grads = []
    for function in ("ours", "plain"):
        sums, thresholds = values.clone().requires_grad_(), level.clone().requires_grad_()
        if function == "ours":
            spikes = fire(
                sums,
                thresholds,
                kind=NeuronKind.LIF,
                dynamics=dynamics,
                steps=8,
                surrogate=Surrogate(width=5.0),
                exact=False,
                dtype=torch.float64,
            )
        else:
            spikes = plain_lif(sums, thresholds, dynamics, 8, 5.0)
        assert 0 < spikes.sum() < spikes.numel()
        (spikes * weight).sum().backward()
        grads.append((sums.grad, thresholds.grad))
    torch.testing.assert_close(grads[0], grads[1])


def test_gradient_of_spike_response_is_that_of_its_kernel() -> None:
    dynamics = Dynamics.bounded(
        kind=NeuronKind.SPIKE_RESPONSE,
        fan_in=9,
        fraction_bits=0,
        membrane_shift=1,
        synapse_shift=2,
        refractory_shift=1,
        refractory_jump=4,
    )
    sums = torch.zeros(6, 1, 1, dtype=torch.float64).requires_grad_()
    thresholds = torch.ones(1, dtype=torch.float64).requires_grad_()
    spikes = fire(
        sums,
        thresholds,
        kind=NeuronKind.SPIKE_RESPONSE,
        dynamics=dynamics,
        steps=6,
        surrogate=Surrogate(width=4.0, box=True),
        exact=False,
        dtype=torch.float64,
    )
    spikes[5].sum().backward()
    assert sums.grad is not None
    a, b = 0.5, 0.75
    kernel = [(a**age - b**age) / (a - b) / 4 for age in range(6)]
    assert sums.grad.flatten().tolist() == pytest.approx(kernel[::-1])
    assert thresholds.grad is not None
    assert thresholds.grad.item() == pytest.approx(-0.25)
