# SPDX-License-Identifier: Apache-2.0
"""Freezing: latent weights into bits, thresholds into integers, a posterior into members."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.description import Dynamics, Layer, Network, NeuronKind, Readout
from model.train.bisnn.config import Form
from model.train.bisnn.network import SpikingStack
from model.train.bisnn.rules import Rule, probabilities
from model.yardstick import SpikingYardstick

__all__ = ["committee_signs", "freeze", "freeze_floats"]


def committee_signs(
    latents: list[Tensor], members: int, seed: int
) -> list[np.ndarray]:  # (members, neurons, fan_in) each
    """Draw weight sets from the posterior: int8 of -1 and +1, member after member.

    Parameters
    ----------
    latents
        Natural parameters of each layer.
    members
        Weight sets K. The first k of K are those of a committee of k.
    seed
        Seed of the draws.
    """
    chance = torch.Generator().manual_seed(seed)
    drawn: list[list[np.ndarray]] = [[] for _ in latents]
    for _ in range(members):
        for index, latent in enumerate(latents):
            uniform = torch.rand(latent.shape, generator=chance, dtype=torch.float64)
            positive = uniform < probabilities(latent.detach().double())
            drawn[index].append((2 * positive.to(torch.int8) - 1).numpy())
    return [np.stack(sets) for sets in drawn]


@torch.no_grad()
def freeze(
    network: SpikingStack,
    *,
    form: Form | None = None,
    members: int | None = None,
    input_shape: tuple[int, ...] = (),
    inverse_temperature: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> Network:
    """Fold everything into bits and integers.

    Parameters
    ----------
    network
        Trained with binary weights.
    form, members
        Of a posterior; by default as the recipe says. Straight-through networks have one weight
        set.
    input_shape
        Shape of one sample.
    inverse_temperature
        By default the scale of the scores that training ended with.
    metadata
        Facts to keep in the network.

    Returns
    -------
    Network
        Each member predicts exactly what the forward pass gives with its weights.
    """
    config = network.config
    assert network.exact, "full precision has no bits"
    form = form or config.posterior.form
    if config.rule is not Rule.BAYES:
        form = Form.MODE
    count = members or config.posterior.members
    signs: list[np.ndarray] = [weight.to(torch.int8).numpy() for weight in network.mode()]
    undecided: list[np.ndarray | None] = [None] * len(signs)
    latents = list(network.latents)
    if form is Form.COMMITTEE:
        signs[: len(latents)] = committee_signs(latents, count, config.seed)
    elif form is Form.SAMPLED:
        low, high = config.posterior.cuts
        for index, latent in enumerate(latents):
            positive = probabilities(latent.double()).numpy()
            open_ = (positive >= low) & (positive <= high)
            signs[index] = np.where(open_ | (positive < low), -1, 1).astype(np.int8)
            undecided[index] = np.packbits(open_, axis=1, bitorder="little")
    layers = []
    for index, sign in enumerate(signs):
        hidden = index < len(config.hidden)
        thresholds = network.thresholds(index) if hidden else network.output_thresholds()
        layers.append(
            Layer.from_signs(
                sign,
                thresholds.numpy().astype(np.int64),
                kind=config.neuron.kind if hidden else NeuronKind.INTEGRATOR,
                dynamics=network.dynamics(index) if hidden else _integrator(network),
                undecided=undecided[index],
            )
        )
    return Network(
        encoding=config.encoding,
        layers=tuple(layers),
        readout=Readout.FINAL_POTENTIAL,
        input_shape=input_shape,
        inverse_temperature=inverse_temperature or float(network.log_scale.exp()),
        metadata=metadata or {},
    )


@torch.no_grad()
def freeze_floats(
    network: SpikingStack,
    *,
    input_shape: tuple[int, ...] = (),
    inverse_temperature: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> SpikingYardstick:
    """Keep a full-precision network as it is; parameters as for `freeze`."""
    hidden = range(len(network.config.hidden))
    thresholds = [network.thresholds(index) for index in hidden] + [network.output_thresholds()]
    return SpikingYardstick(
        encoding=network.config.encoding,
        kind=network.config.neuron.kind,
        dynamics=tuple(network.dynamics(index) for index in hidden),
        burn_in=network.config.neuron.burn_in,
        weights=tuple(weight.numpy().astype(np.float32) for weight in network.mode()),
        thresholds=tuple(each.numpy().astype(np.float32) for each in thresholds),
        input_shape=input_shape or (network.sizes[0],),
        inverse_temperature=inverse_temperature or float(network.log_scale.exp()),
        metadata=metadata or {},
    )


def _integrator(network: SpikingStack) -> Dynamics:
    config = network.config
    return Dynamics.bounded(
        kind=NeuronKind.INTEGRATOR,
        fan_in=network.sizes[-2],
        steps=config.steps,
        burn_in=config.neuron.burn_in,
    )
