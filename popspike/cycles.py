# SPDX-License-Identifier: Apache-2.0
"""Cycles an image takes, from the golden model's spikes and the hardware's schedule."""

import dataclasses
from pathlib import Path

import numpy as np

from hw.design import Design
from model.data import Samples
from model.description import Network
from popspike.console import progress
from popspike.options import samples_at_hand

__all__ = ["Pace", "pace_of"]

_BATCH = 500


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
    """

    cycles_per_image: float
    latency_cycles: float
    weight_bits: float
    images: int
    origin: str


def pace_of(
    network: Network, design: Design, *, dataset: str | None = None, data_dir: Path | None = None
) -> Pace:
    """Return the pace over the test set where it is at hand, else over the shipped digits."""
    return _pace(network, design, samples_at_hand(network, dataset, data_dir))


def _pace(network: Network, design: Design, samples: Samples) -> Pace:
    from hw.estimate import weight_bits
    from hw.schedule import schedule
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
