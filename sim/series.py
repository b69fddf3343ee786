# SPDX-License-Identifier: Apache-2.0
"""The golden model of networks with a memory, answer by answer, and digests of its states.

A digest stands for all states of a step in one number of 64 bits: the sum of each state times an
odd number that depends on its index alone, modulo 2^64. It changes if any one state does.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from model.committee import run_trains
from model.description import Network
from model.golden import StepwiseTrace, run_stepwise
from model.legendre_step import MemoryStates, emissions
from model.memory_trains import memory_inputs
from model.running import answer_steps
from sim.choice import Choice

__all__ = ["Evaluations", "digest_keys", "digests", "evaluate", "record", "word_order"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Evaluations:
    """What the layers did each time they read the memory; in a recurrent network, in each sample.

    Parameters
    ----------
    steps
        Numbers of input steps after which the layers begin anew, rising; the last is the whole
        series.
    trace
        Trace of one "sample" for each of them, those of a series behind each other.
    """

    steps: tuple[int, ...]
    trace: StepwiseTrace


def evaluate(
    network: Network,
    samples: np.ndarray,
    choice: Choice,
    *,
    seen: Callable[[int, torch.Tensor], None],
    record_states: bool = False,
) -> Evaluations:
    """Run N series through memory and layers, side by side.

    Parameters
    ----------
    network
        One whose layers read a memory.
    samples
        As `model.spike_trains.check_series` takes them.
    choice
        Members, seed, and steps from answer to answer.
    seen
        Called after each step with its number and the states, int32 (N, states).
    record_states
        Keep the states of the layers.
    """
    memory = network.memory
    assert memory is not None
    inputs = torch.from_numpy(memory_inputs(network, samples))
    count, steps, _ = inputs.shape
    wanted = answer_steps(steps, choice.step_results or steps)
    walk, sent = MemoryStates(memory, count), []
    for step in range(steps):
        walk.step(inputs[:, step])
        states = walk.states()
        seen(step, states)
        if step + 1 in wanted:
            sent.append(emissions(memory, states))
    # (N, A, R, states) to (N * A, R, states)
    trains = torch.stack(sent, dim=1).flatten(0, 1).to(torch.int16)
    trace = run_trains(
        network, trains, members=choice.members, seed=choice.seed, record_states=record_states
    )
    return Evaluations(steps=wanted, trace=trace)


def record(network: Network, samples: np.ndarray, choice: Choice) -> Evaluations:
    """`evaluate` with all states, those of the memory (N, T, states) in the trace, too; takes
    recurrent networks as well."""
    if network.is_recurrent:
        trace = run_stepwise(network, samples, record_states=True)
        return Evaluations(steps=(network.steps,), trace=trace)
    history: list[torch.Tensor] = []

    def keep(_: int, states: torch.Tensor) -> None:
        history.append(states.clone())  # they may be a view of what the next step changes

    found = evaluate(network, samples, choice, seen=keep, record_states=True)
    inputs = torch.from_numpy(memory_inputs(network, samples).astype(np.int32))
    states = torch.stack(history, dim=1)
    trace = dataclasses.replace(found.trace, memory_inputs=inputs, memory_states=states)
    return dataclasses.replace(found, trace=trace)


def word_order(network: Network) -> np.ndarray:
    """Inputs of the first layer in the order of their words: those of a recurrent network begin
    with series and hidden neurons, behind which come the states."""
    inputs = np.arange(network.features)
    assert network.memory is not None
    return np.roll(inputs, -network.memory.states) if network.is_recurrent else inputs


def digest_keys(count: int) -> np.ndarray:
    """Odd factors of as many states, uint64 (count,): the splitmix64 sequence from 0.

    The same stands in ``sim/harness/test_set.cpp``.
    """
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ mixed >> np.uint64(31)) | np.uint64(1)


def digests(values: np.ndarray) -> np.ndarray:
    """Digest of each row: integers (..., count) to uint64 (...)."""
    keys = digest_keys(values.shape[-1])
    return (values.astype(np.int64).view(np.uint64) * keys).sum(axis=-1, dtype=np.uint64)
