# SPDX-License-Identifier: Apache-2.0
"""Samples through stepwise networks and their committees: scores, votes, classes, recordings.

What a step does, and how a committee decides, stands in ``model/stepwise.py``.
"""

import dataclasses
from typing import Any

import numpy as np
import torch

from model.description import Network
from model.memory_trains import memory_trains
from model.recurrent import run_recurrent
from model.sampling import check_members, check_seed, drawn_network
from model.spike_trains import spike_trains
from model.step_trace import EMPTY, StepwiseTrace, decide, join, set_bits, values_type
from model.stepwise import Neurons, by_sample, member_signs

__all__ = ["StepwiseTrace", "probabilities", "run_stepwise", "run_trains"]

# Numbers of one layer that a batch holds at a time.
_BATCH_NUMBERS = 1 << 22


def run_stepwise(
    network: Network,
    samples: Any,
    *,
    members: int | None = None,
    seed: int | None = None,
    record_states: bool = False,
    record_spikes: bool = True,
) -> StepwiseTrace:
    """Run samples through a stepwise network, member by member.

    Parameters
    ----------
    network
        The network.
    samples
        N samples, see `model.spike_trains.spike_trains`.
    members
        Members K: of a stored committee the first so many (all by default); must be given where
        members are drawn.
    seed
        1 to 2^32 - 1, only where members are drawn (`model.sampling`).
    record_states
        Keep every state at every step, those of a memory too.
    record_spikes
        Keep spikes and running scores. Without them memory stays small for any N.

    Raises
    ------
    ValueError
        If samples are of the wrong kind or shape, if members are more than are stored or less than
        1, or if a seed is missing, out of range or of no use.
    """
    if network.is_recurrent:
        check_members(network, members), check_seed(network, seed)
        return run_recurrent(
            network, samples, record_states=record_states, record_spikes=record_spikes
        )
    if network.memory is not None:
        sent = memory_trains(network, samples, record=record_states)
        trace = run_trains(
            network,
            sent.trains,
            members=members,
            seed=seed,
            record_states=record_states,
            record_spikes=record_spikes,
        )
        return dataclasses.replace(trace, memory_inputs=sent.inputs, memory_states=sent.states)
    network, signs, count = _prepared(network, members, seed)
    size = _batch_size(network)
    parts = []
    for start in range(0, max(len(samples), 1), size):
        trains = torch.from_numpy(spike_trains(network, samples[start : start + size]))
        parts.append(_run_batch(network, signs, trains, count, record_states, record_spikes))
    return join(parts)


def run_trains(
    network: Network,
    trains: np.ndarray | torch.Tensor,
    *,
    members: int | None = None,
    seed: int | None = None,
    record_states: bool = False,
    record_spikes: bool = True,
) -> StepwiseTrace:
    """Run what the first layer sees through the layers; of any network but recurrent ones.

    Parameters
    ----------
    network
        The network.
    trains
        uint8 or int16 (N, T, features).
    members, seed, record_states, record_spikes
        As in `run_stepwise`.
    """
    network, signs, count = _prepared(network, members, seed)
    size = _batch_size(network)
    whole = torch.as_tensor(trains)
    parts = []
    for start in range(0, max(len(whole), 1), size):
        part = whole[start : start + size]
        parts.append(_run_batch(network, signs, part, count, record_states, record_spikes))
    return join(parts)


def _prepared(
    network: Network, members: int | None, seed: int | None
) -> tuple[Network, list[list[torch.Tensor]], int]:
    """The network with its members drawn, weights of each layer and member, members K."""
    count, seed = check_members(network, members), check_seed(network, seed) or None
    if network.is_sampled:
        network = drawn_network(network, seed=seed, members=count)
    signs = [
        [member_signs(layer, member) for member in range(min(count, layer.members))]
        for layer in network.layers
    ]
    return network, signs, count


def _batch_size(network: Network) -> int:
    return max(1, _BATCH_NUMBERS // (network.steps * max(network.sizes)))


def _run_batch(
    network: Network,
    signs: list[list[torch.Tensor]],
    input_spikes: torch.Tensor,
    members: int,
    record_states: bool,
    record_spikes: bool,
) -> StepwiseTrace:
    count = input_spikes.shape[0]
    # (N, T, features) to (T, N, features)
    trains = input_spikes.permute(1, 0, 2).to(torch.float32).contiguous()
    spikes: list[list[torch.Tensor]] = [[] for _ in network.layers[:-1]]
    counts: list[list[torch.Tensor]] = [[] for _ in network.layers[:-1]]
    states: list[list[dict[str, torch.Tensor]]] = [[] for _ in network.layers]
    scores = []
    running = record_spikes and members == 1
    # Layers with one weight set at the front do the same for every member: once is enough.
    shared: dict[int, tuple[torch.Tensor, dict[str, torch.Tensor]]] = {}
    for member in range(members):
        current, same = trains, True
        for index, layer in enumerate(network.layers):
            is_output = index == len(network.layers) - 1
            same = same and len(signs[index]) == 1
            if same and index in shared:
                current, history = shared[index]
            else:
                neurons = Neurons(layer, signs[index][member % len(signs[index])], count)
                record = record_states or (running and is_output)
                current, history = neurons.advance(current, record=record)
            if same and not is_output:
                shared[index] = current, history
            if record_states:
                states[index].append({name: by_sample(each) for name, each in history.items()})
            if is_output:
                scores.append(neurons.scores())
                continue
            emitted = current.to(values_type(layer.output_bits))
            counts[index].append(set_bits(emitted, layer.output_bits, dim=(0, 2)))
            if record_spikes:
                spikes[index].append(by_sample(emitted))
    running_scores = EMPTY
    if running:
        thresholds = torch.from_numpy(network.layers[-1].thresholds).to(torch.int64)
        running_scores = by_sample(history["membrane"]).to(torch.int64) - thresholds
    return StepwiseTrace(
        input_spikes=input_spikes if record_spikes else EMPTY.to(input_spikes.dtype),
        spikes=tuple(torch.stack(each) for each in spikes) if record_spikes else (),
        states=tuple(
            {name: torch.stack([each[name] for each in layer]) for name in layer[0]}
            for layer in states
        )
        if record_states
        else (),
        input_counts=set_bits(input_spikes, network.layers[0].input_bits, dim=(1, 2)),
        spike_counts=tuple(torch.stack(each) for each in counts),
        running_scores=running_scores,
        **decide(torch.stack(scores)),
    )


def probabilities(network: Network, trace: StepwiseTrace) -> torch.Tensor:
    """Probability of each class: float64 (N, classes), softmax(beta * sum / members)."""
    scale = float(network.inverse_temperature) / trace.members
    return torch.softmax(trace.scores.to(torch.float64) * scale, dim=1)
