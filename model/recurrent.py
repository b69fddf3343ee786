# SPDX-License-Identifier: Apache-2.0
"""Samples through the recurrent hybrid LMU, in which hidden neurons and memory feed back.

What a step does stands in ``model/stepwise.py``.
"""

import dataclasses
from typing import Any

import torch

from model.description import Network
from model.legendre_step import MemoryStates, emissions
from model.spike_trains import spike_trains
from model.step_trace import EMPTY, StepwiseTrace, decide, join, set_bits
from model.stepwise import Neurons, check_exact, member_signs

__all__ = ["RecurrentStates", "RecurrentStep", "run_recurrent"]

# Samples that run side by side.
_BATCH = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentStep:
    """What a step did to N samples.

    Parameters
    ----------
    inputs
        float32 (N, features): what the first layer saw.
    memory_inputs
        int64 (N, channels): what entered the memory.
    emitted
        float32 (N, neurons): integers that the hidden neurons emitted.
    """

    inputs: torch.Tensor
    memory_inputs: torch.Tensor
    emitted: torch.Tensor


class RecurrentStates:
    """States of a recurrent network for N samples, and what a step does to them.

    Parameters
    ----------
    network
        A recurrent network.
    count
        Samples N, which run side by side.

    Raises
    ------
    ValueError
        If a synaptic sum may be too large to be exact.
    """

    def __init__(self, network: Network, count: int) -> None:
        assert network.memory is not None
        assert network.encoder is not None
        check_exact(network.encoder)
        self.memory = MemoryStates(network.memory, count)
        self.layers = [Neurons(layer, member_signs(layer, 0), count) for layer in network.layers]
        self._description = network.memory
        hidden = network.layers[0].neurons
        self._emitted = torch.zeros((count, hidden))
        self._sent = self._send()
        self._encoder = member_signs(network.encoder, 0)  # float32 (features, channels)
        states = network.memory.states
        self._parts = (slice(states), slice(states, -hidden), slice(-hidden, None))
        self._shifts = network.encoder_shifts

    def step(self, series: torch.Tensor) -> RecurrentStep:
        """Go on by one step; ``series`` float32 (N, channels), what layers see of the series."""
        before = torch.cat([self._sent, series, self._emitted], dim=1)
        sums = [
            (before[:, part] @ self._encoder[part]).to(torch.int64) << shift
            for part, shift in zip(self._parts, self._shifts, strict=True)
        ]
        entering = sums[0] + sums[1] + sums[2]
        self.memory.step(entering)
        self._sent = self._send()
        inputs = torch.cat([self._sent, series, self._emitted], dim=1)
        hidden, output = self.layers
        emitted, _ = hidden.advance(inputs[None], record=False)
        output.advance(emitted, record=False)
        self._emitted = emitted[0]
        return RecurrentStep(inputs=inputs, memory_inputs=entering, emitted=self._emitted)

    def _send(self) -> torch.Tensor:
        """What the memory sends of its states, float32 (N, states)."""
        return emissions(self._description, self.memory.states())[:, 0].to(torch.float32)


def run_recurrent(
    network: Network, samples: Any, *, record_states: bool = False, record_spikes: bool = True
) -> StepwiseTrace:
    """Run samples through a recurrent network.

    Parameters
    ----------
    network
        The network.
    samples
        N series, as `model.spike_trains.check_series` takes them.
    record_states, record_spikes
        As for `model.committee.run_stepwise`.

    Raises
    ------
    ValueError
        If the samples are no series for this network.
    """
    parts = [
        _run_batch(
            network,
            torch.from_numpy(spike_trains(network, samples[start : start + _BATCH])),
            record_states,
            record_spikes,
        )
        for start in range(0, max(len(samples), 1), _BATCH)
    ]
    return join(parts)


def _run_batch(
    network: Network, series: torch.Tensor, record_states: bool, record_spikes: bool
) -> StepwiseTrace:
    count, steps, _ = series.shape
    states = RecurrentStates(network, count)
    first = network.layers[0]
    kept: dict[str, list[torch.Tensor]] = {}

    def keep(name: str, values: torch.Tensor, dtype: torch.dtype) -> None:
        kept.setdefault(name, []).append(values.to(dtype, copy=True))

    inputs_set = torch.zeros(count, dtype=torch.int64)
    hidden_set = torch.zeros(count, dtype=torch.int64)
    trains = series.to(torch.float32)
    for step in range(steps):
        done = states.step(trains[:, step])
        inputs_set += set_bits(done.inputs, first.input_bits, dim=(1,))
        hidden_set += set_bits(done.emitted, first.output_bits, dim=(1,))
        if record_spikes:
            keep("inputs", done.inputs, torch.int16)
            keep("emitted", done.emitted, torch.int16)
            keep("scores", states.layers[1].scores(), torch.int64)
        if record_states:
            keep("memory_inputs", done.memory_inputs, torch.int32)
            keep("memory_states", states.memory.states(), torch.int32)
            for index, neurons in enumerate(states.layers):
                keep(f"membrane{index}", neurons.states["membrane"], torch.int32)
    stacked = {name: torch.stack(each, dim=1) for name, each in kept.items()}  # (N, T, ...)
    return StepwiseTrace(
        input_spikes=stacked.get("inputs", EMPTY.to(torch.int16)),
        spikes=(stacked["emitted"][None],) if record_spikes else (),
        states=tuple({"membrane": stacked[f"membrane{index}"][None]} for index in range(2))
        if record_states
        else (),
        input_counts=inputs_set,
        spike_counts=(hidden_set[None],),
        running_scores=stacked.get("scores", EMPTY),
        memory_inputs=stacked.get("memory_inputs", EMPTY),
        memory_states=stacked.get("memory_states", EMPTY),
        **decide(states.layers[1].scores()[None]),
    )
