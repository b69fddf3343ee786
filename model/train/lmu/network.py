# SPDX-License-Identifier: Apache-2.0
"""The trainable form of the parallel LMU behind its memory: binary layers, diffused quantisers.

With the quantisers at their final gain the forward pass is the arithmetic of
``model/stepwise.py``: float32 holds every integer that occurs here exactly. Backward, a weight has
the gradient of its latent value, and a quantiser that of the static ``clamp(a, 0, highest)``; what
is carried from read to read is a constant (Voelker et al. 2020).

A hidden neuron j sees ``x = sum(w n)`` and emits integers whose running sum follows that of
``a = 2^k_j (x - t_j)``, in 0 .. 2^b - 1 a read. In terms of a batch norm with mean mu, deviation
sigma, gamma and beta: ``2^k_j`` is the power of two next to ``levels * gamma / sigma`` and t_j the
integer next to ``mu - beta sigma / gamma``; levels is the final gain of the quantiser.
"""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layer import MAX_GAIN
from model.train.lmu.config import LmuConfig
from model.train.surrogate import round_through

__all__ = ["MAX_FRACTION", "HiddenLayer", "ParallelNetwork", "diffuse"]

#: Most fraction bits of a quantiser.
MAX_FRACTION = 12

_MOMENTUM = 0.05  # of running means and deviations
_LEAST_GAMMA = 0.02
_TINY = 1e-3


