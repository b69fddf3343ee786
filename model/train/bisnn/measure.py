# SPDX-License-Identifier: Apache-2.0
"""Scores of what a training run would ship, by its own forward pass."""

import numpy as np
import torch
from torch import Tensor

from model.calibration import fit_inverse_temperature
from model.description import Network
from model.sampling import drawn_network
from model.train.bisnn.freeze import freeze, freeze_floats
from model.train.bisnn.inputs import Inputs
from model.train.bisnn.network import SpikingStack
from model.yardstick import Yardstick

__all__ = [
    "SAMPLED_SEED",
    "accuracy_of",
    "fitted_inverse_temperature",
    "frozen_form",
    "member_scores",
    "weight_scores",
]

#: Seed with which sampled posteriors are measured.
SAMPLED_SEED = 1

_BATCH = 500


def frozen_form(network: SpikingStack) -> Network | Yardstick:
    """What the recipe's network would ship as, without metadata."""
    return freeze(network) if network.exact else freeze_floats(network)


@torch.no_grad()
def weight_scores(network: SpikingStack, weights: list[Tensor], data: Inputs) -> Tensor:
    """Scores float32 (N, classes) with given weights."""
    parts = [slice(start, start + _BATCH) for start in range(0, len(data), _BATCH)]
    return torch.cat([network(data.spikes(part), weights) for part in parts])


def member_scores(
    network: SpikingStack, frozen: Network | Yardstick, data: Inputs, *, members: int | None = None
) -> np.ndarray:
    """Scores of each member, (K, N, classes); whole numbers unless full precision.

    Parameters
    ----------
    network
        The trainable form that was frozen.
    frozen
        What it was frozen into.
    data
        Samples.
    members
        Members of a sampled posterior; by default as the recipe says.
    """
    if isinstance(frozen, Yardstick):
        return weight_scores(network, network.mode(), data).numpy()[None]
    if frozen.is_sampled:
        count = members or network.config.posterior.members
        frozen = drawn_network(frozen, seed=SAMPLED_SEED, members=count)
    return np.stack(
        [
            weight_scores(
                network,
                [torch.from_numpy(layer.signs(member)).float() for layer in frozen.layers],
                data,
            ).numpy()
            for member in range(frozen.members)
        ]
    )


def accuracy_of(scores: np.ndarray, data: Inputs) -> float:
    """Accuracy 0..1 of the summed scores (K, N, classes); the lowest class wins a tie."""
    return float((scores.sum(0).argmax(1) == data.labels.numpy()).mean())


def fitted_inverse_temperature(scores: np.ndarray, data: Inputs) -> float:
    """Inverse temperature with which the mean scores of (K, N, classes) fit the labels best."""
    return fit_inverse_temperature(scores.mean(0), data.labels.numpy())
