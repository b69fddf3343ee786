# SPDX-License-Identifier: Apache-2.0
"""The trainable form of the recurrent hybrid LMU: binary weights, quantisers, integer memory.

With the quantisers at their final gain the forward pass is the arithmetic of
``model/stepwise.py`` and ``model/legendre_step.py``: float32 holds every integer that occurs here
exactly. Above it, quantisers have finer steps, and the memory still is that of integers.

Backward, a weight has the gradient of its latent value, a quantiser that of the static
``clamp(a, low, high)``, what it carries from step to step is a constant (Voelker et al. 2020), and
the memory has that of the linear system it rounds.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from model.description import LegendreMemory, SeriesEncoding
from model.legendre_step import MemoryStates, float_system
from model.neurons import signed_bounds
from model.train.lmu.hybrid_config import HybridConfig
from model.train.surrogate import round_through, signs

__all__ = ["HybridNetwork", "remember"]

# Gain at which quantisers hardly round, for measuring.
_FINE = 4096.0
# Bits of the fraction of a diffused quantiser, at most.
_MOST_FRACTION_BITS = 12


class _Step(torch.autograd.Function):
    """New states of the memory, with the gradient of the linear step."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, entering: Tensor, memory: MemoryStates, linear: tuple[Tensor, ...]
    ) -> Tensor:
        ctx.linear = linear
        memory.step(entering.round().to(torch.int64))
        return memory.states().float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        transition, entry = ctx.linear
        each = gradient.view(len(gradient), -1, len(entry))  # (N, channels, q)
        return (each @ transition).flatten(1), each @ entry, None, None


class _Quantise(torch.autograd.Function):
    """Multiples of 1 / gain, rounded down after a fraction of that is added, within bounds.

    Gradient: that of ``clamp``.
    """

    @staticmethod
    def forward(
        ctx: Any, drive: Tensor, bounds: tuple[int, int], gain: float, fraction: Tensor
    ) -> Tensor:
        clamped = drive.clamp(*bounds)
        ctx.save_for_backward(clamped == drive)
        return clamped.mul_(gain).add_(fraction).floor_().div_(gain)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None


def remember(
    states: Tensor, entering: Tensor, memory: MemoryStates, linear: tuple[Tensor, ...]
) -> Tensor:
    """States after a step of the integer memory, with the gradient of the linear one.

    Parameters
    ----------
    states
        float32 (N, channels * q), those of ``memory``.
    entering
        Integers float32 (N, channels).
    memory
        Goes on by a step.
    linear
        A, float32 (q, q), and B, float32 (q,), in units of states and inputs.
    """
    after: Tensor = _Step.apply(states, entering, memory, linear)
    return after


