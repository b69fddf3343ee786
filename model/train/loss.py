# SPDX-License-Identifier: Apache-2.0
"""Training losses, one per readout, on the potentials of the output neurons."""

import torch
from torch import Tensor
from torch.nn import functional

from model.description import Readout
from model.train.config import TrainConfig

__all__ = ["readout_loss"]


def readout_loss(
    potentials: Tensor, targets: Tensor, *, scale: Tensor, config: TrainConfig
) -> Tensor:
    """Mean loss of a batch.

    Summed and final potential: cross-entropy of the softmax of what the readout compares.

    First spike: the cross-entropies of all steps, each weighted with the chance that this step
    decides. Step t decides, if no earlier one did, with chance
    ``sigmoid(sharpness * (largest potential + 1/2))``; the last step decides for whatever is
    left, since without a spike the largest final potential wins. The network so learns to cross
    a threshold early where it is sure and to wait where it is not.

    Parameters
    ----------
    potentials
        float (T, N, classes): potential minus threshold after each step.
    targets
        float (N, classes): probability that each class is right.
    scale
        Positive scalar: weight of one unit of the summed potential in the softmax.
    config
        Readout, sharpness, step loss.
    """
    steps = potentials.shape[0]

    def cross_entropy(logits: Tensor) -> Tensor:
        return -(targets * functional.log_softmax(logits, dim=-1)).sum(-1)

    each = cross_entropy(potentials * (scale * steps))  # (T, N)
    if config.readout is Readout.SUMMED_POTENTIAL:
        loss = cross_entropy(potentials.sum(0) * scale).mean()
    elif config.readout is Readout.FINAL_POTENTIAL:
        loss = each[-1].mean()
    else:
        loss = (_decision_weights(potentials, config.sharpness) * each).sum(0).mean()
    if config.step_loss:
        loss = (1 - config.step_loss) * loss + config.step_loss * each.mean()
    return loss


def _decision_weights(potentials: Tensor, sharpness: float) -> Tensor:
    """Chance that each step decides: (T, N), sums to 1 over T."""
    fires = torch.sigmoid(sharpness * (potentials.max(2).values + 0.5))
    undecided = torch.cumprod(1 - fires, 0)
    before = torch.cat([torch.ones_like(undecided[:1]), undecided[:-1]])
    return torch.cat([fires[:-1] * before[:-1], before[-1:]])
