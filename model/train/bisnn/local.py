# SPDX-License-Identifier: Apache-2.0
"""One epoch of local learning: every hidden layer learns at every step from its own readout.

Jang et al. 2020 on top of DECOLLE (Kaiser et al. 2020): nothing flows back through time or from
layer to layer. Filters stand before the weights, because those change at every step:

    P <- a P + Q,  Q <- b Q + x        traces of each input (LIF: P <- a P + x)
    V  = 2^F W P - A                   A: trace of the neuron's own spikes
    r  = B s / sqrt(N)                 fixed random signs B, cross-entropy at every step
    G  = (e h)^T 2^F P                 e = B^T dL/dr / sqrt(N), h = surrogate derivative
"""

import math

import torch
from torch import Tensor

from model.description import NeuronKind
from model.train.bisnn.dynamics import left_by_leak
from model.train.bisnn.epoch import Mover, move_rest, rate_at
from model.train.bisnn.inputs import Inputs
from model.train.bisnn.network import SpikingStack
from model.train.order import EpochOrder

__all__ = ["train_local_epoch"]


class _LayerState:
    """Traces of one layer for a batch."""

    def __init__(self, network: SpikingStack, index: int, count: int) -> None:
        self.network, self.index = network, index
        self.dynamics = network.dynamics(index)
        self.lif = network.config.neuron.kind is NeuronKind.LIF
        self.gain = float(1 << self.dynamics.fraction_bits)
        self.trace = torch.zeros(count, network.sizes[index])  # P
        self.current = torch.zeros_like(self.trace)  # Q
        self.own = torch.zeros(count, network.sizes[index + 1])  # A

    def step(self, spikes: Tensor, weights: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of the layer, and the distance of each potential from its threshold."""
        kept = left_by_leak(self.dynamics.membrane_shift)
        if self.lif:
            self.trace.mul_(kept).add_(spikes)
        else:
            self.trace.mul_(kept).add_(self.current)
            self.current.mul_(left_by_leak(self.dynamics.synapse_shift)).add_(spikes)
        distance = self.gain * (self.trace @ weights.T) - thresholds - self.own
        fired = (distance >= 0).float()
        if self.lif:  # reset by subtraction, which leaks away with the membrane
            self.own.addcmul_(fired, thresholds).mul_(kept)
        else:
            self.own.mul_(left_by_leak(self.dynamics.refractory_shift))
            self.own.add_(fired, alpha=self.dynamics.refractory_jump)
        return fired, distance


@torch.no_grad()
def train_local_epoch(
    network: SpikingStack,
    mover: Mover,
    optimizer: torch.optim.Optimizer,
    data: Inputs,
    epoch: int,
) -> tuple[float, float]:
    """Train for one epoch with local losses and an update at every step.

    Parameters
    ----------
    network, mover, optimizer
        Changed in place; the optimizer holds the thresholds.
    data
        Training samples.
    epoch
        Epochs finished before, from 0; order and chance depend on it and the seed only.

    Returns
    -------
    tuple of float
        Mean loss of the last layer's readout, and the learning rate in the last step.
    """
    config = network.config
    order = EpochOrder(config, len(data), epoch)
    layers = range(len(config.hidden))
    total = rate = 0.0
    for moment, chosen in order:
        rate = rate_at(config, moment, order.total)
        inputs, targets = data.batch(chosen, order.distorted, order.chance)
        states = [_LayerState(network, index, len(chosen)) for index in layers]
        thresholds = [network.thresholds(index) for index in layers]
        pulls = [torch.zeros_like(level) for level in network.levels]
        silence = torch.zeros_like(inputs[0], dtype=torch.float32)
        # One sample of the weights for all of burn-in.
        drawn = [mover.draw(index, order.chance) for index in layers]
        for step in range(config.steps):
            learns = step >= config.neuron.burn_in
            if learns:
                drawn = [mover.draw(index, order.chance) for index in layers]
            spikes = inputs[step].float() if step < len(inputs) else silence
            gradients = []
            for index, state in enumerate(states):
                spikes, distance = state.step(spikes, drawn[index].weights, thresholds[index])
                if not learns:
                    continue
                readout = network.local_readout(index)
                scale = 1 / math.sqrt(readout.shape[1])
                guess = (spikes @ readout.T * scale).log_softmax(1)
                error = (guess.exp() - targets) @ readout * (scale / len(chosen))
                error *= network.surrogate(index)(distance)
                gradients.append(error.T @ state.trace * state.gain * drawn[index].slope)
                pulls[index] -= error.sum(0) * network.deviations[index]
            if learns:
                mover.move(gradients, rate)
                total -= float((guess * targets).sum()) / len(chosen)
        for level, pull in zip(network.levels, pulls, strict=True):
            level.grad = pull
        move_rest(network, optimizer, rate)
    return total / (order.batches * (config.steps - config.neuron.burn_in)), rate
