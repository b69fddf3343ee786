# SPDX-License-Identifier: Apache-2.0
"""Answers on the way through a series, of networks with a memory alone (parallel form of the LMU).

After every n steps, and after the last, the layers read the memory as at the end of a sample, each
time from fresh states; the memory goes on.
"""

import dataclasses
from typing import Any

import torch

from model.committee import run_trains
from model.description import Network
from model.encoding import MAX_STEPS, checked_integer
from model.legendre_step import MemoryStates, emissions
from model.memory_trains import memory_inputs
from model.step_trace import StepwiseTrace

__all__ = ["RunningAnswers", "answer_steps", "run_every"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunningAnswers:
    """A answers on the way through each of N series.

    Parameters
    ----------
    steps
        The A numbers of steps after which there is an answer, rising; the last is the whole series.
    evaluations
        Trace of N * A evaluations, those of a series behind each other. Each is a sample of R
        steps to the layers, as an answer at the end of a sample is.
    """

    steps: tuple[int, ...]
    evaluations: StepwiseTrace

    @property
    def scores(self) -> torch.Tensor:
        """int64 (N, A, classes), summed over the members."""
        return self.evaluations.scores.unflatten(0, (-1, len(self.steps)))

    @property
    def winners(self) -> torch.Tensor:
        """int64 (N, A): class of each answer."""
        return self.evaluations.winners.unflatten(0, (-1, len(self.steps)))


def answer_steps(steps: int, every: int) -> tuple[int, ...]:
    """Numbers of steps after which there is an answer: n, 2n, ... and always the last."""
    return (*range(every, steps, every), steps)


def run_every(
    network: Network,
    samples: Any,
    *,
    every: int,
    members: int | None = None,
    seed: int | None = None,
    record_states: bool = False,
    record_spikes: bool = True,
) -> RunningAnswers:
    """Run series through a network with a memory and answer every n steps.

    Parameters
    ----------
    network
        A network of the parallel form.
    samples
        N series, as `model.spike_trains.check_series` takes them.
    every
        n, 1 to 65535; a series of n steps or fewer is answered once.
    members, seed, record_states, record_spikes
        As in `model.committee.run_stepwise`; states are those of the layers.

    Raises
    ------
    ValueError
        If the network is not of the parallel form, the series do not fit, or n, members or seed
        break their rules.
    """
    memory = network.memory
    if memory is None or network.is_recurrent:
        raise ValueError("Answers every n steps need a network with a memory and no encoder")
    number = checked_integer("Steps between answers", every, 1, MAX_STEPS)
    inputs = torch.from_numpy(memory_inputs(network, samples))
    count, steps, _ = inputs.shape
    states, sent = MemoryStates(memory, count), []
    wanted = answer_steps(steps, number)
    for step in range(steps):
        states.step(inputs[:, step])
        if step + 1 in wanted:
            sent.append(emissions(memory, states.states()))
    trains = torch.stack(sent, dim=1).flatten(0, 1)  # (N, A, R, states) to (N * A, R, states)
    trace = run_trains(
        network,
        trains.to(torch.int16),
        members=members,
        seed=seed,
        record_states=record_states,
        record_spikes=record_spikes,
    )
    return RunningAnswers(steps=wanted, evaluations=trace)
