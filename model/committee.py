# SPDX-License-Identifier: Apache-2.0
"""Samples through stepwise networks and their committees: scores, votes, classes, recordings.

What a step does, and how a committee decides, stands in ``model/stepwise.py``.
"""

import dataclasses
from typing import Any

import torch

from model.description import Network
from model.sampling import check_members, check_seed, drawn_network
from model.spike_trains import spike_trains
from model.stepwise import Neurons, by_sample, member_signs

__all__ = ["StepwiseTrace", "probabilities", "run_stepwise"]

# Numbers of one layer that a batch holds at a time.
_BATCH_NUMBERS = 1 << 22


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepwiseTrace:
    """What happened in N samples, K members each.

    Parameters
    ----------
    input_spikes
        uint8 (N, T, features); empty when spikes were not kept.
    spikes
        Per hidden layer, uint8 (K, N, T, neurons); empty when spikes were not kept.
    states
        Per layer, each state after each step, int32 (K, N, T, neurons): ``membrane``, and for
        spike response ``synapse`` and ``refractory``; after reset and jump. Empty when not asked
        for.
    input_counts
        int64 (N,): input spikes of a sample.
    spike_counts
        Per hidden layer, int64 (K, N): spikes of a sample.
    member_scores
        int64 (K, N, classes): scores of each member.
    scores
        int64 (N, classes): their sums.
    votes
        int64 (N, classes): members whose own class this is.
    winners
        int64 (N,): predicted class.
    running_scores
        int64 (N, T, classes): scores after each step; empty unless K = 1 and spikes were kept.
    """

    input_spikes: torch.Tensor
    spikes: tuple[torch.Tensor, ...]
    states: tuple[dict[str, torch.Tensor], ...]
    input_counts: torch.Tensor
    spike_counts: tuple[torch.Tensor, ...]
    member_scores: torch.Tensor
    scores: torch.Tensor
    votes: torch.Tensor
    winners: torch.Tensor
    running_scores: torch.Tensor

    @property
    def members(self) -> int:
        """Members K that ran."""
        return int(self.member_scores.shape[0])

    @property
    def running_winners(self) -> torch.Tensor:
        """int64 (N, T): class after each step; empty where `running_scores` is."""
        return self.running_scores.argmax(dim=-1) if self.running_scores.numel() else _EMPTY


_EMPTY = torch.empty(0, dtype=torch.int64)


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
        Keep every state at every step.
    record_spikes
        Keep spikes and running scores. Without them memory stays small for any N.

    Raises
    ------
    ValueError
        If samples are of the wrong kind or shape, if members are more than are stored or less than
        1, or if a seed is missing, out of range or of no use.
    """
    count, seed = check_members(network, members), check_seed(network, seed) or None
    if network.is_sampled:
        network = drawn_network(network, seed=seed, members=count)
    signs = [
        [member_signs(layer, member) for member in range(min(count, layer.members))]
        for layer in network.layers
    ]
    size = max(1, _BATCH_NUMBERS // (network.steps * max(network.sizes)))
    total = len(samples)
    parts = [
        _run_batch(
            network,
            signs,
            torch.from_numpy(spike_trains(network, samples[start : start + size])),
            count,
            record_states,
            record_spikes,
        )
        for start in range(0, max(total, 1), size)
    ]
    return _join(parts) if len(parts) > 1 else parts[0]


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
            counts[index].append(current.sum(dim=(0, 2), dtype=torch.float64).to(torch.int64))
            if record_spikes:
                spikes[index].append(by_sample(current.to(torch.uint8)))
    running_scores = _EMPTY
    if running:
        thresholds = torch.from_numpy(network.layers[-1].thresholds).to(torch.int64)
        running_scores = by_sample(history["membrane"]).to(torch.int64) - thresholds
    return StepwiseTrace(
        input_spikes=input_spikes if record_spikes else _EMPTY.to(torch.uint8),
        spikes=tuple(torch.stack(each) for each in spikes) if record_spikes else (),
        states=tuple(
            {name: torch.stack([each[name] for each in layer]) for name in layer[0]}
            for layer in states
        )
        if record_states
        else (),
        input_counts=input_spikes.sum(dim=(1, 2), dtype=torch.int64),
        spike_counts=tuple(torch.stack(each) for each in counts),
        running_scores=running_scores,
        **_decide(torch.stack(scores)),
    )


def _decide(member_scores: torch.Tensor) -> dict[str, torch.Tensor]:
    """Sums, votes and classes; ``argmax`` of torch names the first of equals."""
    scores = member_scores.sum(dim=0)
    own = torch.nn.functional.one_hot(member_scores.argmax(dim=2), member_scores.shape[2])
    return {
        "member_scores": member_scores,
        "scores": scores,
        "votes": own.sum(dim=0),
        "winners": scores.argmax(dim=1),
    }


def _join(parts: list[StepwiseTrace]) -> StepwiseTrace:
    """Batches behind each other."""

    def along(axis: int, name: str) -> torch.Tensor:
        return torch.cat([getattr(part, name) for part in parts], dim=axis)

    def layers(name: str) -> tuple[torch.Tensor, ...]:
        return tuple(
            torch.cat(each, dim=1)
            for each in zip(*(getattr(part, name) for part in parts), strict=True)
        )

    return StepwiseTrace(
        input_spikes=along(0, "input_spikes"),
        spikes=layers("spikes"),
        states=tuple(
            {name: torch.cat([each[name] for each in layer], dim=1) for name in layer[0]}
            for layer in zip(*(part.states for part in parts), strict=True)
        ),
        input_counts=along(0, "input_counts"),
        spike_counts=layers("spike_counts"),
        member_scores=along(1, "member_scores"),
        scores=along(0, "scores"),
        votes=along(0, "votes"),
        winners=along(0, "winners"),
        running_scores=along(0, "running_scores"),
    )


def probabilities(network: Network, trace: StepwiseTrace) -> torch.Tensor:
    """Probability of each class: float64 (N, classes), softmax(beta * sum / members)."""
    scale = float(network.inverse_temperature) / trace.members
    return torch.softmax(trace.scores.to(torch.float64) * scale, dim=1)
