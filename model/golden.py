# SPDX-License-Identifier: Apache-2.0
"""The golden model: what a network computes, in integers, at every step.

The front door for all neuron kinds. Numeric semantics are defined in ``model/single_spike.py``
(single-spike integrate-and-fire), ``model/stepwise.py`` (neurons with a state at every step,
committees, the recurrent LMU), ``model/legendre_step.py`` (Legendre memory), ``model/sampling.py``
(drawn members) and ``model/encoding.py``, each in one place only; the gateware quotes them.
"""

import numpy as np
import torch

from model.committee import StepwiseTrace, probabilities, run_stepwise
from model.description import Network
from model.events import Events
from model.memory_trains import memory_trains
from model.recurrent import run_recurrent
from model.running import RunningAnswers, run_every
from model.single_spike import Trace, encode_single_spike, run_single_spike
from model.spike_trains import spike_trains
from model.streams import Stream, StreamTrace

#: Images, uint8 (N, features) or (N, height, width), or series, uint8 (N, steps, channels).
SampleArray = np.ndarray | torch.Tensor

__all__ = [
    "RunningAnswers",
    "StepwiseTrace",
    "Stream",
    "StreamTrace",
    "Trace",
    "encode",
    "probabilities",
    "run",
    "run_every",
    "run_single_spike",
    "run_stepwise",
]


def encode(network: Network, samples: SampleArray | Events) -> torch.Tensor:
    """Input spikes of samples, or the integers that the first layer sees.

    Parameters
    ----------
    network
        Gives the encoding.
    samples
        uint8 (N, features) or (N, height, width); `model.events.Events` where the encoding is of
        events; where it is of series, what `model.spike_trains.check_series` takes.

    Returns
    -------
    torch.Tensor
        Single-spike networks: int64 (N, features), the spike step of each input, T where none is
        sent. Stepwise networks: uint8 (N, T, features) of 0 and 1; of series int16, behind a
        memory what it sends, in recurrent networks with the hidden neurons' own integers.

    Raises
    ------
    ValueError
        If the samples are of the wrong kind, type or number of features.
    """
    if network.is_recurrent:
        return run_recurrent(network, samples).input_spikes
    if network.memory is not None:
        return memory_trains(network, samples).trains
    if network.is_stepwise:
        return torch.from_numpy(spike_trains(network, samples))
    return encode_single_spike(network, samples)


def run(
    network: Network,
    samples: SampleArray | Events,
    *,
    record_potentials: bool = False,
    early_stop: bool = False,
    record_states: bool = False,
    record_spikes: bool = True,
    members: int | None = None,
    seed: int | None = None,
) -> Trace | StepwiseTrace:
    """Run samples through a network of any kind.

    Parameters
    ----------
    network
        The network.
    samples
        As for `encode`.
    record_potentials, early_stop
        Of single-spike networks, see `model.single_spike.run_single_spike`.
    record_states, record_spikes, members, seed
        Of stepwise networks, see `model.committee.run_stepwise`.

    Returns
    -------
    Trace or StepwiseTrace
        By the kind of the network.

    Raises
    ------
    ValueError
        If the samples do not fit, members or seed are missing or out of range, or an option
        belongs to the other kind of network.
    """
    if network.is_stepwise:
        if record_potentials or early_stop:
            raise ValueError("Potentials and early stop are of single-spike networks only")
        return run_stepwise(
            network,
            samples,
            members=members,
            seed=seed,
            record_states=record_states,
            record_spikes=record_spikes,
        )
    if record_states or seed is not None or members not in (None, 1):
        raise ValueError("States, members and seed are of networks with a state at every step only")
    return run_single_spike(
        network, samples, record_potentials=record_potentials, early_stop=early_stop
    )
