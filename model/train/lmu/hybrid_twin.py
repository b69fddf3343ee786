# SPDX-License-Identifier: Apache-2.0
"""The float twin of the recurrent hybrid LMU: same sizes, float weights and memory, tanh."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from model.description import SeriesEncoding
from model.legendre_step import float_system
from model.lmu_yardstick import LmuYardstick, mean_activity
from model.train.lmu.hybrid_config import HybridConfig

__all__ = ["HybridTwin", "freeze_twin"]


class HybridTwin(nn.Module):
    """Float weights and thresholds; makes scores of series.

    Parameters
    ----------
    config
        Recipe; its seed decides the initial weights.
    encoding
        Of the series.
    classes
        Outputs.
    """

    def __init__(self, *, config: HybridConfig, encoding: SeriesEncoding, classes: int) -> None:
        super().__init__()
        table, (hidden,) = config.memory, config.hidden
        self.config, self.encoding = config, encoding
        states = table.order * table.channels
        channels = encoding.channels
        features = states + channels + hidden
        chance = torch.Generator().manual_seed(config.seed)

        def uniform(*shape: int, bound: float) -> Tensor:
            return torch.empty(shape).uniform_(-bound, bound, generator=chance)

        bound = 1.7 / math.sqrt(features)
        # Feedback into the memory begins at nothing (Voelker et al. 2019).
        encoder = torch.zeros(table.channels, features)
        encoder[:, states : states + channels] = uniform(
            table.channels, channels, bound=1.7 / math.sqrt(channels)
        )
        self.encoder = nn.Parameter(encoder)
        kernel = uniform(hidden, features, bound=bound)
        kernel[:, :states] *= 2  # states are small
        self.kernel = nn.Parameter(kernel)
        self.readout = nn.Parameter(uniform(classes, hidden, bound=1.7 / math.sqrt(hidden)))
        self.levels = nn.Parameter(torch.zeros(hidden))
        self.offsets = nn.Parameter(torch.zeros(classes))
        self.deviation: Tensor
        self.register_buffer("deviation", torch.ones(()))
        self._system = float_system(table.order, encoding.steps)

    def weights(self) -> list[nn.Parameter]:
        """Weights."""
        return [self.encoder, self.kernel, self.readout]

    def others(self) -> list[nn.Parameter]:
        """Everything else that is trained."""
        return [self.levels, self.offsets]

    @property
    def inverse_temperature(self) -> Tensor:
        """What scores are multiplied by to make logits."""
        return torch.ones(())

    def forward(
        self, series: Tensor, *, gain: float = 1.0, chance: torch.Generator | None = None
    ) -> Tensor:
        """Scores float32 (N, classes) of series float32 (T, N, channels).

        Parameters
        ----------
        series
            Bytes minus zero.
        gain
            Without meaning here.
        chance
            Source of dropout, in training.
        """
        config = self.config
        mean = mean_activity(
            series / self.deviation,
            self.encoder,
            self.kernel,
            self.levels,
            system=self._system,
            burn_in=config.burn_in,
        )
        if chance is not None and config.dropout:
            kept = torch.rand(mean.shape, generator=chance) >= config.dropout
            mean = mean * kept / (1 - config.dropout)
        return mean @ self.readout.T - self.offsets

    @torch.no_grad()
    def calibrate(self, series: Tensor) -> None:
        """Take the unit of the series from a first batch, as for `forward`."""
        self.deviation.copy_(series.square().mean().sqrt().clamp(min=1.0))

    def constrain(self) -> None:
        """Float weights are free."""


@torch.no_grad()
def freeze_twin(
    network: HybridTwin,
    *,
    inverse_temperature: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> LmuYardstick:
    """Keep a float twin as it is; parameters as for `freeze_hybrid`."""
    encoding = network.encoding
    return LmuYardstick(
        encoding=encoding,
        order=network.config.memory.order,
        window=encoding.steps,
        zero_order_hold=False,
        input_peak=float(network.deviation),
        encoder=network.encoder.numpy().copy(),
        weights=(network.kernel.numpy().copy(), network.readout.numpy().copy()),
        thresholds=(network.levels.numpy().copy(), network.offsets.numpy().copy()),
        burn_in=network.config.burn_in,
        input_shape=(encoding.steps, encoding.channels),
        inverse_temperature=inverse_temperature or 1.0,
        metadata=metadata or {},
    )
