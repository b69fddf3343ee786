# SPDX-License-Identifier: Apache-2.0
"""Networks whose neurons have a state at every step, in integers.

The only place where the semantics of these kinds are defined; the gateware quotes them.

``>>`` is the arithmetic shift (it rounds down); ``sat`` clamps to the signed width of a state,
-2^(B-1) to 2^(B-1) - 1, and for the refractory trace to 0 to 2^B - 1. All states are 0 before the
first step of a sample. In a step the layers follow each other, and a spike of step t reaches the
next layer in step t. With ``x`` = sum of the weights (-1 or +1) of the inputs that spike in the
step, and F fraction bits:

LIF (leak ``km``)::

    V <- sat(V - (V >> km) + (x << F))
    s  = V >= threshold
    V <- V - threshold if s          (reset by subtraction)
    V <- 0 if s                      (reset to zero)

Spike response (leaks ``km``, ``ks``, ``kr``; the filters of `bisnn.md` 1.1, moved behind the sum
as in 4.1; the synaptic trace reaches the membrane one step later)::

    V <- sat(V - (V >> km) + I)      (I of the step before)
    I <- sat(I - (I >> ks) + (x << F))
    s  = V >= threshold + R
    R <- sat(R - (R >> kr) + (jump if s else 0))

Diffused quantiser (temporally diffused error, "A Spike in Performance", arXiv 2002.03553; b bits of
emission; V is a fraction of F bits that begins at 2^(F-1), the gain is the neuron's shift)::

    V <- V + clamp((x - threshold) << gain, low << F, high << F)
    n  = V >> F         (low .. high: 0 .. 2^b - 1, with a sign -2^(b-1) .. 2^(b-1) - 1)
    V <- V - (n << F)

What reaches a layer may be such integers n instead of spikes: ``x`` is the sum of weight times n.

Integrator (the last layer; never fires; score = V - threshold)::

    V <- sat(V + x) if step >= burn_in else V

Recurrent hybrid LMU (`Network.encoder`; layer 0 sees, in this order, what the memory sends of its
states, the series, and the hidden neurons of the step before, which begin at 0)::

    u  = (E_m n(m) << a) + (E_x x << b) + (E_h h << c)      (encoder weights E, its shifts)
    m <- step of the memory with u                          (``model/legendre_step.py``)
    h <- layer 0 of [n(m), x, h]

Committee: the members run one after another over the same input spikes, each from states of 0.
The score of a class is the sum of its scores over the members; a member votes for its own class of
the largest score. Class = largest sum. Ties, in votes too, go to the lower class index.
Probabilities are ``softmax(beta * sum / members)`` with the network's inverse temperature beta.
Running result: after each step the same decision from the scores so far, of one member.
"""

import numpy as np
import torch

from model.description import Layer
from model.neurons import NeuronKind, Reset, signed_bounds

__all__ = ["Neurons", "by_sample", "check_exact", "member_signs"]


# float32 holds every integer up to 2**24 exactly, and a synaptic sum is bounded by the fan-in times
# the largest input.
_EXACT_SUM = 1 << 24


