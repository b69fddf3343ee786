# SPDX-License-Identifier: Apache-2.0
"""The trainable form of a single-spike network, and its freezing into integers.

Each hidden layer normalises its integer potential per neuron over all steps of the batch and
fires where the result is >= 0. With mean m, deviation d, gain g > 0 and bias b this is
``V >= m - b d / g``; as V is an integer, the frozen threshold is that bound rounded up, and the
frozen network decides exactly as the evaluating forward pass does.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.description import LatencyEncoding, Layer, Network, Readout
from model.train.config import TrainConfig
from model.train.surrogate import fire_once, round_through, signs

__all__ = ["TrainableNetwork", "decide"]

_EPSILON = 1e-5
_MOMENTUM = 0.05
_LEAST_GAIN = 0.01


class TrainableNetwork(nn.Module):
    """A stack of binary-weight, fire-once layers with real latent weights.

    In training mode hidden layers use the statistics of the batch and products are taken in
    bfloat16 (inputs exact, outputs rounded); in evaluation mode everything is exact integers.

    Parameters
    ----------
    config
        Sizes of hidden layers, levels, readout and starting values.
    features
        Inputs of the first layer.
    classes
        Output neurons.
    """

    levels: Tensor

    def __init__(self, *, config: TrainConfig, features: int, classes: int) -> None:
        super().__init__()
        self.config = config
        sizes = (features, *config.hidden, classes)
        generator = torch.Generator().manual_seed(config.seed)
        self.latents = nn.ParameterList(
            (torch.rand(fan_out, fan_in, generator=generator) * 2 - 1) * config.initial_scale
            for fan_in, fan_out in zip(sizes, sizes[1:], strict=False)
        )
        self.gains = nn.ParameterList(torch.ones(size) for size in config.hidden)
        self.biases = nn.ParameterList(torch.zeros(size) for size in config.hidden)
        for index, size in enumerate(config.hidden):
            self.register_buffer(f"mean{index}", torch.zeros(size))
            self.register_buffer(f"variance{index}", torch.ones(size))
        first_spike = config.readout is Readout.FIRST_SPIKE
        start = config.initial_threshold if first_spike else 0.0
        self.thresholds = nn.Parameter(torch.full((classes,), start))
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.05)))
        self.register_buffer("levels", torch.tensor(config.levels, dtype=torch.float32))

    def encode(self, images: Tensor) -> Tensor:
        """Inputs that have spiked at or before each step.

        Parameters
        ----------
        images
            (N, features), values 0..255, not necessarily whole numbers.

        Returns
        -------
        torch.Tensor
            bool (T, N, features), never falling along T.
        """
        return images.to(torch.float32).unsqueeze(0) >= self.levels.view(-1, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Potential minus threshold of each output after each step.

        Parameters
        ----------
        images
            (N, features), values 0..255.

        Returns
        -------
        torch.Tensor
            float32 (T, N, classes).
        """
        kind = torch.bfloat16 if self.training else torch.float32
        active = self.encode(images).to(kind)
        steps, count, _ = active.shape
        for index, latent in enumerate(self.latents):
            flat = active.reshape(steps * count, -1)
            potential = flat @ signs(latent, kind).T  # (T * N, neurons)
            if index == len(self.gains):
                break
            if self.training:
                drive = functional.batch_norm(
                    potential,
                    getattr(self, f"mean{index}"),
                    getattr(self, f"variance{index}"),
                    self.gains[index],
                    self.biases[index],
                    True,
                    _MOMENTUM,
                    _EPSILON,
                ).view(steps, count, -1)
                active = fire_once(drive)
            else:
                crossed = potential >= self.hidden_thresholds(index).to(potential)
                active = crossed.view(steps, count, -1).cummax(0).values.to(kind)
        return potential.view(steps, count, -1).float() - round_through(self.thresholds)

    def hidden_thresholds(self, index: int) -> Tensor:
        """Integer thresholds of a hidden layer: float64 (neurons,), see the module's text."""
        mean = getattr(self, f"mean{index}").double()
        deviation = (getattr(self, f"variance{index}").double() + _EPSILON).sqrt()
        bound = mean - self.biases[index].detach().double() * deviation / self.gains[index].double()
        fan_in = self.latents[index].shape[1]
        return bound.detach().ceil().clamp(-fan_in, fan_in + 1)

    def start_from(self, other: "TrainableNetwork") -> None:
        """Take over all weights and statistics except the output thresholds.

        Raises
        ------
        ValueError
            If the sizes differ.
        """
        sizes = [tuple(latent.shape) for latent in self.latents]
        theirs = [tuple(latent.shape) for latent in other.latents]
        if sizes != theirs:
            raise ValueError(f"Layer sizes must be {theirs} as at the start, not {sizes}")
        state = {key: value for key, value in other.state_dict().items() if key != "levels"}
        thresholds = self.thresholds.detach().clone()
        self.load_state_dict(state, strict=False)
        self.thresholds.data.copy_(thresholds)

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep latent weights in +-1 and gains positive; to be called after each update."""
        for latent in self.latents:
            latent.clamp_(-1, 1)
        for gain in self.gains:
            gain.clamp_(min=_LEAST_GAIN)

    @torch.no_grad()
    def freeze(
        self, *, input_shape: tuple[int, ...] = (), metadata: dict[str, Any] | None = None
    ) -> Network:
        """Fold everything into bits and integers.

        Parameters
        ----------
        input_shape
            Shape of one sample.
        metadata
            Facts to keep in the network.

        Returns
        -------
        Network
            Predicts exactly what `decide` makes of this module's forward pass in evaluation mode.
        """
        layers = []
        for index, latent in enumerate(self.latents):
            last = index == len(self.gains)
            thresholds = self.thresholds.round() if last else self.hidden_thresholds(index)
            layers.append(
                Layer.from_signs(
                    signs(latent).to(torch.int8).cpu().numpy(),
                    thresholds.cpu().numpy().astype(np.int64),
                )
            )
        return Network(
            encoding=LatencyEncoding(levels=self.config.levels),
            layers=tuple(layers),
            readout=self.config.readout,
            input_shape=input_shape,
            metadata=metadata or {},
        )


def decide(potentials: Tensor, readout: Readout) -> Tensor:
    """Winning class by the rules of the golden model.

    Parameters
    ----------
    potentials
        (T, N, classes): potential minus threshold after each step.
    readout
        Decision rule.

    Returns
    -------
    torch.Tensor
        int64 (N,).
    """
    if readout is Readout.SUMMED_POTENTIAL:
        return _lowest_argmax(potentials.sum(0))
    winner = _lowest_argmax(potentials[-1])
    if readout is Readout.FIRST_SPIKE:
        for step in range(potentials.shape[0] - 1, -1, -1):
            fires = (potentials[step] >= 0).any(1)
            winner = torch.where(fires, _lowest_argmax(potentials[step]), winner)
    return winner


def _lowest_argmax(values: Tensor) -> Tensor:
    """Index of the largest value, the lowest among equals, over the last axis."""
    best = values == values.max(dim=-1, keepdim=True).values
    return best.to(torch.uint8).argmax(dim=-1)
