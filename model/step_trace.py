# SPDX-License-Identifier: Apache-2.0
"""What happened in samples that ran through a stepwise network, and how members decide."""

import dataclasses

import torch

__all__ = ["EMPTY", "StepwiseTrace", "decide", "join", "set_bits", "values_type"]

#: What a trace holds where nothing was kept.
EMPTY = torch.empty(0, dtype=torch.int64)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepwiseTrace:
    """What happened in N samples, K members each.

    Parameters
    ----------
    input_spikes
        (N, T, features), what the first layer saw: uint8 of 0 and 1, int16 where inputs are
        integers; empty when spikes were not kept.
    spikes
        Per hidden layer, (K, N, T, neurons), what it emitted, uint8 or int16 likewise; empty when
        spikes were not kept.
    states
        Per layer, each state after each step, int32 (K, N, T, neurons): ``membrane``, and for
        spike response ``synapse`` and ``refractory``; after reset and jump. Empty when not asked
        for.
    input_counts
        int64 (N,): input spikes of a sample; of integers the set bits in two's complement.
    spike_counts
        Per hidden layer, int64 (K, N): spikes of a sample, counted likewise.
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
    memory_inputs
        int32 (N, input steps, channels): what entered the memory; empty without a memory or when
        states were not asked for.
    memory_states
        int32 (N, input steps, states): states of the memory after each step of the series; empty
        likewise.
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
    memory_inputs: torch.Tensor = EMPTY
    memory_states: torch.Tensor = EMPTY

    @property
    def members(self) -> int:
        """Members K that ran."""
        return int(self.member_scores.shape[0])

    @property
    def running_winners(self) -> torch.Tensor:
        """int64 (N, T): class after each step; empty where `running_scores` is."""
        return self.running_scores.argmax(dim=-1) if self.running_scores.numel() else EMPTY


def values_type(bits: int) -> torch.dtype:
    """How a trace holds integers of so many bits: uint8 for 0 and 1, else int16."""
    return torch.uint8 if bits == 1 else torch.int16


def set_bits(values: torch.Tensor, bits: int, *, dim: tuple[int, ...]) -> torch.Tensor:
    """Set bits of integers in two's complement of a width, summed over axes: int64."""
    if bits == 1:
        return values.sum(dim=dim, dtype=torch.int64)
    planes = values.to(torch.int16)
    return sum(
        ((planes >> plane & 1).sum(dim=dim, dtype=torch.int64) for plane in range(1, bits)),
        (planes & 1).sum(dim=dim, dtype=torch.int64),
    )


def decide(member_scores: torch.Tensor) -> dict[str, torch.Tensor]:
    """Sums, votes and classes; ``argmax`` of torch names the first of equals."""
    scores = member_scores.sum(dim=0)
    own = torch.nn.functional.one_hot(member_scores.argmax(dim=2), member_scores.shape[2])
    return {
        "member_scores": member_scores,
        "scores": scores,
        "votes": own.sum(dim=0),
        "winners": scores.argmax(dim=1),
    }


def join(parts: list[StepwiseTrace]) -> StepwiseTrace:
    """Batches behind each other; at least one."""
    if len(parts) == 1:
        return parts[0]

    def along(axis: int, name: str) -> torch.Tensor:
        return torch.cat([getattr(part, name) for part in parts], dim=axis)

    def layers(name: str) -> tuple[torch.Tensor, ...]:
        return tuple(
            torch.cat(each, dim=1)
            for each in zip(*(getattr(part, name) for part in parts), strict=True)
        )

    return StepwiseTrace(
        spikes=layers("spikes"),
        states=tuple(
            {name: torch.cat([each[name] for each in layer], dim=1) for name in layer[0]}
            for layer in zip(*(part.states for part in parts), strict=True)
        ),
        spike_counts=layers("spike_counts"),
        member_scores=along(1, "member_scores"),
        **{
            name: along(0, name)
            for name in (
                "input_spikes",
                "input_counts",
                "scores",
                "votes",
                "winners",
                "running_scores",
                "memory_inputs",
                "memory_states",
            )
        },
    )
