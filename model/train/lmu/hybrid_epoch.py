# SPDX-License-Identifier: Apache-2.0
"""One epoch of the recurrent form: batches with noise, a falling gain, back-propagation in time."""

import dataclasses

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.data import Samples
from model.description import SeriesEncoding
from model.neurons import signed_bounds
from model.spike_trains import check_series, series_integers
from model.train.lmu.hybrid_config import HybridConfig, HybridRule
from model.train.lmu.hybrid_network import HybridNetwork
from model.train.lmu.hybrid_twin import HybridTwin
from model.train.order import EpochOrder
from model.train.schedule import falling_gain, warm_cosine

__all__ = ["SeriesData", "make_optimizer", "train_hybrid_epoch"]

_WARM_UP = 0.02  # share of the run
_BETAS = (0.9, 0.99)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesData:
    """Samples of a recurrent form.

    Parameters
    ----------
    config
        Recipe.
    encoding
        How layers see a sample.
    values
        Byte minus zero, float32 (T, N, channels).
    labels
        int64 (N,).
    """

    config: HybridConfig
    encoding: SeriesEncoding
    values: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls,
        config: HybridConfig,
        samples: Samples,
        *,
        classes: int,
        encoding: SeriesEncoding | None = None,
    ) -> "SeriesData":
        """Samples uint8 (N, T, channels) with labels below ``classes``.

        Parameters
        ----------
        config, samples, classes
            Recipe, series, number of classes.
        encoding
            Of the training samples, which others must fit; None: these are they.

        Raises
        ------
        ValueError
            If the samples are no series of the recipe.
        """
        images = samples.series()
        if not len(samples):
            raise ValueError("Samples must number at least 1")
        labels = torch.from_numpy(samples.labels.astype(np.int64))
        if int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise ValueError(f"Labels must lie in 0..{classes - 1}, not {int(labels.max())}")
        if encoding is None:
            encoding = _encoding(config, samples.zero, *images.shape[1:])
        if config.burn_in >= encoding.steps:
            raise ValueError(
                f"Burn in must be less than the {encoding.steps} steps, not {config.burn_in}"
            )
        values = torch.from_numpy(series_integers(encoding, check_series(encoding, images)))
        return cls(
            config=config,
            encoding=encoding,
            values=values.float().transpose(0, 1).contiguous(),
            labels=labels,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def seen(self, chosen: Tensor | slice, *, chance: torch.Generator | None = None) -> Tensor:
        """What layers see of chosen samples, float32 (T, n, channels).

        Small integers; for the float form the values themselves. ``chance``: source of noise.
        """
        values = self.values[:, chosen]
        config, encoding = self.config, self.encoding
        if chance is not None and config.noise:
            begun = (values != 0).any(2, keepdim=True)
            noise = torch.empty_like(values).normal_(0, config.noise, generator=chance)
            low, high = -encoding.zero, 255 - encoding.zero
            values = (values + noise * begun).round_().clamp_(low, high)
        if config.rule is HybridRule.FLOAT:
            return values
        low, high = signed_bounds(config.bits)
        return (values * 2.0**-encoding.shift).floor_().clamp_(low, high)


def _encoding(config: HybridConfig, zero: int, steps: int, channels: int) -> SeriesEncoding:
    """How layers see samples: the highest bits of what a byte may stand for, -zero..255 - zero."""
    most = max(zero - 1, 255 - zero).bit_length() + 1
    return SeriesEncoding(
        steps=steps,
        channels=channels,
        zero=zero,
        bits=config.bits,
        shift=max(0, most - config.bits),
    )


def make_optimizer(network: HybridNetwork | HybridTwin) -> torch.optim.Optimizer:
    """Adam, weights and everything else at rates of their own, with decay of float weights."""
    config = network.config
    decay = config.weight_decay if config.rule is HybridRule.FLOAT else 0.0
    return torch.optim.AdamW(
        [
            {"params": network.weights(), "peak": config.learning_rate, "weight_decay": decay},
            {"params": network.others(), "peak": config.other_rate, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=_BETAS,
    )


def train_hybrid_epoch(
    network: HybridNetwork | HybridTwin,
    optimizer: torch.optim.Optimizer,
    data: SeriesData,
    epoch: int,
) -> tuple[float, float]:
    """Train on all batches of an epoch.

    Parameters
    ----------
    network, optimizer
        Changed in place.
    data
        Training samples.
    epoch
        Epochs finished before.

    Returns
    -------
    tuple of float
        Mean loss, and the learning rate of the weights at the end.
    """
    config = network.config
    order = EpochOrder(config, len(data), epoch)
    losses = []
    for step, chosen in order:
        share = warm_cosine(step, order.total, warm_up=max(1.0, _WARM_UP * order.total))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        seen = data.seen(chosen, chance=order.chance if order.distorted else None)
        gain = falling_gain(config.start_gain, config.anneal, step / order.total)
        scores = network(seen, gain=gain, chance=order.chance)
        loss = functional.cross_entropy(
            scores * network.inverse_temperature,
            data.labels[chosen],
            label_smoothing=config.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        network.constrain()
        losses.append(float(loss.detach()))
    return sum(losses) / len(losses), float(optimizer.param_groups[0]["lr"])
