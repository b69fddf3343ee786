# SPDX-License-Identifier: Apache-2.0
"""Single-spike integrate-and-fire networks (BS4NN sections 2 to 4), in integers, step by step.

The only place where the semantics of this kind are defined; the gateware quotes them.

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
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from model.description import LatencyEncoding, Layer, Network, Readout
from model.spike_trains import check_images

__all__ = ["Trace", "encode_single_spike", "run_single_spike"]

# float32 holds every integer up to 2**24 exactly, and a sum of fan-in signs is bounded by fan-in.
_EXACT_FAN_IN = 1 << 24
# Where fewer inputs than one in so many spike, adding their weights one by one is faster than a
# matrix product. Measured on one core, 784-600.
_SPARSE = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trace:
    """Everything that happened in a batch of N samples of a single-spike network.

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


def encode_single_spike(network: Network, images: Any) -> torch.Tensor:
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
    assert isinstance(network.encoding, LatencyEncoding)  # as `Network` checks for this kind
    table = torch.from_numpy(network.encoding.table().astype(np.int64))
    return table[torch.from_numpy(check_images(network, images).astype(np.int64))]


def _sums(layer: Layer, arrivals: torch.Tensor, steps: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """For each step, the rows (samples) with spikes, int64 (R,), and their sums, int32 (R, n)."""
    assert layer.fan_in < _EXACT_FAN_IN
    signs = torch.from_numpy(layer.signs()).to(torch.float32).T.contiguous()
    row, column = torch.nonzero(arrivals < steps, as_tuple=True)
    order = torch.argsort(arrivals[row, column], stable=True)  # rows stay sorted within a step
    counts = torch.bincount(arrivals[row, column], minlength=steps).tolist()
    places = zip(row[order].split(counts), column[order].split(counts), strict=True)
    for rows, columns in places:
        rows, inverse, sizes = torch.unique_consecutive(
            rows, return_inverse=True, return_counts=True
        )
        if not rows.numel():
            yield rows, torch.zeros((0, layer.neurons), dtype=torch.int32)
        elif columns.numel() * _SPARSE < rows.numel() * layer.fan_in:
            starts = sizes.cumsum(0) - sizes
            yield rows, embedding_bag(columns, signs, starts, mode="sum").to(torch.int32)
        else:
            spikes = torch.zeros((rows.numel(), layer.fan_in))
            spikes[inverse, columns] = 1
            yield rows, (spikes @ signs).to(torch.int32)


def run_single_spike(
    network: Network,
    images: Any,
    *,
    record_potentials: bool = False,
    early_stop: bool = False,
) -> Trace:
    """Run a batch through a single-spike network.

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
    input_steps = encode_single_spike(network, images)
    count = input_steps.shape[0]
    everyone = torch.arange(count)
    early_stop = early_stop and network.readout is Readout.FIRST_SPIKE
    arrivals = input_steps
    spike_steps, potentials = [], []
    for index, layer in enumerate(network.layers):
        is_output = index == len(network.layers) - 1
        potential = -torch.from_numpy(layer.thresholds).to(torch.int32).repeat(count, 1)
        fired = torch.full((count, layer.neurons), steps, dtype=torch.int64)
        final = torch.zeros((count, layer.neurons), dtype=torch.int64)
        summed = torch.zeros((count, layer.neurons), dtype=torch.int64)
        crossing_potential = torch.zeros((count, layer.neurons), dtype=torch.int64)
        record = torch.empty(
            (count, steps, layer.neurons) if record_potentials else (0,), dtype=torch.int32
        )
        for step, (rows, sums) in enumerate(_sums(layer, arrivals, steps)):
            potential.index_add_(0, rows, sums)
            if is_output:
                crossing = (potential >= 0) & (fired == steps)
                if early_stop:
                    running = (fired == steps).all(dim=1, keepdim=True)
                    crossing &= running
                    final = torch.where(running, potential.to(torch.int64), final)
                fired[crossing] = step
                summed += potential
                crossing_potential = torch.where(
                    crossing, potential.to(torch.int64), crossing_potential
                )
            else:
                # A potential that nothing was added to crosses in step 0 or not at all.
                rows = rows if step else everyone
                before = fired[rows]
                crossing = (potential[rows] >= 0) & (before == steps)
                fired[rows] = before.masked_fill_(crossing, step)
            if record_potentials:
                record[:, step] = potential
        spike_steps.append(fired)
        potentials.append(record)
        arrivals = fired
    if not early_stop:
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
