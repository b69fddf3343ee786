# SPDX-License-Identifier: Apache-2.0
"""The configuration of a run of the recipe family ``bisnn``: what a file may say, and its rules."""

import dataclasses
import enum
from typing import Any

from model.description import Dynamics, NeuronKind, Reset
from model.encoding import Encoding, NetworkError, encoding_from_json
from model.train.bisnn.rules import Rule
from model.train.tables import Augmentation, RecipeError, check, is_number

__all__ = ["BisnnConfig", "Estimator", "Form", "Neuron", "Posterior", "Variant"]


class Variant(enum.StrEnum):
    """How errors reach the weights."""

    BPTT = "bptt"
    LOCAL = "local"


class Form(enum.StrEnum):
    """What a posterior is frozen into."""

    MODE = "mode"
    COMMITTEE = "committee"
    SAMPLED = "sampled"


class Estimator(enum.StrEnum):
    """How the gradient of a posterior is estimated."""

    RELAXED = "relaxed"
    BINARY = "binary"
    MOMENTS = "moments"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neuron:
    """Hidden neurons. Thresholds and jumps count in deviations of the membrane at the start.

    Parameters
    ----------
    kind
        ``lif`` or ``spike-response``.
    fraction_bits, membrane_shift, synapse_shift, refractory_shift, reset
        See `Dynamics`; the last three where the kind has them.
    jump
        Jump of the refractory trace (spike response).
    threshold
        Threshold that training starts from, > 0.
    burn_in
        Steps whose spikes do not count in the readout, nor in local losses.
    """

    kind: NeuronKind = NeuronKind.LIF
    fraction_bits: int = 4
    membrane_shift: int = 3
    synapse_shift: int = 3
    refractory_shift: int = 1
    reset: Reset = Reset.SUBTRACT
    jump: float = 1.0
    threshold: float = 1.0
    burn_in: int = 0

    def __post_init__(self) -> None:
        kinds = (NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE)
        check(self.kind in kinds, "Neuron kind", f"one of {', '.join(kinds)}", self.kind)
        object.__setattr__(self, "kind", NeuronKind(self.kind))
        resets = (Reset.SUBTRACT, Reset.ZERO)
        check(self.reset in resets, "Neuron reset", f"one of {', '.join(resets)}", self.reset)
        object.__setattr__(self, "reset", Reset(self.reset))
        for name in ("jump", "threshold"):
            value = getattr(self, name)
            check(is_number(value) and value > 0, f"Neuron {name}", "> 0", value)
        for name, low, high in (
            ("fraction_bits", 0, 8),
            ("membrane_shift", 1, 8),
            ("synapse_shift", 1, 8),
            ("refractory_shift", 1, 8),
            ("burn_in", 0, 65535),
        ):
            value = getattr(self, name)
            noun = f"Neuron {name.replace('_', ' ')}"
            check(
                type(value) is int and low <= value <= high,
                noun,
                f"an integer {low}..{high}",
                value,
            )

    def dynamics(self, fan_in: int, jump: int) -> Dynamics:
        """Integer parameters of a hidden layer, at widths that never saturate."""
        fields: dict[str, Any] = {
            "fraction_bits": self.fraction_bits,
            "membrane_shift": self.membrane_shift,
        }
        if self.kind is NeuronKind.LIF:
            fields["reset"] = self.reset
        else:
            fields |= {
                "synapse_shift": self.synapse_shift,
                "refractory_shift": self.refractory_shift,
                "refractory_jump": jump,
            }
        return Dynamics.bounded(kind=self.kind, fan_in=fan_in, **fields)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Posterior:
    """What only the rule ``bisnn-bayes`` reads.

    Parameters
    ----------
    temperature
        tau of the relaxed weights, 0.3..1.
    complexity
        rho >= 0, weight of the KL term against the mean loss of a sample.
    prior
        Prior probability of +1, inside 0..1.
    estimator
        Gradient with respect to the posterior's means. ``relaxed``: forward passes with relaxed
        weights (the authors'). ``binary``: with their signs, members as they will be. ``moments``:
        each synaptic sum is drawn from a normal distribution with the mean and variance that it
        has under the posterior, anew for each sample: far less noise for the same cost.
    draws
        Weight sets drawn for each batch, each for its share of the samples.
    form
        ``mode``, ``committee`` or ``sampled`` (ternary, drawn in the gateware).
    members
        Members K of a stored committee; of a sampled one, how many are measured.
    cuts
        Weights with P(+1) from the first to the second cut stay undecided (``sampled``).
    """

    temperature: float = 1.0
    complexity: float = 1e-5
    prior: float = 0.5
    estimator: Estimator = Estimator.RELAXED
    draws: int = 1
    form: Form = Form.COMMITTEE
    members: int = 8
    cuts: tuple[float, float] = (0.25, 0.75)

    def __post_init__(self) -> None:
        check(self.form in list(Form), "Posterior form", f"one of {', '.join(Form)}", self.form)
        object.__setattr__(self, "form", Form(self.form))
        value = self.temperature
        check(is_number(value) and 0.3 <= value <= 1, "Posterior temperature", "in 0.3..1", value)
        value = self.complexity
        check(is_number(value) and value >= 0, "Posterior complexity", ">= 0", value)
        check(
            is_number(self.prior) and 0 < self.prior < 1, "Posterior prior", "in 0..1", self.prior
        )
        known = ", ".join(Estimator)
        check(
            self.estimator in list(Estimator),
            "Posterior estimator",
            f"one of {known}",
            self.estimator,
        )
        object.__setattr__(self, "estimator", Estimator(self.estimator))
        for name in ("draws", "members"):
            count = getattr(self, name)
            check(type(count) is int and count >= 1, f"Posterior {name}", "an integer >= 1", count)
        cuts = self.cuts
        check(
            isinstance(cuts, list | tuple)
            and len(cuts) == 2
            and all(is_number(cut) for cut in cuts)
            and 0 < cuts[0] < cuts[1] < 1,
            "Posterior cuts",
            "two rising numbers inside 0..1",
            cuts,
        )
        object.__setattr__(self, "cuts", tuple(float(cut) for cut in cuts))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BisnnConfig:
    """Everything that decides a training run of the recipe family ``bisnn``, except the data.

    Parameters
    ----------
    name, data
        Name of the recipe; data set that it is meant for.
    rule
        Learning rule.
    variant
        ``bptt``: back-propagation through time, output weights are learned. ``local``: every layer
        learns at every step from a readout of its own with fixed random signs.
    encoding
        Table of a network's encoding: ``kind`` is ``latency``, ``rate`` or ``events``.
    hidden
        Neurons of each hidden layer.
    neuron, posterior, augmentation
        Tables.
    epochs, batch_size, seed
        Passes over the samples, samples a step, seed of everything random.
    learning_rate
        Peak rate of the latent weights.
    normalise
        Divide the rate of each layer by the running root mean square of its gradients, one number
        a layer: the rate is then the size of a step, for any loss, fan-in and number of steps.
    momentum
        Share of the step before, 0..1 (exponential mean of gradients).
    schedule
        ``cosine`` to 0, or ``halving`` at each fifth of the run.
    initial
        Latent weights start as +-initial with random signs, uniform in +-initial for full
        precision.
    limit
        Largest latent weight in magnitude; 0 for none (straight-through, full precision).
    threshold_rate
        Peak rate of Adam for thresholds and the scale of the scores; 0 leaves thresholds alone.
    surrogate, surrogate_width
        ``triangle`` or ``box``, and its width in deviations of the membrane at the start.
    input_drop
        Share of the input spikes that training leaves out, each on its own (not in the plain
        tail).
    label_smoothing
        Share of the target spread evenly over the classes.
    plain_tail
        Share of the epochs, at the end, that see undistorted samples.
    """

    name: str = "custom"
    data: str = "digits"
    rule: Rule = Rule.BAYES
    variant: Variant = Variant.BPTT
    encoding: Encoding
    hidden: tuple[int, ...] = (128,)
    neuron: Neuron = dataclasses.field(default_factory=Neuron)
    posterior: Posterior = dataclasses.field(default_factory=Posterior)
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    epochs: int = 60
    batch_size: int = 64
    seed: int = 0
    learning_rate: float = 0.02
    normalise: bool = True
    momentum: float = 0.0
    schedule: str = "cosine"
    initial: float = 1.0
    limit: float = 5.0
    threshold_rate: float = 0.01
    surrogate: str = "triangle"
    surrogate_width: float = 1.0
    input_drop: float = 0.0
    label_smoothing: float = 0.0
    plain_tail: float = 0.15

    def __post_init__(self) -> None:
        for name, kind in (("rule", Rule), ("variant", Variant)):
            value = getattr(self, name)
            check(value in list(kind), _noun(name), f"one of {', '.join(kind)}", value)
            object.__setattr__(self, name, kind(value))
        for name, allowed in (
            ("schedule", ("cosine", "halving")),
            ("surrogate", ("triangle", "box")),
        ):
            value = getattr(self, name)
            check(value in allowed, _noun(name), f"one of {', '.join(allowed)}", value)
        sizes = self.hidden
        check(
            isinstance(sizes, list | tuple)
            and bool(sizes)
            and all(type(size) is int and size > 0 for size in sizes),
            "Hidden",
            "one or more positive layer sizes",
            sizes,
        )
        object.__setattr__(self, "hidden", tuple(sizes))
        for name, low in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            check(type(value) is int and value >= low, _noun(name), f"an integer >= {low}", value)
        for name in ("name", "data"):
            check(isinstance(getattr(self, name), str), _noun(name), "text", getattr(self, name))
        check(isinstance(self.normalise, bool), "Normalise", "true or false", self.normalise)
        for name in ("learning_rate", "initial", "surrogate_width"):
            value = getattr(self, name)
            check(is_number(value) and value > 0, _noun(name), "> 0", value)
        for name in ("label_smoothing", "plain_tail", "momentum", "input_drop"):
            value = getattr(self, name)
            check(is_number(value) and 0 <= value <= 1, _noun(name), "in 0..1", value)
        for name in ("limit", "threshold_rate"):
            value = getattr(self, name)
            check(is_number(value) and value >= 0, _noun(name), ">= 0", value)
        if self.rule is Rule.BAYES:
            # Beyond 1 a posterior hardly learns, beyond 6 a probability is 0 or 1 for good.
            check(self.initial <= 1, "Initial of bisnn-bayes", "at most 1", self.initial)
            check(0 < self.limit <= 6, "Limit of bisnn-bayes", "in 0..6", self.limit)
        if self.variant is Variant.LOCAL:
            fits = self.neuron.kind is not NeuronKind.LIF or self.neuron.reset is Reset.SUBTRACT
            check(fits, "Neuron reset of variant local", "subtract", self.neuron.reset)
            relaxed = self.posterior.estimator is not Estimator.MOMENTS
            check(relaxed, "Posterior estimator of variant local", "relaxed or binary", "moments")
        check(
            self.neuron.burn_in < self.steps,
            "Neuron burn in",
            f"less than the {self.steps} steps",
            self.neuron.burn_in,
        )

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return self.encoding.steps

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, as `from_dict` takes them."""
        fields = dataclasses.asdict(self)
        fields["encoding"] = self.encoding.to_json()
        plain: dict[str, Any] = _plain(fields)
        return plain

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "BisnnConfig":
        """Make a configuration from the keys of a recipe.

        ``steps`` changes the number of steps of a rate code or of events.

        Raises
        ------
        RecipeError
            If a key is unknown or a value breaks its rule; the text names it.
        """
        fields = dict(fields)
        steps = fields.pop("steps", None)
        known_keys(cls, fields, "")
        for key, kind in _TABLES.items():
            table = fields.get(key, {})
            check(isinstance(table, dict), _noun(key), "a table", table)
            known_keys(kind, table, f"{key}.")
            fields[key] = kind(**table)
        table = fields.get("encoding", {})
        check(isinstance(table, dict) and "kind" in table, "Encoding", "a table with a kind", table)
        if steps is not None:
            check("steps" in table, "Steps", "those of its levels for a latency code", steps)
            table = {**table, "steps": steps}
        try:
            fields["encoding"] = encoding_from_json(table)
        except KeyError as error:
            raise RecipeError(f"Encoding must have the key {error}") from None
        except (NetworkError, TypeError) as error:
            raise RecipeError(str(error)) from None
        return cls(**fields)


_TABLES: dict[str, Any] = {
    "neuron": Neuron,
    "posterior": Posterior,
    "augmentation": Augmentation,
}


def _plain(value: Any) -> Any:
    """Tuples as lists and named values as text, at any depth."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, enum.StrEnum) else value


def _noun(name: str) -> str:
    return name.replace("_", " ").capitalize()


def known_keys(kind: type, fields: dict[str, Any], prefix: str) -> None:
    """Refuse a key that is no field of a table."""
    known = [field.name for field in dataclasses.fields(kind)]
    for key in fields:
        if key not in known:
            raise RecipeError(
                f"Recipe key must be one of {', '.join(prefix + name for name in known)}, "
                f"not {prefix + key!r}"
            )