class Neurons:
    """States of one layer of one member for N samples, and what a block of steps does to them.

    Parameters
    ----------
    layer
        A layer of a kind with a state at every step.
    signs
        Weights of the member, see `member_signs`.
    count
        Samples N, which run side by side.

    Raises
    ------
    ValueError
        If a synaptic sum may be too large to be exact.
    """

    def __init__(self, layer: Layer, signs: torch.Tensor, count: int) -> None:
        assert layer.dynamics is not None
        check_exact(layer)
        self._layer, self._dynamics = layer, layer.dynamics
        self._signs = signs  # float32 (fan_in, neurons)
        self._thresholds = torch.from_numpy(layer.thresholds).to(_dtype(layer))
        zeros = torch.zeros((count, layer.neurons), dtype=_dtype(layer))
        self.states = {"membrane": zeros}
        if layer.gains is not None:  # a diffused quantiser
            zeros += 1 << layer.dynamics.fraction_bits - 1
            self._gains = torch.from_numpy(layer.gains).to(_dtype(layer))
        if layer.kind is NeuronKind.SPIKE_RESPONSE:
            self.states |= {"synapse": zeros.clone(), "refractory": zeros.clone()}
        self._step = 0

    def scores(self) -> torch.Tensor:
        """V - threshold, int64 (N, neurons)."""
        return self.states["membrane"].to(torch.int64) - self._thresholds.to(torch.int64)

    def advance(
        self, spikes: torch.Tensor, *, record: bool
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Go on by some steps.

        Parameters
        ----------
        spikes
            float32 (steps, N, fan_in) of 0 and 1, or of the integers that the layer takes.
        record
            Keep the states.

        Returns
        -------
        fired : torch.Tensor
            float32 (steps, N, neurons): 0 and 1, or the integers that the layer emits.
        history : dict of torch.Tensor
            Each state after each step, int32 (steps, N, neurons); empty when not kept.
        """
        steps, count, _ = spikes.shape
        layer, fraction = self._layer, self._dynamics.fraction_bits
        sums = (spikes.reshape(steps * count, layer.fan_in) @ self._signs).to(_dtype(layer))
        sums = sums.reshape(steps, count, layer.neurons)
        if layer.kind is NeuronKind.DIFFUSED:
            low, high = self._dynamics.emission_range()
            sums -= self._thresholds
            sums <<= self._gains
            sums.clamp_(low << fraction, high << fraction)
        elif fraction:
            sums <<= fraction
        update = {
            NeuronKind.LIF: self._lif,
            NeuronKind.SPIKE_RESPONSE: self._spike_response,
            NeuronKind.DIFFUSED: self._diffused,
            NeuronKind.INTEGRATOR: self._integrator,
        }[layer.kind]
        fired = torch.zeros((steps, count, layer.neurons))
        history = {
            name: torch.empty((steps, count, layer.neurons), dtype=torch.int32)
            for name in (self.states if record else ())
        }
        for step in range(steps):
            update(sums[step], fired[step])
            self._step += 1
            for name, kept in history.items():
                kept[step] = self.states[name]
        return fired, history

    def _lif(self, sums: torch.Tensor, fired: torch.Tensor) -> None:
        dynamics, membrane = self._dynamics, self.states["membrane"]
        membrane -= membrane >> dynamics.membrane_shift
        membrane += sums
        membrane.clamp_(*signed_bounds(dynamics.membrane_bits))
        spikes = membrane >= self._thresholds
        if dynamics.reset is Reset.SUBTRACT:
            membrane -= spikes * self._thresholds
        else:
            membrane.masked_fill_(spikes, 0)
        fired.copy_(spikes)

    def _spike_response(self, sums: torch.Tensor, fired: torch.Tensor) -> None:
        dynamics, states = self._dynamics, self.states
        membrane, synapse, refractory = states["membrane"], states["synapse"], states["refractory"]
        membrane -= membrane >> dynamics.membrane_shift
        membrane += synapse
        membrane.clamp_(*signed_bounds(dynamics.membrane_bits))
        synapse -= synapse >> dynamics.synapse_shift
        synapse += sums
        synapse.clamp_(*signed_bounds(dynamics.synapse_bits))
        spikes = membrane >= self._thresholds + refractory
        refractory -= refractory >> dynamics.refractory_shift
        refractory += spikes * dynamics.refractory_jump
        refractory.clamp_(0, (1 << dynamics.refractory_bits) - 1)
        fired.copy_(spikes)

    def _diffused(self, sums: torch.Tensor, fired: torch.Tensor) -> None:
        fraction, membrane = self._dynamics.fraction_bits, self.states["membrane"]
        membrane += sums
        fired.copy_(membrane >> fraction)
        membrane &= (1 << fraction) - 1

    def _integrator(self, sums: torch.Tensor, fired: torch.Tensor) -> None:
        if self._step >= self._dynamics.burn_in:
            membrane = self.states["membrane"]
            membrane += sums
            membrane.clamp_(*signed_bounds(self._dynamics.membrane_bits))


def _dtype(layer: Layer) -> torch.dtype:
    """int32 where no sum within a step can leave it, else int64."""
    dynamics = layer.dynamics
    assert dynamics is not None
    widths = max(dynamics.membrane_bits, dynamics.synapse_bits, dynamics.refractory_bits)
    thresholds = int(np.abs(layer.thresholds.astype(np.int64)).max())
    largest = layer.fan_in * layer.input_peak
    if layer.gains is not None:
        small = (largest + thresholds) << int(layer.gains.max()) < 1 << 31
        return torch.int32 if small else torch.int64
    # Two numbers of 30 bits and a sign never leave 32 bits together.
    small = widths <= 30 and max(largest << dynamics.fraction_bits, thresholds) < 1 << 30
    return torch.int32 if small else torch.int64


def check_exact(layer: Layer) -> None:
    """Refuse a layer whose synaptic sums may be too large to be exact in float32.

    Raises
    ------
    ValueError
        Naming the largest sum.
    """
    largest = layer.fan_in * layer.input_peak
    if largest >= _EXACT_SUM:
        raise ValueError(f"Synaptic sums must be below 2^24 in magnitude, not up to {largest}")


def member_signs(layer: Layer, member: int) -> torch.Tensor:
    """float32 (fan_in, neurons), the order in which matrix products are fast."""
    return torch.from_numpy(layer.signs(member)).to(torch.float32).T.contiguous()


def by_sample(values: torch.Tensor) -> torch.Tensor:
    """(T, N, neurons) to (N, T, neurons)."""
    return values.permute(1, 0, 2).contiguous()
