# SPDX-License-Identifier: Apache-2.0
"""The configuration of a run of the recipe family ``bisnn``: what a file may say, and its rules."""

import dataclasses
import enum
from typing import Any

from model.description import Dynamics, NeuronKind, Reset
from model.encoding import Encoding, NetworkError, encoding_from_json
from model.train.bisnn.rules import Rule
from model.train.fields import Fields, RecipeError, check, is_number, plain, take_tables
from model.train.tables import Augmentation

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
        fields = Fields(self, "neuron")
        fields.choice("kind", (NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE))
        fields.choice("reset", (Reset.SUBTRACT, Reset.ZERO))
        fields.positive("jump", "threshold")
        fields.whole("fraction_bits", low=0, high=8)
        fields.whole("membrane_shift", "synapse_shift", "refractory_shift", low=1, high=8)
        fields.whole("burn_in", low=0, high=65535)

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
        fields = Fields(self, "posterior")
        fields.choice("form", Form)
        fields.choice("estimator", Estimator)
        value = self.temperature
        check(is_number(value) and 0.3 <= value <= 1, "Posterior temperature", "in 0.3..1", value)
        fields.not_negative("complexity")
        value = self.prior
        check(is_number(value) and 0 < value < 1, "Posterior prior", "in 0..1", value)
        fields.whole("draws", "members", low=1)
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
        fields.set("cuts", tuple(float(cut) for cut in cuts))


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
        fields = Fields(self)
        fields.choice("rule", Rule)
        fields.choice("variant", Variant)
        fields.choice("schedule", ("cosine", "halving"))
        fields.choice("surrogate", ("triangle", "box"))
        fields.sizes("hidden")
        fields.whole("epochs", "batch_size", low=1)
        fields.whole("seed", low=0)
        fields.text("name", "data")
        fields.flag("normalise")
        fields.positive("learning_rate", "initial", "surrogate_width")
        fields.shares("label_smoothing", "plain_tail", "momentum", "input_drop")
        fields.not_negative("limit", "threshold_rate")
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
        values: dict[str, Any] = plain(
            {**dataclasses.asdict(self), "encoding": self.encoding.to_json()}
        )
        return values

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
        fields = take_tables(cls, fields, _TABLES)
        table = fields.get("encoding", {})
        check(isinstance(table, dict) and "kind" in table, "Encoding", "a table with a kind", table)
        known = ("latency", "rate", "events")
        check(table["kind"] in known, "Encoding", f"one of {', '.join(known)}", table["kind"])
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


_TABLES = {"neuron": Neuron, "posterior": Posterior, "augmentation": Augmentation}
