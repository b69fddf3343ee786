# SPDX-License-Identifier: Apache-2.0
"""The trainable form of a stepwise network: latent weights, thresholds, and its forward pass."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.description import Dynamics, NeuronKind
from model.encoding import RateEncoding
from model.train.bisnn.config import BisnnConfig, Neuron, Variant
from model.train.bisnn.dynamics import Surrogate, fire, left_by_leak
from model.train.bisnn.rules import Rule
from model.train.surrogate import round_through, signs

__all__ = ["SpikingStack"]

_LEAST_THRESHOLD = 0.05
_LEAST_VARIANCE = 1e-3


class SpikingStack(nn.Module):
    """Layers of LIF or spike-response neurons and an integrator that is read at the end.

    The arithmetic is that of the frozen network (see `model.train.bisnn.dynamics`) for weights of
    -1 and +1; relaxed or float weights go through the same code.

    Parameters
    ----------
    config
        Recipe.
    features
        Inputs of the first layer.
    classes
        Outputs.
    """

    deviations: Tensor
    score_deviation: Tensor

    def __init__(self, *, config: BisnnConfig, features: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.sizes = (features, *config.hidden, classes)
        generator = torch.Generator().manual_seed(config.seed)
        self.exact = config.rule is not Rule.FULL_PRECISION
        self.latents = nn.ParameterList(
            self._start(fan_out, fan_in, generator)
            for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False)
        )
        if config.variant is Variant.LOCAL:
            # A readout of its own for each hidden layer; that of the last one is shipped.
            self.latents = self.latents[:-1]
            for index, size in enumerate(config.hidden):
                fixed = signs(torch.rand(classes, size, generator=generator) - 0.5)
                self.register_buffer(f"readout{index}", fixed)
        hidden = config.hidden
        self.levels = nn.ParameterList(
            torch.full((size,), float(config.neuron.threshold)) for size in hidden
        )
        self.offsets = nn.Parameter(torch.zeros(classes))
        self.log_scale = nn.Parameter(torch.zeros(()))
        # Deviation of each layer's membrane at the start, whole numbers; and of the scores.
        self.register_buffer("deviations", torch.ones(len(hidden)))
        self.register_buffer("score_deviation", torch.ones(()))

    def _start(self, fan_out: int, fan_in: int, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(fan_out, fan_in, generator=generator) * 2 - 1
        if self.config.rule is not Rule.FULL_PRECISION:
            uniform = signs(uniform)
        return uniform * self.config.initial

    @property
    def readout(self) -> Tensor:
        """Fixed signs of the last layer's readout, variant ``local``."""
        return self.local_readout(len(self.config.hidden) - 1)

    def local_readout(self, index: int) -> Tensor:
        """Fixed signs (classes, neurons) of a hidden layer's readout, variant ``local``."""
        signs_: Tensor = getattr(self, f"readout{index}")
        return signs_

    def dynamics(self, index: int) -> Dynamics:
        """Integer parameters of a hidden layer."""
        neuron = self.config.neuron
        jump = max(1, round(neuron.jump * float(self.deviations[index])))
        return neuron.dynamics(self.sizes[index], jump)

    def thresholds(self, index: int) -> Tensor:
        """Thresholds of a hidden layer: positive, integers unless full precision."""
        wanted = self.levels[index] * self.deviations[index]
        return round_through(wanted) if self.exact else wanted

    def output_thresholds(self) -> Tensor:
        """Thresholds that the scores are counted from: integers unless full precision."""
        wanted = self.offsets * self.score_deviation
        return round_through(wanted) if self.exact else wanted

    def surrogate(self, index: int) -> Surrogate:
        """Surrogate derivative of a hidden layer, in units of its membrane."""
        config = self.config
        width = config.surrogate_width * float(self.deviations[index])
        return Surrogate(width=width, box=config.surrogate == "box")

    def mode(self) -> list[Tensor]:
        """Most probable weights, or the weights of full precision; all layers."""
        weights = [latent.detach() for latent in self.latents]
        if self.exact:
            weights = [signs(weight) for weight in weights]
        return [*weights, self.readout] if self.config.variant is Variant.LOCAL else weights

    def forward(
        self,
        spikes: Tensor,
        weights: Sequence[Tensor],
        dtype: torch.dtype = torch.float32,
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """Scores of the classes: final potential minus threshold of each output.

        Parameters
        ----------
        spikes
            Input spikes 0 or 1, (T', N, features), T' <= T; later steps have none.
        weights
            Weights of every layer, (neurons, fan_in) each.
        dtype
            Type of the products of hidden layers; float32 is exact.
        noise
            If given, weights are means of independent signs, and each sum is drawn from the normal
            distribution with the mean and variance that it has over those signs.

        Returns
        -------
        torch.Tensor
            float32 (N, classes).
        """
        for index in range(len(self.config.hidden)):
            spikes = self.layer(index, spikes, weights[index], dtype, noise)
        counts = spikes[self.config.neuron.burn_in :].sum(0, dtype=torch.float32)
        scores = counts @ weights[-1].T
        if noise is not None:
            variance = counts.square() @ (1 - weights[-1].square()).T
            scores = scores + _noise(variance, noise, held=False)
        return scores - self.output_thresholds()

    def layer(
        self,
        index: int,
        spikes: Tensor,
        weight: Tensor,
        dtype: torch.dtype,
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """Spikes (T, N, neurons) of one hidden layer."""
        sums = self._sums(spikes, weight, dtype)
        if noise is not None:
            # An input of a latency code spikes once, and events move on, so the noise of their
            # steps is independent; elsewhere many inputs of a step come back in the next, and with
            # them their weights.
            held = index > 0 or isinstance(self.config.encoding, RateEncoding)
            sums = sums + _noise(self._sums(spikes, 1 - weight.square(), dtype), noise, held=held)
        return fire(
            sums,
            self.thresholds(index),
            kind=self.config.neuron.kind,
            dynamics=self.dynamics(index),
            steps=self.config.steps,
            surrogate=self.surrogate(index),
            exact=self.exact,
            dtype=dtype,
        )

    def _sums(self, spikes: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        steps, count, _ = spikes.shape
        flat = spikes.reshape(steps * count, -1).to(dtype)
        return (flat @ weight.to(dtype).T).float().view(steps, count, -1)

    @torch.no_grad()
    def calibrate(self, spikes: Tensor) -> None:
        """Measure the deviations on a first batch: units of thresholds, surrogates and jumps."""
        self.deviations.fill_(1)
        weights = self.mode()
        neuron = self.config.neuron
        for index in range(len(self.config.hidden)):
            sums = self._sums(spikes, weights[index], torch.float32)
            self.deviations[index] = _membrane_deviation(sums, neuron, self.config.steps)
            spikes = self.layer(index, spikes, weights[index], torch.float32)
        counts = spikes[neuron.burn_in :].sum(0, dtype=torch.float32)
        deviation = (counts @ weights[-1].T).std().clamp(min=1.0)
        self.score_deviation.copy_(deviation)
        self.log_scale.fill_(-math.log(float(deviation)))

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep thresholds positive (at least 1 in units of the membrane)."""
        for index, level in enumerate(self.levels):
            least = max(_LEAST_THRESHOLD, 1.0 / float(self.deviations[index]))
            level.clamp_(min=least)


def _noise(variance: Tensor, chance: torch.Generator, *, held: bool) -> Tensor:
    """Normal noise of a variance; `held`: the same standard value at all steps (first axis)."""
    shape = (1, *variance.shape[1:]) if held else variance.shape
    normal = torch.empty(shape, dtype=variance.dtype).normal_(generator=chance)
    return (variance + _LEAST_VARIANCE).sqrt() * normal


def _membrane_deviation(sums: Tensor, neuron: Neuron, steps: int) -> float:
    """Root mean square of the membrane without spikes, over the steps of a batch."""
    gain = float(1 << neuron.fraction_bits)
    kept = left_by_leak(neuron.membrane_shift)
    kept_current = left_by_leak(neuron.synapse_shift)
    state, current = torch.zeros_like(sums[0]), torch.zeros_like(sums[0])
    total = 0.0
    for step in range(steps):
        given = sums[step] * gain if step < len(sums) else torch.zeros_like(state)
        if neuron.kind is NeuronKind.LIF:
            state = kept * state + given
        else:
            state = kept * state + current
            current = kept_current * current + given
        total += float(state.square().mean())
    return max(1.0, float(round(math.sqrt(total / steps))))
