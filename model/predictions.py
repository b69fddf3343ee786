# SPDX-License-Identifier: Apache-2.0
"""What a stepwise network or a yardstick says of many samples, and how good that is."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from model.calibration import (
    BINS,
    brier,
    calibration_error,
    error_auroc,
    negative_log_likelihood,
    softmax,
)
from model.committee import run_stepwise
from model.description import Network
from model.events import Events

if TYPE_CHECKING:
    from model.yardstick import Yardstick

__all__ = ["Prediction", "StepwiseEvaluation", "judge", "predict"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """Classes and probabilities of N samples, from K members.

    Parameters
    ----------
    scores
        float64 (N, classes): mean over the members.
    inverse_temperature
        beta of the probabilities ``softmax(beta * score)``.
    winners
        int64 (N,): class of the largest score, the lower one of equals.
    member_winners
        int64 (K, N): class of each member alone.
    input_spikes
        int64 (N,), as `StepwiseTrace.input_counts`; None where they were not counted.
    hidden_spikes
        float64 (N,): spikes of all hidden layers, mean over the members; None where they were not
        counted.
    """

    scores: np.ndarray
    inverse_temperature: float
    winners: np.ndarray
    member_winners: np.ndarray
    input_spikes: np.ndarray | None = None
    hidden_spikes: np.ndarray | None = None

    @property
    def members(self) -> int:
        """Members K."""
        return int(self.member_winners.shape[0])

    @property
    def probabilities(self) -> np.ndarray:
        """float64 (N, classes)."""
        return softmax(self.scores, self.inverse_temperature)

    @property
    def vote_shares(self) -> np.ndarray:
        """float64 (N, classes): share of the members whose class this is."""
        classes = np.arange(self.scores.shape[1])
        return (self.member_winners[:, :, None] == classes).mean(axis=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepwiseEvaluation:
    """Figures of a stepwise network or a yardstick on a set of samples.

    Parameters
    ----------
    images
        Number of samples.
    members
        Members K that were asked.
    accuracy
        0..1, class of the largest summed score (committee; of one member: that member).
    accuracy_votes
        0..1, class of the most votes, the lower one of equals.
    accuracy_single
        0..1, mean over the members of the accuracy of each alone.
    ece, nll, brier, auroc
        Of the probabilities, see `model.calibration`; ``auroc`` is None if no sample, or every
        sample, is wrong.
    ece_votes
        ECE of the share of votes, which no temperature changes.
    ece_untempered
        ECE with the scale that training used in place of the fitted temperature; None if the
        network does not name it.
    ece_bins
        Bins of all three.
    inverse_temperature
        beta of the probabilities.
    input_spikes
        Mean input spikes of a sample; None for yardsticks.
    hidden_spikes
        Mean spikes of all hidden layers of a sample and member; None for yardsticks.
    """

    images: int
    members: int
    accuracy: float
    accuracy_votes: float
    accuracy_single: float
    ece: float
    ece_votes: float
    ece_untempered: float | None
    ece_bins: int
    nll: float
    brier: float
    auroc: float | None
    inverse_temperature: float
    input_spikes: float | None
    hidden_spikes: float | None


def predict(
    network: "Network | Yardstick",
    samples: np.ndarray | Events,
    *,
    members: int | None = None,
    seed: int | None = None,
    batch: int | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Prediction:
    """Ask a stepwise network, or a yardstick, about samples.

    Parameters
    ----------
    network
        Whom to ask.
    samples
        uint8 images or series, or `Events`, at least one.
    members, seed
        As for `model.committee.run_stepwise`; a yardstick has neither.
    batch
        Samples at a time, >= 1; by default as many as suit the network.
    on_batch
        Called with the number of samples done so far, for progress displays.

    Raises
    ------
    ValueError
        If the samples do not fit the network, or members and seed break their rules.
    """
    if not len(samples):
        raise ValueError("Samples must be at least one, not none")
    if batch is None:
        batch = _batch_size(network)
    if batch < 1:
        raise ValueError(f"Batch must be >= 1, not {batch!r}")
    floats = not isinstance(network, Network)
    if floats and (members not in (None, 1) or seed is not None):
        raise ValueError("Members and seed must be absent for a yardstick, which is one network")
    scores, winners, own, inputs, hidden = [], [], [], [], []
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        if isinstance(network, Network):
            trace = run_stepwise(network, part, members=members, seed=seed, record_spikes=False)
            scores.append(trace.scores.numpy() / trace.members)
            winners.append(trace.winners.numpy())
            own.append(trace.member_scores.argmax(dim=2).numpy())
            inputs.append(trace.input_counts.numpy())
            counts = [layer.numpy() for layer in trace.spike_counts]
            hidden.append(sum(counts, np.zeros(own[-1].shape)).mean(axis=0))
        else:
            scores.append(network.scores(part).astype(np.float64))
            winners.append(scores[-1].argmax(axis=1))
            own.append(winners[-1][None])
        if on_batch is not None:
            on_batch(min(start + batch, len(samples)))
    return Prediction(
        scores=np.concatenate(scores),
        inverse_temperature=float(network.inverse_temperature),
        winners=np.concatenate(winners),
        member_winners=np.concatenate(own, axis=1),
        input_spikes=np.concatenate(inputs) if inputs else None,
        hidden_spikes=np.concatenate(hidden) if hidden else None,
    )


def _batch_size(network: "Network | Yardstick") -> int:
    """A memory goes through its states one by one, which many samples side by side make up for."""
    return 5000 if isinstance(network, Network) and network.memory is not None else 250


def judge(
    prediction: Prediction, labels: np.ndarray, *, training_scale: float | None = None
) -> StepwiseEvaluation:
    """Hold predictions against the labels.

    Parameters
    ----------
    prediction
        Of N samples.
    labels
        Integers (N,) that are classes of the network.
    training_scale
        beta before any was fitted, for `StepwiseEvaluation.ece_untempered`.

    Raises
    ------
    ValueError
        If labels are not one a sample, or name a class that the network does not have.
    """
    labels = np.asarray(labels)
    probabilities, votes = prediction.probabilities, prediction.vote_shares
    untempered = None
    if training_scale is not None:
        untempered = calibration_error(softmax(prediction.scores, training_scale), labels)
    return StepwiseEvaluation(
        ece=calibration_error(probabilities, labels),  # checks the labels
        images=len(labels),
        members=prediction.members,
        accuracy=float((prediction.winners == labels).mean()),
        accuracy_votes=float((votes.argmax(axis=1) == labels).mean()),
        accuracy_single=float((prediction.member_winners == labels).mean()),
        ece_votes=calibration_error(votes, labels),
        ece_untempered=untempered,
        ece_bins=BINS,
        nll=negative_log_likelihood(probabilities, labels),
        brier=brier(probabilities, labels),
        auroc=error_auroc(probabilities, labels),
        inverse_temperature=prediction.inverse_temperature,
        input_spikes=_mean(prediction.input_spikes),
        hidden_spikes=_mean(prediction.hidden_spikes),
    )


def _mean(values: np.ndarray | None) -> float | None:
    return None if values is None else float(values.mean())
