# SPDX-License-Identifier: Apache-2.0
"""One epoch of training, and its optimizer."""

import torch

from model.train.batches import TrainingData
from model.train.loss import readout_loss
from model.train.network import TrainableNetwork
from model.train.schedule import warm_cosine

__all__ = ["make_optimizer", "train_epoch"]

_THRESHOLD_RATE = 12.5  # thresholds count spikes, so they move in larger steps than weights
_NORMALISATION_RATE = 1.25


def make_optimizer(network: TrainableNetwork) -> torch.optim.Adam:
    """Adam with one group each for weights, normalisation and output thresholds."""
    rate = network.config.learning_rate
    normalisation = [*network.gains, *network.biases, network.log_scale]
    return torch.optim.Adam(
        [
            {"params": list(network.latents), "peak": rate},
            {"params": normalisation, "peak": rate * _NORMALISATION_RATE},
            {"params": [network.thresholds], "peak": rate * _THRESHOLD_RATE},
        ],
        lr=rate,
        fused=True,
    )


def train_epoch(
    network: TrainableNetwork, optimizer: torch.optim.Adam, data: TrainingData, epoch: int
) -> tuple[float, float]:
    """Train for one epoch.

    Parameters
    ----------
    network
        Changed in place.
    optimizer
        From `make_optimizer`.
    data
        Training data.
    epoch
        Epochs finished before, from 0; order and distortions depend on it and the seed only.

    Returns
    -------
    tuple of float
        Mean loss, and the learning rate of the latent weights in the last step.
    """
    config, count = network.config, len(data.images)
    seed = config.seed * 1_000_003 + epoch
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    order = order.to(data.images.device)
    chance = torch.Generator(data.images.device).manual_seed(seed)
    batches = count // config.batch_size
    distorted = epoch < int(config.epochs * (1 - config.plain_tail))
    total = torch.zeros((), device=data.images.device)
    network.train()
    for batch in range(batches):
        step = epoch * batches + batch
        factor = warm_cosine(step, config.epochs * batches)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        chosen = order[batch * config.batch_size : (batch + 1) * config.batch_size]
        samples, targets = data.batch(chosen, distorted, chance)
        loss = readout_loss(
            network(samples.flatten(1)), targets, scale=network.log_scale.exp(), config=config
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        network.constrain()
        total += loss.detach()
    return float(total) / batches, optimizer.param_groups[0]["lr"]