class HybridNetwork(nn.Module):
    """Latent weights, thresholds and scales; makes scores of series.

    Inputs of the first layer and of the encoder are in the order of ``model/stepwise.py``: what
    the memory sends, the series, the hidden neurons.

    Parameters
    ----------
    config
        Recipe; its seed decides the initial weights.
    encoding
        How the layers see a series.
    classes
        Outputs.
    """

    def __init__(self, *, config: HybridConfig, encoding: SeriesEncoding, classes: int) -> None:
        super().__init__()
        table, (hidden,) = config.memory, config.hidden
        self.config, self.encoding = config, encoding
        self.states = table.order * table.channels
        features = self.states + encoding.channels + hidden
        self.bounds = signed_bounds(config.bits)
        chance = torch.Generator().manual_seed(config.seed)
        self.encoder, self.kernel, self.readout = (
            nn.Parameter(torch.empty(shape).uniform_(-1, 1, generator=chance) * config.initial)
            for shape in (
                (table.channels, features),
                (hidden, features),
                (classes, hidden),
            )
        )
        self.levels = nn.Parameter(torch.zeros(hidden))
        self.offsets = nn.Parameter(torch.zeros(classes))
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.input_peak: Tensor
        self.emission_shifts: Tensor
        self.exponents: Tensor
        self.register_buffer("input_peak", torch.tensor(1))
        self.register_buffer("emission_shifts", torch.zeros(self.states, dtype=torch.uint8))
        self.register_buffer("exponents", torch.zeros(hidden))
        self._linear = tuple(
            torch.from_numpy(each).float() for each in float_system(table.order, encoding.steps)
        )

    def weights(self) -> list[nn.Parameter]:
        """Latent weights."""
        return [self.encoder, self.kernel, self.readout]

    def others(self) -> list[nn.Parameter]:
        """Everything else that is trained."""
        return [self.levels, self.offsets, self.log_scale]

    @property
    def inverse_temperature(self) -> Tensor:
        """What scores are multiplied by to make logits."""
        return self.log_scale.exp()

    def memory(self) -> LegendreMemory:
        """The memory of the network to be."""
        table = self.config.memory
        return LegendreMemory.for_window(
            order=table.order,
            window=self.encoding.steps,
            input_peak=int(self.input_peak),
            coefficient_bits=table.coefficient_bits,
            fraction_bits=table.fraction_bits,
            guard_bits=table.guard_bits,
            channels=table.channels,
            emission_bits=self.config.bits,
            emission_shifts=self.emission_shifts.numpy(),
        )

    def forward(
        self,
        series: Tensor,
        *,
        gain: float = 1.0,
        chance: torch.Generator | None = None,
        sums: list[Tensor] | None = None,
    ) -> Tensor:
        """Scores float32 (N, classes); at gain 1 those of the network to be.

        Parameters
        ----------
        series
            Small integers, float32 (T, N, channels).
        gain
            Gain of the quantisers in units of the final one, >= 1.
        chance
            Source of dropout, in training.
        sums
            Gets ``x - threshold`` of the hidden neurons after each step.
        """
        config, bounds = self.config, self.bounds
        count, hidden = series.shape[1], len(self.kernel)
        memory = self.memory()
        states_now = MemoryStates(memory, count)
        # A unit of the memory's input, in units of its states.
        unit = 2.0**memory.fraction_bits / float(self.input_peak)
        linear = (self._linear[0], self._linear[1] * unit)
        encoder = (signs(self.encoder, torch.float32) * self._encoder_scales()).T
        kernel = signs(self.kernel, torch.float32).T
        sending = torch.exp2(-self.emission_shifts.float())
        power, threshold = torch.exp2(self.exponents), round_through(self.levels)
        quantise = _Quantise.apply
        states = sent = torch.zeros(count, self.states)
        emitted, half = torch.zeros(count, hidden), torch.full((), 0.5)
        fraction = torch.full((count, hidden), 0.5)
        total = torch.zeros(count, hidden)
        for step, values in enumerate(series):
            entering = torch.cat([sent, values, emitted], 1) @ encoder
            states = remember(states, entering, states_now, linear)
            sent = quantise(states * sending, bounds, gain, half)
            sum_ = torch.cat([sent, values, emitted], 1) @ kernel - threshold
            if sums is not None:
                sums.append(sum_.detach())
            drive = sum_ * power
            emitted = quantise(drive, bounds, gain, fraction)
            with torch.no_grad():
                fraction = fraction + (drive.clamp(*bounds) - emitted) * gain
            if step >= config.burn_in:
                total = total + emitted
        if chance is not None and config.dropout:
            kept = torch.rand(total.shape, generator=chance) >= config.dropout
            total = total * kept / (1 - config.dropout)
        scores: Tensor = total @ signs(self.readout, torch.float32).T
        return scores - round_through(self.offsets)

    def _encoder_scales(self) -> Tensor:
        """What a weight of the encoder counts, by its input."""
        parts = (self.states, self.encoding.channels, len(self.kernel))
        scales = [
            torch.full((n,), 2.0**s) for n, s in zip(parts, self.config.encoder_shifts, strict=True)
        ]
        return torch.cat(scales)

    @torch.no_grad()
    def calibrate(self, series: Tensor) -> None:
        """Set the powers of two of memory and hidden neurons, which stay, on a first batch.

        Parameters
        ----------
        series
            As for `forward`.
        """
        table, high = self.config.memory, self.bounds[1]
        steps, count, _ = series.shape
        encoder = signs(self.encoder, torch.float32)[:, self.states : -len(self.kernel)]
        entering = series @ encoder.T * 2.0 ** self.config.encoder_shifts[1]
        deviation = float(entering.square().mean().sqrt())
        self.input_peak.fill_(max(1, round(table.spread * deviation)))
        states, power = torch.zeros(count, table.channels, table.order), torch.zeros(table.order)
        for values in entering / self.input_peak:
            states = states @ self._linear[0].T + values[..., None] * self._linear[1]
            power += states.square().mean((0, 1)) / steps
        wanted = high / table.spread
        shifts = torch.log2(power.sqrt() * 2.0**table.fraction_bits / wanted).round()
        shifts = shifts.clamp(0, table.fraction_bits + 1).repeat(table.channels)
        self.emission_shifts.copy_(shifts.to(torch.uint8))
        for _ in range(2):  # the second time with about the right emissions fed back
            sums: list[Tensor] = []
            scores = self(series, gain=_FINE, sums=sums)
            deviation = float(torch.stack(sums).std(1, correction=0).mean())
            exponent = round(math.log2(wanted / max(deviation, 1.0)))
            self.exponents.fill_(max(-_MOST_FRACTION_BITS, exponent))
        self.log_scale.fill_(-math.log(max(float(scores.std(correction=0)), 1.0)))

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep latent weights within -1..1."""
        for latent in self.weights():
            latent.clamp_(-1, 1)
