# SPDX-License-Identifier: Apache-2.0
"""The published BS4NN learning rule (BS4NN sections 1 to 6): batch of one, double precision.

As published: proxies start positive, no clipping, the output layer is changed before the error
goes back through it, errors are normalised, images without any output spike teach nothing. Left
out: the choice of the best epoch on the test set; a validation split is scored instead.

Times are the published ones: a pixel of value v at 255 - v, one step of delay a layer, 256 for
silence. Black pixels are left out: they can decide nothing (section 2).
"""

import dataclasses
from typing import Any

import numpy as np

from model.description import Network
from model.import_bs4nn import import_bs4nn

__all__ = ["T_MAX", "Outcome", "PaperConfig", "PaperNetwork"]

#: Time that stands for silence.
T_MAX = 256
# Step at which the potential is read if no output fires.
_FALLBACK_STEP = T_MAX - 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperConfig:
    """Settings of the published rule; the defaults are those of the authors' notebook.

    Parameters
    ----------
    name, data
        Name of the recipe, and the data set it is meant for.
    hidden
        Hidden neurons.
    threshold
        Threshold of both layers, divided by the layer's scale.
    alphas
        First scale of the hidden and of the output layer.
    initial
        Proxies of each layer start uniform in 0..initial.
    learning_rates, alpha_rates
        Rates of the proxies and of the scales, per layer.
    gamma
        Steps by which the true class shall lead.
    epochs
        Number of epochs.
    draws
        Images a epoch, drawn with replacement; 0: as many as there are training images.
    seed
        Seed of the first proxies and of the draws.
    validation
        Images at the end of the training set that are kept for validation.
    """

    name: str = "bs4nn-paper"
    data: str = "mnist"
    hidden: int = 600
    threshold: float = 100.0
    alphas: tuple[float, float] = (5.0, 5.0)
    initial: tuple[float, float] = (5.0, 48.0)
    learning_rates: tuple[float, float] = (0.1, 0.1)
    alpha_rates: tuple[float, float] = (0.01, 0.01)
    gamma: int = 1
    epochs: int = 200
    draws: int = 0
    seed: int = 0
    validation: int = 10_000

    def __post_init__(self) -> None:
        for name, low in (("hidden", 1), ("epochs", 1), ("gamma", 1), ("draws", 0), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < low:
                raise ValueError(f"{name.capitalize()} must be an integer >= {low}, not {value!r}")
        for name in ("alphas", "initial", "learning_rates", "alpha_rates"):
            pair = tuple(float(value) for value in getattr(self, name))
            if len(pair) != 2 or min(pair) < 0:
                raise ValueError(f"{name.capitalize()} must be two numbers >= 0, not {pair!r}")
            object.__setattr__(self, name, pair)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values."""
        fields = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the network answered to one image.

    Parameters
    ----------
    credited
        Right under the published rule: the true class is among the first to fire.
    right
        Right under ours: ties go to the larger potential, then to the lower class index.
    loss
        Half of the squared error of the times, in units of 256 steps.
    """

    credited: bool
    right: bool
    loss: float


class PaperNetwork:
    """Proxies and scales of a 784-600-10 or other two-layer network, and the rule that moves them.

    Parameters
    ----------
    config
        Settings.
    features, classes
        Sizes of input and output.

    Attributes
    ----------
    hidden
        float64 (features, hidden): proxies of the hidden layer, transposed.
    output
        float64 (classes, hidden): proxies of the output layer.
    alphas
        float64 (2,): scales.
    """

    def __init__(self, *, config: PaperConfig, features: int, classes: int) -> None:
        rng = np.random.default_rng(config.seed)
        self.config = config
        self.hidden = rng.uniform(0, config.initial[0], (features, config.hidden))
        self.output = rng.uniform(0, config.initial[1], (classes, config.hidden))
        self.alphas = np.array(config.alphas)

    def see(self, image: np.ndarray, label: int, *, learn: bool) -> Outcome:
        """Show one image.

        Parameters
        ----------
        image
            uint8 (features,).
        label
            True class.
        learn
            Change proxies and scales by the rule.

        Returns
        -------
        Outcome
            The answer before the change.
        """
        lit = np.flatnonzero(image)
        pixel_times = 255 - image[lit].astype(np.int64)
        hidden_times, _, _ = _fire(np.sign(self.hidden[lit]), pixel_times, self._count(0))
        times, at_spike, fallback = _fire(np.sign(self.output).T, hidden_times, self._count(1))
        first = int(times.min())
        error = np.zeros(times.size)
        if first == T_MAX:
            credited = right = int(fallback.argmax()) == label
        else:
            credited = bool(times[label] == first)
            tied = np.where(times == first, at_spike, -np.inf)
            right = int(tied.argmax()) == label
            error = (self._targets(times, first, label) - times) / T_MAX
            if learn and error.any():
                self._learn(error, lit, pixel_times, hidden_times, times)
        return Outcome(credited=credited, right=right, loss=0.5 * float(error @ error))

    def freeze(self, metadata: dict[str, Any] | None = None) -> Network:
        """Return the integer network that these proxies and scales stand for."""
        network = import_bs4nn(
            np.ascontiguousarray(self.hidden.T),
            self.output,
            alphas=(float(self.alphas[0]), float(self.alphas[1])),
            threshold=self.config.threshold,
        )
        facts = {**network.metadata, "origin": "trained by the published rule", **(metadata or {})}
        return dataclasses.replace(network, metadata=facts)

    def _count(self, layer: int) -> float:
        """Spike count that a neuron must exceed."""
        return float(self.config.threshold / self.alphas[layer])

    def _targets(self, times: np.ndarray, first: int, label: int) -> np.ndarray:
        """Target times (section 5)."""
        pushed = min(first + self.config.gamma, T_MAX)
        targets = np.where(times - first < self.config.gamma, pushed, times)
        targets[label] = first
        return targets

    def _learn(
        self,
        error: np.ndarray,
        lit: np.ndarray,
        pixel_times: np.ndarray,
        hidden_times: np.ndarray,
        times: np.ndarray,
    ) -> None:
        """Steps 1 to 8 of section 6 (4 is inert: the published decay is 0)."""
        rates, alpha_rates = self.config.learning_rates, self.config.alpha_rates
        delta = error / np.linalg.norm(error)
        mask = hidden_times[None, :] < times[:, None]  # (classes, hidden)
        self.output -= rates[1] * delta[:, None] * mask
        self.alphas[1] -= (alpha_rates[1] * delta[:, None] * mask * np.sign(self.output)).mean()
        back = (self.output * delta[:, None] * mask).sum(axis=0)
        norm = np.linalg.norm(back)
        if norm == 0:
            return
        back /= norm
        # A silent hidden neuron has no feedback, so pixels that are not lit change nothing.
        moved = back * (pixel_times[:, None] < hidden_times[None, :])  # (lit, hidden)
        proxies = self.hidden[lit] - rates[0] * moved
        self.hidden[lit] = proxies
        self.alphas[0] -= alpha_rates[0] * (moved * np.sign(proxies)).sum() / self.hidden.size


def _fire(
    weights: np.ndarray, times: np.ndarray, count: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run one layer of non-leaky neurons.

    Parameters
    ----------
    weights
        (inputs, neurons) of -1, 0, +1.
    times
        int64 (inputs,): arrival times, `T_MAX` for silence.
    count
        A neuron fires after the first step with a sum greater than this.

    Returns
    -------
    tuple
        Firing times int64 (neurons,), the sum in the step of the crossing, and the sum after the
        fallback step.
    """
    order = np.argsort(times, kind="stable")
    order = order[times[order] < T_MAX]
    neurons = weights.shape[1]
    if not order.size:
        return np.full(neurons, T_MAX), np.zeros(neurons), np.zeros(neurons)
    arrivals = times[order]
    ends = np.flatnonzero(np.append(arrivals[1:] != arrivals[:-1], True))
    sums = np.cumsum(weights[order], axis=0)[ends]  # (steps with input, neurons)
    crossing = sums > count
    index = crossing.argmax(axis=0)
    fired = np.minimum(np.where(crossing.any(axis=0), arrivals[ends][index] + 1, T_MAX), T_MAX)
    seen = int(np.searchsorted(arrivals[ends], _FALLBACK_STEP, side="right"))
    fallback = sums[seen - 1] if seen else np.zeros(neurons)
    return fired, sums[index, np.arange(neurons)], fallback