class _BinaryProduct(torch.autograd.Function):
    """``inputs @ sign(latent).T``, exact for integers where it must be; straight through."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, latent: Tensor, exact: bool) -> Tensor:
        flat = inputs.reshape(-1, inputs.shape[-1])
        signs = (latent >= 0).to(torch.bfloat16).mul_(2).sub_(1)
        ctx.save_for_backward(flat.to(torch.bfloat16), signs)
        ctx.shape = inputs.shape
        if exact:
            # int8 with sums of 32 bits.
            out = torch._int_mm(flat.to(torch.int8), signs.to(torch.int8).T).float()
        else:
            out = (flat.to(torch.bfloat16) @ signs.T).float()
        return out.view(*inputs.shape[:-1], len(latent))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        flat, signs = ctx.saved_tensors
        given = gradient.reshape(-1, gradient.shape[-1]).to(torch.bfloat16)
        back = None
        if ctx.needs_input_grad[0]:
            back = (given @ signs).float().view(ctx.shape)
        return back, (given.T @ flat).float(), None


class _Quantise(torch.autograd.Function):
    """A quantiser with the gradient of ``clamp(a, 0, highest)``."""

    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        highest: int,
        gain: float,
        fraction: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward((drive > 0) & (drive < highest))
        if fraction is None:
            return diffuse(drive, highest)
        return drive.clamp(0, highest).mul_(gain).add_(fraction).floor_().mul_(1 / gain)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None


def diffuse(drive: Tensor, highest: int) -> Tensor:
    """What diffused quantisers emit: integers (R, ...) of drives (R, ...).

    Exact where drives are integers over a power of two, as those of a network to be are.
    """
    fraction = torch.full_like(drive[0], 0.5)
    out = torch.empty_like(drive)
    for read in range(len(drive)):
        fraction += drive[read].clamp(0, highest)
        torch.floor(fraction, out=out[read])
        fraction -= out[read]
    return out


class HiddenLayer(nn.Module):
    """Latent weights, normalisation and gains of one hidden layer."""

    def __init__(self, latent: Tensor, levels: float) -> None:
        super().__init__()
        neurons = len(latent)
        self.latent = nn.Parameter(latent)
        self.gamma = nn.Parameter(torch.ones(neurons))
        self.beta = nn.Parameter(torch.zeros(neurons))
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(neurons))
        self.register_buffer("deviation", torch.ones(neurons))
        self._levels = levels

    def fold(self, sums: Tensor | None) -> tuple[Tensor, Tensor]:
        """Thresholds t and powers 2^k, with gradients as if neither were rounded.

        Parameters
        ----------
        sums
            (N, neurons), whose mean and deviation count and are kept in running figures; None:
            the running ones count.
        """
        mean, deviation = self.mean, self.deviation
        if sums is not None:
            mean = sums.mean(0)
            deviation = (sums.var(0, correction=0) + _TINY).sqrt()
            with torch.no_grad():
                self.mean.lerp_(mean, _MOMENTUM)
                self.deviation.lerp_(deviation, _MOMENTUM)
        gamma = self.gamma.clamp(min=_LEAST_GAMMA)
        scale = self._levels * gamma / deviation
        exponent = torch.log2(scale.detach()).round()
        # The least one decides: a neuron whose input hardly changes has a very large one.
        least = min(-1.0, max(-float(MAX_FRACTION), float(exponent.min())))
        exponent = exponent.clamp(least, least + MAX_GAIN)
        power = scale + (torch.exp2(exponent) - scale).detach()
        return round_through(mean - self.beta * deviation / gamma), power


class ParallelNetwork(nn.Module):
    """Latent weights, thresholds and gains; makes scores of what the memory sends.

    Parameters
    ----------
    config
        Recipe; its seed decides the initial weights.
    states
        States of the memory, all channels.
    classes
        Outputs.
    """

    def __init__(self, *, config: LmuConfig, states: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.sizes = (states, *config.hidden, classes)
        self.highest = (1 << config.quantiser.emission_bits) - 1
        chance = torch.Generator().manual_seed(config.seed)
        latents = [
            torch.empty(neurons, fan_in).uniform_(-1, 1, generator=chance) * config.initial
            for fan_in, neurons in itertools.pairwise(self.sizes)
        ]
        levels = float(config.quantiser.levels)
        self.hidden = nn.ModuleList(HiddenLayer(latent, levels) for latent in latents[:-1])
        self.latent = nn.Parameter(latents[-1])
        # In units in which scores are near 1 at the start.
        unit = config.memory.reads * levels * self.sizes[-2] ** 0.5
        self.register_buffer("unit", torch.tensor(unit))
        self.unit: Tensor
        self.offsets = nn.Parameter(torch.zeros(classes))
        self.log_scale = nn.Parameter(torch.zeros(()))

    @property
    def layers(self) -> list[HiddenLayer]:
        """Hidden layers."""
        return [layer for layer in self.hidden if isinstance(layer, HiddenLayer)]

    def latents(self) -> list[nn.Parameter]:
        """Latent weights of all layers."""
        return [*(layer.latent for layer in self.layers), self.latent]

    def others(self) -> list[nn.Parameter]:
        """Everything else that is trained."""
        chosen = {id(each) for each in self.latents()}
        return [each for each in self.parameters() if id(each) not in chosen]

    def output_thresholds(self) -> Tensor:
        """Whole numbers, with the gradient of real ones."""
        return round_through(self.offsets * self.unit)

    @property
    def inverse_temperature(self) -> Tensor:
        """What scores are multiplied by to make logits."""
        return self.log_scale.exp() / self.unit

    def forward(
        self,
        sent: Tensor,
        *,
        gain: float = 1.0,
        settled: bool = True,
        chance: torch.Generator | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Scores and mean emissions.

        Parameters
        ----------
        sent
            Integers float (R, N, states) that the memory sends: the pass is that of the frozen
            network. Or their means over the reads, (N, states): one pass stands for all reads,
            and fractions start at random.
        gain
            How many times the final gain the quantisers have, where one pass stands for all reads.
        settled
            Use the running means and deviations.
        chance
            Source of dropout and random fractions, in training.

        Returns
        -------
        scores : torch.Tensor
            (N, classes); whole numbers for integers sent.
        emissions : list of torch.Tensor
            What each hidden layer emits, float, shaped as ``sent``; without dropout.
        """
        exact, reads = sent.ndim == 3, self.config.memory.reads
        values, kept = _dropped(sent, self.config.input_dropout, chance)
        emissions = []
        for layer in self.layers:
            sums = _product(values, layer.latent, exact) / kept
            seen = None
            if not settled:
                seen = sums.mean(0) if exact else sums
            thresholds, powers = layer.fold(seen)
            drive = (sums - thresholds) * powers
            fraction = None
            if not exact:
                assert chance is not None
                fraction = torch.empty_like(drive).uniform_(generator=chance)
            values = _Quantise.apply(drive, self.highest, gain * reads, fraction)
            emissions.append(values)
            values, kept = _dropped(values, self.config.dropout, chance)
        total = (values.sum(0) if exact else values * reads) / kept
        scores = functional.linear(total, _signs_through(self.latent))
        return scores - self.output_thresholds(), emissions

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep latent weights within -1..1."""
        for latent in self.latents():
            latent.clamp_(-1, 1)


def _product(inputs: Tensor, latent: Tensor, exact: bool) -> Tensor:
    out: Tensor = _BinaryProduct.apply(inputs, latent, exact)
    return out


def _signs_through(latent: Tensor) -> Tensor:
    signs = torch.where(latent >= 0, 1.0, -1.0)
    return latent + (signs - latent).detach()


def _dropped(values: Tensor, share: float, chance: torch.Generator | None) -> tuple[Tensor, float]:
    """Leave out a share of the values, the same ones in all reads; and what is kept, 0..1."""
    if not share or chance is None:
        return values, 1.0
    return values * (torch.rand(values.shape[-2:], generator=chance) >= share), 1 - share
