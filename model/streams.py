# SPDX-License-Identifier: Apache-2.0
"""Streams without an end: a stepwise network whose states go on.

What a step does stands in ``model/stepwise.py``.
"""

import dataclasses

import numpy as np
import torch

from model.description import Network
from model.sampling import check_members, check_seed, drawn_network
from model.step_trace import values_type
from model.stepwise import Neurons, by_sample, member_signs

__all__ = ["Stream", "StreamTrace"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamTrace:
    """What a block of steps did to N streams.

    Parameters
    ----------
    scores
        int64 (N, steps, classes): scores after each step.
    winners
        int64 (N, steps): class after each step.
    spikes
        Per hidden layer, (N, steps, neurons), typed as in `StepwiseTrace`.
    states
        Per layer, each state after each step, int32 (N, steps, neurons), as in `StepwiseTrace`;
        empty when not asked for.
    """

    scores: torch.Tensor
    winners: torch.Tensor
    spikes: tuple[torch.Tensor, ...]
    states: tuple[dict[str, torch.Tensor], ...]


class Stream:
    """A stepwise network on streams without an end: its states go on from push to push.

    Parameters
    ----------
    network
        A stepwise network without a memory.
    count
        Streams N that run side by side.
    member
        Which member runs, from 0.
    seed
        As in `run_stepwise`.

    Raises
    ------
    ValueError
        If the network is not stepwise or has a memory, or has no such member, or a seed is missing
        or of no use.
    """

    def __init__(
        self, network: Network, *, count: int = 1, member: int = 0, seed: int | None = None
    ) -> None:
        if not network.is_stepwise:
            raise ValueError("Network of a stream must have neurons with a state at every step")
        if network.memory is not None:
            raise ValueError("Network of a stream must have no memory; see run_every")
        check_members(network, member + 1)
        seed = check_seed(network, seed) or None
        if network.is_sampled:
            network = drawn_network(network, seed=seed, members=member + 1)
        self._network = network
        self._count = count
        self._layers = [
            Neurons(layer, member_signs(layer, member), count) for layer in network.layers
        ]

    def push(
        self, spikes: np.ndarray | torch.Tensor, *, record_states: bool = False
    ) -> StreamTrace:
        """Go on by some steps.

        Parameters
        ----------
        spikes
            (N, steps, features), or (steps, features) for one stream: uint8 of 0 and 1, or int16
            where the first layer takes small integers.
        record_states
            Keep every state at every step.

        Raises
        ------
        ValueError
            If the spikes have another shape or type, or are out of range.
        """
        first = self._network.layers[0]
        taken = torch.as_tensor(spikes)
        if taken.ndim == 2:
            taken = taken[None]
        wanted = values_type(first.input_bits)
        if taken.dtype != wanted or taken.ndim != 3:
            raise ValueError(
                f"Spikes must be {str(wanted).removeprefix('torch.')} of shape "
                f"(streams, steps, features), not {taken.dtype} of shape {tuple(taken.shape)}"
            )
        if taken.shape[0] != self._count or taken.shape[2] != first.fan_in:
            raise ValueError(
                f"Spikes must be of {self._count} streams and {first.fan_in} features, "
                f"not {taken.shape[0]} and {taken.shape[2]}"
            )
        low, high = first.input_range
        if taken.numel() and not low <= int(taken.min()) <= int(taken.max()) <= high:
            rule = "be 0 or 1" if (low, high) == (0, 1) else f"lie in {low}..{high}"
            wrong = int(taken.max()) if int(taken.max()) > high else int(taken.min())
            raise ValueError(f"Spikes must {rule}, not {wrong}")
        current = taken.permute(1, 0, 2).to(torch.float32).contiguous()
        kept, states = [], []
        for index, (layer, neurons) in enumerate(
            zip(self._network.layers, self._layers, strict=True)
        ):
            is_output = index == len(self._layers) - 1
            current, history = neurons.advance(current, record=record_states or is_output)
            if not is_output:
                kept.append(by_sample(current.to(values_type(layer.output_bits))))
            states.append({name: by_sample(each) for name, each in history.items()})
        thresholds = torch.from_numpy(self._network.layers[-1].thresholds).to(torch.int64)
        scores = states[-1]["membrane"].to(torch.int64) - thresholds
        return StreamTrace(
            scores=scores,
            winners=scores.argmax(dim=2),
            spikes=tuple(kept),
            states=tuple(states) if record_states else (),
        )
