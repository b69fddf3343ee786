# SPDX-License-Identifier: Apache-2.0
"""Series through a Legendre memory: what the layers of the parallel form see.

What a step of the memory does, and what is sent of its states, stands in
``model/legendre_step.py``.
"""

import dataclasses
from typing import Any

import numpy as np
import torch

from model.description import Network
from model.encoding import SeriesEncoding
from model.legendre_step import emissions, final_states, state_history
from model.spike_trains import check_series, series_integers
from model.step_trace import EMPTY

__all__ = ["MemoryTrains", "memory_inputs", "memory_trains"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryTrains:
    """What a memory made of N series.

    Parameters
    ----------
    trains
        int16 (N, R, states): what it sends at the end of the series in each read.
    inputs
        int32 (N, input steps, channels): what entered; empty when not kept.
    states
        int32 (N, input steps, states): states after each step; empty when not kept.
    """

    trains: torch.Tensor
    inputs: torch.Tensor = EMPTY
    states: torch.Tensor = EMPTY


def memory_inputs(network: Network, samples: Any) -> np.ndarray:
    """What enters the memory of the parallel form: int16 (N, input steps, channels).

    Parameters
    ----------
    network
        A network of the parallel form.
    samples
        As `model.spike_trains.check_series` takes them.

    Raises
    ------
    ValueError
        If the samples are no series for this network.
    """
    encoding, memory = network.encoding, network.memory
    assert isinstance(encoding, SeriesEncoding)
    assert memory is not None
    return series_integers(encoding, check_series(encoding, samples, window=memory.window))


def memory_trains(network: Network, samples: Any, *, record: bool = False) -> MemoryTrains:
    """Run series through the memory of a network of the parallel form.

    Parameters
    ----------
    network
        The network.
    samples
        As `model.spike_trains.check_series` takes them.
    record
        Keep what entered, and the states of each step.

    Raises
    ------
    ValueError
        If the samples are no series for this network.
    """
    memory = network.memory
    assert memory is not None
    inputs = memory_inputs(network, samples)
    if not record:
        sent = emissions(memory, final_states(memory, inputs))
        return MemoryTrains(trains=sent.to(torch.int16))
    states = state_history(memory, inputs)
    return MemoryTrains(
        trains=emissions(memory, states[:, -1]).to(torch.int16),
        inputs=torch.from_numpy(inputs.astype(np.int32)),
        states=states,
    )
