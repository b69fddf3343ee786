# SPDX-License-Identifier: Apache-2.0
"""Float networks behind a memory: the yardstick of the parallel form, and teachers of it."""

import itertools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.train.lmu.config import LmuConfig
from model.train.order import EpochOrder
from model.train.schedule import warm_cosine

__all__ = ["FloatNetwork", "float_epoch", "float_scores"]

_BATCH = 2000
_TINY = 1e-6


class FloatNetwork(nn.Module):
    """States, standardised; then linear layers with batch norm, ReLU and dropout; then scores.

    Parameters
    ----------
    sizes
        States, hidden neurons, classes.
    dropout, input_dropout
        Shares that training leaves out.
    states
        Float (N, states) of training samples, whose means and deviations are taken.
    seed
        Of the initial weights.
    """

    def __init__(
        self,
        *,
        sizes: tuple[int, ...],
        dropout: float,
        input_dropout: float,
        states: Tensor,
        seed: int,
    ) -> None:
        super().__init__()
        self.sizes, self._dropout, self._input_dropout = sizes, dropout, input_dropout
        self.register_buffer("mean", states.mean(0))
        self.register_buffer("deviation", states.std(0).clamp(min=_TINY))
        self.mean: Tensor
        self.deviation: Tensor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.ModuleList(
                nn.Linear(fan_in, neurons, bias=neurons == sizes[-1])
                for fan_in, neurons in itertools.pairwise(sizes)
            )
        self.norms = nn.ModuleList(nn.BatchNorm1d(neurons) for neurons in sizes[1:-1])

    def forward(self, states: Tensor, chance: torch.Generator | None = None) -> Tensor:
        """Logits (N, classes); with ``chance`` in training, dropout is drawn from it."""
        values = _dropped((states - self.mean) / self.deviation, self._input_dropout, chance)
        for layer, norm in zip(self.layers, self.norms, strict=False):
            values = functional.relu(norm(_product(layer, values)))
            values = _dropped(values, self._dropout, chance)
        logits: Tensor = self.layers[-1](values)
        return logits

    @torch.no_grad()
    def folded(self) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Weights float32 (neurons, fan_in) and thresholds (neurons,) without the norms."""
        weights, thresholds = [], []
        scale, shift = 1 / self.deviation.double(), -(self.mean / self.deviation).double()
        for layer, norm in zip(self.layers, [*self.norms, None], strict=True):
            assert isinstance(layer, nn.Linear)
            weight = layer.weight.double()
            offset = weight @ shift
            weight = weight * scale
            if isinstance(norm, nn.BatchNorm1d):
                assert norm.running_mean is not None
                assert norm.running_var is not None
                factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
                offset = (offset - norm.running_mean.double()) * factor + norm.bias.double()
                weight = weight * factor[:, None]
            else:
                offset = offset + layer.bias.double()
            weights.append(weight.float().numpy())
            thresholds.append((-offset).float().numpy())
            scale, shift = torch.ones(len(weight)).double(), torch.zeros(len(weight)).double()
        return tuple(weights), tuple(thresholds)


def float_epoch(
    network: FloatNetwork,
    optimizer: torch.optim.Optimizer,
    config: LmuConfig,
    states: Tensor,
    labels: Tensor,
    epoch: int,
) -> tuple[float, float]:
    """Train for one epoch; mean loss, and the learning rate of the last step.

    Parameters
    ----------
    network, optimizer
        Changed in place.
    config
        Seed, epochs, size of a batch, learning rate, label smoothing.
    states, labels
        Float (N, states), and class numbers (N,).
    epoch
        Epochs finished before, from 0.
    """
    order = EpochOrder(config, len(states), epoch)
    network.train()
    total = rate = 0.0
    for step, chosen in order:
        rate = config.learning_rate * warm_cosine(step, order.total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = functional.cross_entropy(
            network(states[chosen], order.chance),
            labels[chosen],
            label_smoothing=config.label_smoothing,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += float(loss.detach())
    return total / order.batches, rate


@torch.no_grad()
def float_scores(network: FloatNetwork, states: Tensor) -> Tensor:
    """Logits float32 (N, classes) of the network as it would be kept."""
    network.eval()
    return torch.cat([network(part) for part in states.split(_BATCH)])


def _product(layer: nn.Module, values: Tensor) -> Tensor:
    assert isinstance(layer, nn.Linear)
    if not torch.is_grad_enabled():
        return functional.linear(values, layer.weight)
    kind = torch.bfloat16
    return functional.linear(values.to(kind), layer.weight.to(kind)).float()


def _dropped(values: Tensor, share: float, chance: torch.Generator | None) -> Tensor:
    if not share or chance is None:
        return values
    kept = torch.rand(values.shape, generator=chance) >= share
    return values * kept * (1 / (1 - share))
