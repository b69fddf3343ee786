# SPDX-License-Identifier: Apache-2.0
"""Figures of a frozen network, through the golden model."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from model.description import Network, Readout
from model.events import Events
from model.golden import run_single_spike
from model.predictions import StepwiseEvaluation, judge, predict

if TYPE_CHECKING:
    from model.yardstick import Yardstick

__all__ = ["Evaluation", "evaluate", "evaluate_single_spike"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures of a single-spike network on a set of images.

    Parameters
    ----------
    images
        Number of images.
    accuracy
        0..1 under our rule: ties go to the larger potential, then to the lower class index.
    accuracy_paper_rule
        0..1 when an image counts as right if the true class is among those that fire first; None
        for readouts without a first spike.
    accuracy_lowest_class
        0..1 when ties of the first spike go to the lower class, whatever the potentials; None for
        readouts without a first spike.
    input_spikes
        Mean input spikes of an image, all steps.
    hidden_spikes
        Mean spikes of all hidden layers of an image, all steps.
    decision_step
        Mean step of the first output spike, 0..T-1, over the images that have one; None if there
        is none or the readout ignores it.
    silent_share
        Share of images without an output spike, 0..1; None for other readouts.
    """

    images: int
    accuracy: float
    accuracy_paper_rule: float | None
    accuracy_lowest_class: float | None
    input_spikes: float
    hidden_spikes: float
    decision_step: float | None
    silent_share: float | None


def evaluate(
    network: "Network | Yardstick",
    samples: np.ndarray | Events,
    labels: np.ndarray,
    *,
    members: int | None = None,
    seed: int | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Evaluation | StepwiseEvaluation:
    """Run samples through a network of any kind, or a yardstick, and count.

    Parameters
    ----------
    network
        The network.
    samples
        uint8 images or series, or `Events`, at least one.
    labels
        Integers (N,).
    members, seed
        Of stepwise networks, see `model.committee.run_stepwise`.
    on_batch
        Called with the number of samples done so far, for progress displays.

    Raises
    ------
    ValueError
        If samples, labels, members or seed do not fit the network.
    """
    if isinstance(network, Network) and not network.is_stepwise:
        if members not in (None, 1) or seed is not None:
            raise ValueError("Members and seed are of networks with a state at every step only")
        if isinstance(samples, Events):
            raise ValueError("Samples must be images for this network, not events")
        return evaluate_single_spike(network, samples, labels, on_batch=on_batch)
    prediction = predict(network, samples, members=members, seed=seed, on_batch=on_batch)
    scale = network.metadata.get("training_scale")
    return judge(prediction, labels, training_scale=scale)


def evaluate_single_spike(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    batch: int = 500,
    on_batch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run images through the golden model and count.

    Parameters
    ----------
    network
        The network.
    images
        uint8 (N, features) or (N, height, width), N >= 1.
    labels
        Integers (N,).
    batch
        Images at a time, >= 1.
    on_batch
        Called with the number of images done so far, for progress displays.

    Raises
    ------
    ValueError
        If there are no images, or not as many labels as images, or images that do not fit the
        network.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if len(images) == 0 or labels.shape != (len(images),):
        raise ValueError(
            f"Labels must be one for each of at least one image, not {labels.shape} "
            f"for {len(images)} images"
        )
    if batch < 1:
        raise ValueError(f"Batch must be >= 1, not {batch!r}")
    first_spike = network.readout is Readout.FIRST_SPIKE
    steps = network.steps
    right = right_paper = right_lowest = input_spikes = hidden_spikes = decided = step_sum = 0
    for start in range(0, len(images), batch):
        part = slice(start, min(start + batch, len(images)))
        trace = run_single_spike(network, images[part])
        winners = trace.winners.numpy()
        times = trace.spike_steps[-1].numpy()  # (n, classes)
        correct = winners == labels[part]
        right += int(correct.sum())
        input_spikes += int((trace.input_steps < steps).sum())
        hidden_spikes += sum(int((fired < steps).sum()) for fired in trace.spike_steps[:-1])
        if first_spike:
            earliest = times.min(axis=1)
            fires = earliest < steps
            truth = labels[part].astype(np.int64)
            known = truth < times.shape[1]
            own = times[np.arange(len(times)), np.where(known, truth, 0)]
            credited = known & (own == earliest)
            right_paper += int(np.where(fires, credited, correct).sum())
            lowest = times.argmin(axis=1) == truth  # argmin takes the first of equals
            right_lowest += int(np.where(fires, lowest, correct).sum())
            decided += int(fires.sum())
            step_sum += int(earliest[fires].sum())
        if on_batch is not None:
            on_batch(part.stop)
    count = len(images)
    return Evaluation(
        images=count,
        accuracy=right / count,
        accuracy_paper_rule=right_paper / count if first_spike else None,
        accuracy_lowest_class=right_lowest / count if first_spike else None,
        input_spikes=input_spikes / count,
        hidden_spikes=hidden_spikes / count,
        decision_step=step_sum / decided if decided else None,
        silent_share=1 - decided / count if first_spike else None,
    )
