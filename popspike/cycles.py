# SPDX-License-Identifier: Apache-2.0
"""Cycles an image takes, from the golden model's spikes and the hardware's schedule."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hw.design.design import Design
from hw.times.work_counts import Work, work_of
from model.data import Samples
from model.description import Network
from model.events import Events
from popspike.console import progress
from popspike.options import samples_at_hand

__all__ = ["Pace", "pace_of"]

_BATCH = 500
# The schedule of a committee goes through every step of every member.
_STEP_SAMPLES = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a gateware works on given images.

    Parameters
    ----------
    cycles_per_image
        Mean cycles from result to result, images sent back to back.
    latency_cycles
        Mean cycles from first pixel to result of an image sent to an idle gateware; taken from a
        few images.
    weight_bits
        Mean number of weight bits that an image needs: its spikes times the neurons they reach.
    images
        Number of images.
    origin
        Where the images come from.
    value_cycles
        Cycles of an input value of a Legendre memory; 0 without one.
    work
        Mean work for an image by part, of a network with a state at every step.
    """

    cycles_per_image: float
    latency_cycles: float
    weight_bits: float
    images: int
    origin: str
    value_cycles: int = 0
    work: Mapping[str, Work] = dataclasses.field(default_factory=dict)


def pace_of(
    network: Network, design: Design, *, dataset: str | None = None, data_dir: Path | None = None
) -> Pace:
    """Return the pace over the test set where it is at hand, else over the shipped digits.

    Of a network with a state at every step over the first samples of that set, with all members
    that the network stores or the gateware can draw.
    """
    samples = samples_at_hand(network, dataset, data_dir)
    if network.is_stepwise:
        return _step_pace(network, design, samples.head(_STEP_SAMPLES))
    return _pace(network, design, samples)


def _step_pace(network: Network, design: Design, samples: Samples) -> Pace:
    from hw.times.schedule import schedule
    from model.golden import run_stepwise

    members = design.members if network.is_sampled else network.members
    seed = 1 if network.is_sampled else None
    trace = run_stepwise(network, samples.images, members=members, seed=seed)
    spikes = [trace.input_spikes.numpy(), *(part.numpy() for part in trace.spikes)]
    events = samples.images if isinstance(samples.images, Events) else None
    whole = schedule(design, network, spikes, members=members, events=events)
    alone = [
        schedule(
            design,
            network,
            [spikes[0][index : index + 1], *(part[:, index : index + 1] for part in spikes[1:])],
            members=members,
            events=None if events is None else events[index : index + 1],
        )
        for index in range(min(5, len(samples)))
    ]
    # Every spike needs a weight of each neuron that it reaches, in every member.
    counts = [members * trace.input_counts.numpy()]
    counts += [part.sum(dim=0).numpy() for part in trace.spike_counts]
    bits = sum(
        float(count.mean()) * layer.neurons
        for count, layer in zip(counts, network.layers, strict=True)
    )
    return Pace(
        cycles_per_image=whole.cycles_per_image,
        latency_cycles=float(np.mean([one.samples[0].latency for one in alone])),
        weight_bits=bits,
        images=len(samples),
        origin=samples.origin,
        value_cycles=(
            design.memory.cycles(network.memory.order) if design.memory and network.memory else 0
        ),
        work=work_of(design, network, spikes, members=members),
    )


def _pace(network: Network, design: Design, samples: Samples) -> Pace:
    from hw.fit.estimate import weight_bits
    from hw.times.schedule import schedule
    from model.golden import run_single_spike

    parts: list[list[np.ndarray]] = []
    with progress("spikes of the images, for the schedule", len(samples)) as show:
        for start in range(0, len(samples), _BATCH):
            trace = run_single_spike(
                network, samples.images[start : start + _BATCH], early_stop=design.early_stop
            )
            parts.append([steps.numpy() for steps in (trace.input_steps, *trace.spike_steps)])
            show(min(start + _BATCH, len(samples)))
    arrivals = [np.concatenate(layer) for layer in zip(*parts, strict=True)]
    whole = schedule(design, network, arrivals)
    alone = [
        schedule(design, network, [layer[index : index + 1] for layer in arrivals])
        for index in range(min(20, len(samples)))
    ]
    return Pace(
        cycles_per_image=whole.cycles_per_image,
        latency_cycles=float(np.mean([one.samples[0].latency for one in alone])),
        weight_bits=weight_bits(network, arrivals),
        images=len(samples),
        origin=samples.origin,
    )
