# SPDX-License-Identifier: Apache-2.0
"""One epoch of the parallel form: a falling gain, then the integers of the network to be."""

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional

from model.train.lmu.config import LmuConfig, Quantiser
from model.train.lmu.network import ParallelNetwork
from model.train.order import EpochOrder
from model.train.schedule import warm_cosine

__all__ = ["SentSamples", "falling_gain", "make_optimizer", "scores_of", "train_epoch"]

_BATCH = 2000


@dataclasses.dataclass(kw_only=True)
class SentSamples:
    """What a memory sends of samples, with their labels.

    Parameters
    ----------
    sent
        int8 (N, R, states).
    labels
        int64 (N,).
    told
        Logits float32 (N, classes) of teachers; None without them.
    """

    sent: Tensor
    labels: Tensor
    told: Tensor | None = None

    def __post_init__(self) -> None:
        self.mean = self.sent.float().mean(1)


def make_optimizer(network: ParallelNetwork) -> torch.optim.Adam:
    """Adam: first the weights, then everything else."""
    return torch.optim.Adam([{"params": network.latents()}, {"params": network.others()}])


def falling_gain(quantiser: Quantiser, share: float) -> float:
    """Gain of the quantisers, in units of the final one, at a share 0..1 of the run.

    It falls by the same factor each step, from ``start_levels / levels`` to 1 at ``anneal``.
    """
    start = max(1.0, quantiser.start_levels / quantiser.levels)
    left = 1 - share / quantiser.anneal if quantiser.anneal else 0.0
    return float(start ** max(0.0, left))


def train_epoch(
    network: ParallelNetwork, optimizer: torch.optim.Adam, data: SentSamples, epoch: int
) -> tuple[float, float]:
    """Train for one epoch.

    Parameters
    ----------
    network, optimizer
        Changed in place.
    data
        Training samples.
    epoch
        Epochs finished before, from 0; order and chance depend on it and the seed only.

    Returns
    -------
    tuple of float
        Mean loss, and the learning rate of the weights in the last step.
    """
    config, total = network.config, 0.0
    order = EpochOrder(config, len(data.labels), epoch)
    quantiser = config.quantiser
    rate = 0.0
    for step, chosen in order:
        share = step / order.total
        falling = warm_cosine(step, order.total)
        rate = config.learning_rate * falling
        for group, peak in zip(
            optimizer.param_groups, (config.learning_rate, config.other_rate), strict=True
        ):
            group["lr"] = peak * falling
        exact = share >= 1 - quantiser.exact
        scores, emissions = network(
            data.sent[chosen].transpose(0, 1).float() if exact else data.mean[chosen],
            gain=falling_gain(quantiser, share),
            settled=exact,
            chance=order.chance,
        )
        loss = _loss(config, scores * network.inverse_temperature, data, chosen)
        if quantiser.rate_weight:
            loss = loss + quantiser.rate_weight * _excess(quantiser, emissions)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        network.constrain()
        total += float(loss.detach())
    return total / order.batches, rate


def _loss(config: LmuConfig, logits: Tensor, data: SentSamples, chosen: Tensor) -> Tensor:
    """Cross-entropy with the labels, and with the teachers' probabilities at a temperature."""
    labels = functional.cross_entropy(
        logits, data.labels[chosen], label_smoothing=config.label_smoothing
    )
    if data.told is None:
        return labels
    warm, weight = config.ensemble.temperature, config.ensemble.weight
    told = (data.told[chosen] / warm).softmax(1)
    apart = functional.kl_div((logits / warm).log_softmax(1), told, reduction="batchmean")
    return (1 - weight) * labels + weight * warm**2 * apart


def _excess(quantiser: Quantiser, emissions: list[Tensor]) -> Tensor:
    """Mean square by which mean emissions of neurons lie outside the band, over all neurons."""
    parts = []
    for emitted in emissions:
        means = emitted.flatten(0, -2).mean(0)
        above = (means - quantiser.rate_high).clamp(min=0)
        parts.append(above + (quantiser.rate_low - means).clamp(min=0))
    return torch.cat(parts).square().mean()


@torch.no_grad()
def scores_of(network: ParallelNetwork, sent: Tensor) -> Tensor:
    """Scores (N, classes), whole numbers, of the network to be; ``sent`` int8 (N, R, states)."""
    parts = [network(part.transpose(0, 1).float())[0] for part in sent.split(_BATCH)]
    return torch.cat(parts)
