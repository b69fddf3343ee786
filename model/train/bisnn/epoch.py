# SPDX-License-Identifier: Apache-2.0
"""One epoch of back-propagation through time, and the moves of the latent weights."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from model.train.bisnn.config import BisnnConfig, Estimator
from model.train.bisnn.inputs import Inputs
from model.train.bisnn.network import SpikingStack
from model.train.bisnn.rules import Draw, Rule, draw, natural_update
from model.train.order import EpochOrder
from model.train.surrogate import signs

__all__ = ["Mover", "move_rest", "rate_at", "train_epoch"]

_WARM_UP = 0.02  # share of the run
_RMS_DECAY = 0.99
_TINY = 1e-12


def rate_at(config: BisnnConfig, step: int, total: int) -> float:
    """Learning rate of a step: a short warm-up, then a cosine to 0 or halving at each fifth."""
    if config.schedule == "halving":
        return config.learning_rate * 0.5 ** (5 * step // total)
    warm = min(1.0, (step + 1) / max(1.0, _WARM_UP * total))
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / total))


class Mover:
    """Draws weights for a forward pass, and moves the latent weights by their gradients.

    Parameters
    ----------
    network
        Changed in place.
    """

    def __init__(self, network: SpikingStack) -> None:
        self.network = network
        self.config = network.config
        self.squares = [0.0 for _ in network.latents]
        self.moves = 0
        self.means = [torch.zeros_like(latent) for latent in network.latents]

    def draw(self, index: int, chance: torch.Generator) -> Draw:
        """Weights of a layer for one forward pass of training, with their slope."""
        latent, config = self.network.latents[index].detach(), self.config
        if config.rule is Rule.BAYES:
            table = config.posterior
            if table.estimator is Estimator.MOMENTS:
                return Draw(weights=torch.tanh(latent), slope=torch.ones(()))
            binary = table.estimator is Estimator.BINARY
            return draw(latent, chance, temperature=table.temperature, binary=binary)
        weights = signs(latent) if config.rule is Rule.STRAIGHT_THROUGH else latent.clone()
        return Draw(weights=weights, slope=torch.ones(()))

    @torch.no_grad()
    def move(self, gradients: list[Tensor], rate: float) -> None:
        """Move all latent weights.

        Parameters
        ----------
        gradients
            Of each layer: gradient of the mean loss times slope.
        rate
            Learning rate.
        """
        config = self.config
        self.moves += 1
        for index, gradient in enumerate(gradients):
            latent, eta = self.network.latents[index], rate
            if config.normalise:
                square = float(gradient.square().mean())
                self.squares[index] = _RMS_DECAY * self.squares[index] + (1 - _RMS_DECAY) * square
                unbiased = self.squares[index] / (1 - _RMS_DECAY**self.moves)
                eta = rate / math.sqrt(unbiased + _TINY)
            if config.momentum:
                mean = self.means[index]
                mean.lerp_(gradient, 1 - config.momentum)
                gradient = mean
            if config.rule is Rule.BAYES:
                table = config.posterior
                natural_update(
                    latent,
                    gradient,
                    rate=eta,
                    complexity=table.complexity,
                    prior=0.5 * math.log(table.prior / (1 - table.prior)),
                    limit=config.limit,
                )
            else:
                latent.sub_(gradient, alpha=eta)
                if config.limit:
                    latent.clamp_(-config.limit, config.limit)

    def state_dict(self) -> dict[str, object]:
        """State for a checkpoint."""
        return {"squares": self.squares, "moves": self.moves, "means": self.means}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over the state of a checkpoint."""
        self.squares = list(state["squares"])  # type: ignore[call-overload]
        self.moves = int(state["moves"])  # type: ignore[call-overload]
        self.means = list(state["means"])  # type: ignore[call-overload]


def move_rest(network: SpikingStack, optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Move everything but the latent weights, by its gradients.

    Parameters
    ----------
    network, optimizer
        Changed in place; the optimizer holds thresholds and the scale of the scores.
    rate
        Learning rate of the latent weights.
    """
    config = network.config
    for group in optimizer.param_groups:
        group["lr"] = config.threshold_rate * rate / config.learning_rate
    optimizer.step()
    network.constrain()


def train_epoch(
    network: SpikingStack,
    mover: Mover,
    optimizer: torch.optim.Optimizer,
    data: Inputs,
    epoch: int,
) -> tuple[float, float]:
    """Train for one epoch by back-propagation through time.

    Parameters
    ----------
    network, mover, optimizer
        Changed in place; the optimizer holds thresholds and the scale of the scores.
    data
        Training samples.
    epoch
        Epochs finished before, from 0; order and chance depend on it and the seed only.

    Returns
    -------
    tuple of float
        Mean loss, and the learning rate in the last step.
    """
    config = network.config
    order = EpochOrder(config, len(data), epoch)
    draws = config.posterior.draws if config.rule is Rule.BAYES else 1
    moments = config.rule is Rule.BAYES and config.posterior.estimator is Estimator.MOMENTS
    noise = order.chance if moments else None
    dtype = torch.bfloat16 if network.exact else torch.float32
    total = rate = 0.0
    for step, chosen in order:
        rate = rate_at(config, step, order.total)
        spikes, targets = data.batch(chosen, order.distorted, order.chance)
        gradients = [torch.zeros_like(latent) for latent in network.latents]
        optimizer.zero_grad(set_to_none=True)
        for part in torch.arange(len(chosen)).chunk(draws):
            drawn = [mover.draw(index, order.chance) for index in range(len(network.latents))]
            leaves = [each.weights.requires_grad_() for each in drawn]
            scores = network(spikes[:, part], leaves, dtype, noise)
            logits = scores * network.log_scale.exp()
            loss = functional.cross_entropy(logits, targets[part], reduction="sum") / len(chosen)
            loss.backward()
            for gradient, leaf, each in zip(gradients, leaves, drawn, strict=True):
                assert leaf.grad is not None
                gradient.add_(leaf.grad * each.slope)
            total += float(loss.detach())
        mover.move(gradients, rate)
        move_rest(network, optimizer, rate)
    return total / order.batches, rate
