# SPDX-License-Identifier: Apache-2.0
"""The golden model: what a network computes, in integers, at every step.

Numeric semantics of the single-spike integrate-and-fire kind (BS4NN sections 2 to 4), the only
place where they are defined; the gateware quotes them.

* Spikes are 0/1, weights -1/+1. ``V`` starts at 0 and is never reset in a sample.
* In step t all spikes of step t are added first, then every neuron compares: a neuron that has
  not fired yet fires if ``V >= threshold``. A spike of step t reaches the next layer in step t.
* The *potential* that readouts, probes and results speak of is ``V - threshold`` (so that a
  crossing is its sign, in hardware too).
* First spike: the output with the earliest spike wins; among equals the larger potential at that
  step; then the lower class index. If no output fires: the largest potential after the last step.
* Early stop (an option of the gateware, first spike only): as if the sample ended with the step of
  the first output spike. The class is the same; the other outputs stay silent, and their score is
  their potential at that step.
* Final potential: the largest potential after the last step. Summed potential: the largest sum
  over all steps of the potential. Ties go to the lower class index.
"""

import dataclasses

import numpy as np
import torch

from model.description import LatencyEncoding, Network, Readout

__all__ = ["Trace", "encode", "run"]

# float32 holds every integer up to 2**24 exactly, and a sum of fan-in signs is bounded by fan-in.
_EXACT_FAN_IN = 1 << 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trace:
    """Everything that happened in a batch of N samples.

    Parameters
    ----------
    input_steps
        int64 (N, features): spike step of each input, T where silent.
    spike_steps
        Per layer, int64 (N, neurons): step of the spike, T where silent.
    potentials
        Per layer, int32 (N, T, neurons): potential ``V - threshold`` after each step; empty when
        not asked for.
    scores
        int64 (N, classes): what the readout compares beside the spike step.
    winners
        int64 (N,): predicted class.
    decision_steps
        int64 (N,): step of the winner's spike; T when no output fired or the readout ignores it.
    """

    input_steps: torch.Tensor
    spike_steps: tuple[torch.Tensor, ...]
    potentials: tuple[torch.Tensor, ...]
    scores: torch.Tensor
    winners: torch.Tensor
    decision_steps: torch.Tensor


def encode(network: Network, images: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Spike step of each pixel: int64 (N, features), T where no spike is sent.

    Parameters
    ----------
    network
        Gives the levels.
    images
        uint8 (N, features) or (N, height, width).

    Raises
    ------
    ValueError
        If the images are not uint8 or have another number of features.
    """
    images = torch.tensor(images) if isinstance(images, np.ndarray) else images
    if images.dtype != torch.uint8:
        raise ValueError(f"Images must be uint8, not {images.dtype}")
    images = images.reshape(images.shape[0], -1)
    if images.shape[1] != network.features:
        raise ValueError(
            f"Images must have {network.features} features for this network, not {images.shape[1]}"
        )
    assert isinstance(network.encoding, LatencyEncoding)
    table = torch.from_numpy(network.encoding.table().astype(np.int64))
    return table[images.to(torch.int64)]


def run(
    network: Network,
    images: np.ndarray | torch.Tensor,
    *,
    record_potentials: bool = False,
    early_stop: bool = False,
) -> Trace:
    """Run a batch through the network.

    Parameters
    ----------
    network
        The network.
    images
        uint8 (N, features) or (N, height, width).
    record_potentials
        Keep every potential at every step (N x T x neurons integers a layer).
    early_stop
        Let each sample end with its first output spike (first-spike readout; potentials are
        recorded to the last step all the same).

    Returns
    -------
    Trace
        Classes, spike steps and, if asked for, potentials.
    """
    steps = network.steps
    input_steps = encode(network, images)
    count = input_steps.shape[0]
    arrivals = input_steps
    spike_steps, potentials = [], []
    for index, layer in enumerate(network.layers):
        assert layer.fan_in < _EXACT_FAN_IN
        is_output = index == len(network.layers) - 1
        signs = torch.from_numpy(layer.signs()).to(torch.float32).T.contiguous()
        potential = -torch.from_numpy(layer.thresholds).to(torch.int32).repeat(count, 1)
        fired = torch.full((count, layer.neurons), steps, dtype=torch.int64)
        final = torch.zeros((count, layer.neurons), dtype=torch.int64)
        summed = torch.zeros((count, layer.neurons), dtype=torch.int64)
        crossing_potential = torch.zeros((count, layer.neurons), dtype=torch.int64)
        record = torch.empty(
            (count, steps, layer.neurons) if record_potentials else (0,), dtype=torch.int32
        )
        for step in range(steps):
            spikes = arrivals == step
            if spikes.any():
                potential += (spikes.to(torch.float32) @ signs).to(torch.int32)
            crossing = (potential >= 0) & (fired == steps)
            if is_output and early_stop and network.readout is Readout.FIRST_SPIKE:
                running = (fired == steps).all(dim=1, keepdim=True)
                crossing &= running
                final = torch.where(running, potential.to(torch.int64), final)
            fired[crossing] = step
            if is_output:
                summed += potential
                crossing_potential = torch.where(
                    crossing, potential.to(torch.int64), crossing_potential
                )
            if record_potentials:
                record[:, step] = potential
        spike_steps.append(fired)
        potentials.append(record)
        arrivals = fired
    if not (early_stop and network.readout is Readout.FIRST_SPIKE):
        final = potential.to(torch.int64)
    if network.readout is Readout.FIRST_SPIKE:
        scores = torch.where(fired < steps, crossing_potential, final)
        order = fired
    else:
        scores = summed if network.readout is Readout.SUMMED_POTENTIAL else final
        order = torch.full_like(fired, steps)
    winners, decision_steps = _decide(order, scores)
    return Trace(
        input_steps=input_steps,
        spike_steps=tuple(spike_steps),
        potentials=tuple(potentials) if record_potentials else (),
        scores=scores,
        winners=winners,
        decision_steps=decision_steps,
    )


def _decide(order: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Earliest step, then largest score, then lowest index, over the last axis of (N, classes)."""
    earliest = order.min(dim=1, keepdim=True).values
    candidates = torch.where(order == earliest, scores, torch.iinfo(torch.int64).min)
    best = candidates == candidates.max(dim=1, keepdim=True).values
    return best.to(torch.uint8).argmax(dim=1), earliest.squeeze(1)
