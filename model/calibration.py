# SPDX-License-Identifier: Apache-2.0
"""How good probabilities are: calibration error, likelihood, error detection. Torch-free.

Probabilities are (N, classes), rows that sum to 1; the class of a row is its largest probability,
the lower one of equals, and its confidence is that probability.
"""

import dataclasses

import numpy as np

__all__ = [
    "BINS",
    "Reliability",
    "brier",
    "calibration_error",
    "error_auroc",
    "fit_inverse_temperature",
    "negative_log_likelihood",
    "reliability",
    "softmax",
]

#: Bins of confidence, all of one width, where nothing else is said.
BINS = 20

_TINY = float(np.finfo(np.float64).tiny)
_HALVINGS = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width over 0..1.

    Parameters
    ----------
    edges
        float64 (bins + 1,). A bin holds its lower edge and not its upper; the last holds both.
    counts
        int64 (bins,): samples.
    confidence, accuracy
        float64 (bins,): means; 0 in an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def softmax(scores: np.ndarray, inverse_temperature: float = 1.0) -> np.ndarray:
    """Probabilities float64 (N, classes) of scores: ``softmax(inverse_temperature * score)``."""
    scaled = inverse_temperature * np.asarray(scores, dtype=np.float64)
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def reliability(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> Reliability:
    """Sort samples into bins of confidence.

    Parameters
    ----------
    probabilities
        (N, classes), or vote fractions.
    labels
        Integers (N,).
    bins
        Number of bins, at least 1.

    Raises
    ------
    ValueError
        If shapes do not fit, a label has no class, or bins are less than 1.
    """
    probabilities, labels = _checked(probabilities, labels)
    if bins < 1:
        raise ValueError(f"Bins must be at least 1, not {bins!r}")
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    number = (np.searchsorted(edges, confidence, side="right") - 1).clip(0, bins - 1)
    counts = np.bincount(number, minlength=bins)
    filled = np.maximum(counts, 1)
    return Reliability(
        edges=edges,
        counts=counts,
        confidence=np.bincount(number, weights=confidence, minlength=bins) / filled,
        accuracy=np.bincount(number, weights=right, minlength=bins) / filled,
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> float:
    """Expected calibration error (ECE): mean over samples of |accuracy - confidence| of the bin."""
    curve = reliability(probabilities, labels, bins=bins)
    gaps = np.abs(curve.accuracy - curve.confidence)
    return float((curve.counts * gaps).sum() / curve.counts.sum())


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of ``-log p`` of the true class, in nats; p counts as 2.2e-308 at least."""
    probabilities, labels = _checked(probabilities, labels)
    own = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, _TINY)).mean())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over samples of the squared distance to the true class's unit vector, 0..2."""
    probabilities, labels = _checked(probabilities, labels)
    distance = probabilities - np.eye(probabilities.shape[1])[labels]
    return float((distance**2).sum(axis=1).mean())


def error_auroc(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """Area under the ROC curve of "1 - confidence" as a detector of errors.

    The chance that a wrong sample is less confident than a right one; equal confidence counts
    half. None if all samples are right or all are wrong.
    """
    probabilities, labels = _checked(probabilities, labels)
    wrong = probabilities.argmax(axis=1) != labels
    errors, total = int(wrong.sum()), len(labels)
    if errors in (0, total):
        return None
    doubt = 1 - probabilities.max(axis=1)
    _, place, counts = np.unique(doubt, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # mean rank of equals, from 1
    return float((ranks[wrong].sum() - errors * (errors + 1) / 2) / (errors * (total - errors)))


def fit_inverse_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """Find the beta > 0 whose ``softmax(beta * score)`` has the least negative log likelihood.

    The true class is asked for with probability (N + 1) / (N + 2) rather than 1 and the others
    share the rest (Platt 1999), so that N samples which are all right do not ask for certainty.
    The likelihood is convex in beta: its slope is halved down to one double, no random numbers.

    Parameters
    ----------
    scores
        (N, classes), N >= 1, classes >= 2: mean over the members of a committee, of samples that
        were not trained on.
    labels
        Integers (N,).

    Raises
    ------
    ValueError
        If shapes do not fit or a label has no class.
    """
    scores, labels = _checked(scores, labels)
    count, classes = scores.shape
    targets = np.full((count, classes), 1 / ((count + 2) * max(classes - 1, 1)))
    targets[np.arange(count), labels] = (count + 1) / (count + 2)
    scores = scores - scores.max(axis=1, keepdims=True)
    spread = float(np.abs(scores).mean())
    if spread == 0:
        return 1.0  # all scores are equal: no beta is better than another
    wanted = float((targets * scores).sum(axis=1).mean())
    low, high = np.log(1e-6 / spread), np.log(1e6 / spread)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = (softmax(scores, float(np.exp(middle))) * scores).sum(axis=1).mean()
        low, high = (middle, high) if expected < wanted else (low, middle)
    return float(np.exp((low + high) / 2))


def _checked(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, labels = np.asarray(values, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or not values.size or labels.shape != values.shape[:1]:
        raise ValueError(
            f"Labels must be one for each of at least one sample, not {labels.shape} for values of "
            f"shape {values.shape}"
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"Labels must be integers, not {labels.dtype}")
    wrong = (labels < 0) | (labels >= values.shape[1])
    if wrong.any():
        raise ValueError(
            f"Labels must lie in 0..{values.shape[1] - 1}, not {labels[wrong.argmax()]}"
        )
    return values, labels
