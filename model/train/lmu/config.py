# SPDX-License-Identifier: Apache-2.0
"""The configuration of a run of the recipe family ``lmu-parallel``: keys of a file, their rules."""

import dataclasses
import enum
from typing import Any

from model.encoding import MAX_STEPS
from model.legendre import MAX_ORDER, WIDTH_LIMITS
from model.train.fields import Fields, check, plain, take_tables

__all__ = ["Copies", "Ensemble", "LmuConfig", "LmuRule", "Memory", "Quantiser"]


class LmuRule(enum.StrEnum):
    """Learning rules of the parallel form, by the name that a recipe gives them."""

    BINARY = "lmu-parallel"
    FLOAT = "lmu-parallel-float"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
    """The Legendre memory and what it sends; see `model.legendre.LegendreMemory`.

    Parameters
    ----------
    order
        States of a channel; 0: 256 over all channels, but no more than half the window.
    window
        Length of the window; 0: that of the series.
    input_peak
        Input that counts as 1; 0: 256 without and 128 with a sign.
    coefficient_bits, fraction_bits, guard_bits, emission_bits, reads
        Widths; the float form reads none of them.
    spread
        Root mean squares of a state, over the training samples, that reach the bound of what is
        sent; the shift of each state is the nearest one.
    """

    order: int = 256
    window: int = 0
    input_peak: int = 0
    coefficient_bits: int = 8
    fraction_bits: int = 10
    guard_bits: int = 2
    emission_bits: int = 4
    reads: int = 4
    spread: float = 2.5

    def __post_init__(self) -> None:
        fields = Fields(self, "memory")
        fields.whole("order", low=0, high=MAX_ORDER)
        check(self.order != 1, "Memory order", "0, or 2 and more", self.order)
        fields.whole("window", "input_peak", low=0, high=MAX_STEPS)
        for noun, (low, high) in WIDTH_LIMITS.items():
            fields.whole(noun, low=low, high=high)
        fields.whole("emission_bits", low=2, high=8)
        fields.whole("reads", low=1, high=64)
        fields.positive("spread")
        alone = self.reads & (self.reads - 1) == 0
        check(alone, "Memory reads", "a power of two", self.reads)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quantiser:
    """The diffused quantisers of the hidden layers.

    Parameters
    ----------
    emission_bits
        b, 1..6: a neuron emits 0 .. 2^b - 1 a read.
    levels
        Gain that training ends with, > 0: levels for each deviation of a neuron's input, before
        the layer's own gamma and the rounding to a power of two.
    start_levels
        Gain that it begins with: hardly a quantiser at all.
    anneal
        Share of the steps, 0..1, over which the gain falls, by the same factor each mini-batch.
    exact
        Share of the steps, 0..1, at the end, that run every read in the integers of the network
        to be; before, one pass stands for all reads.
    rate_weight, rate_low, rate_high
        Weight of a penalty on the mean integers of a read that lie outside low..high, squared.
    """

    emission_bits: int = 4
    levels: float = 4.0
    start_levels: float = 256.0
    anneal: float = 0.7
    exact: float = 0.1
    rate_weight: float = 0.0
    rate_low: float = 0.0
    rate_high: float = 15.0

    def __post_init__(self) -> None:
        fields = Fields(self, "quantiser")
        fields.whole("emission_bits", low=1, high=6)
        fields.positive("levels", "start_levels")
        fields.not_negative("rate_weight", "rate_low", "rate_high")
        fields.shares("anneal", "exact")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Teachers: float networks behind the same memory, whose mean probabilities are learned.

    Parameters
    ----------
    weight
        Share of the teachers in the target, 0..1; 0 means none.
    members, hidden, epochs
        Networks, their hidden layers, passes over the training samples.
    dropout, input_dropout
        Shares that are left out of hidden neurons and states.
    temperature
        Their logits are divided by it, and so are those that learn from them.
    """

    weight: float = 0.0
    members: int = 3
    hidden: tuple[int, ...] = (1024, 1024)
    epochs: int = 30
    dropout: float = 0.4
    input_dropout: float = 0.1
    temperature: float = 2.0

    def __post_init__(self) -> None:
        fields = Fields(self, "ensemble")
        fields.sizes("hidden")
        fields.whole("members", "epochs", low=1)
        fields.shares("weight", "dropout", "input_dropout")
        fields.positive("temperature")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copies:
    """Altered copies of the training series, made once; see `model.train.lmu.copies`.

    Parameters
    ----------
    count
        Copies of each series beside itself; 0: none.
    shift
        Most steps by which a copy is moved, either way.
    stretch
        Most that its length changes, as a share of it, 0..1.
    noise
        Deviation of the normal noise on each value.
    """

    count: int = 0
    shift: int = 0
    stretch: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        fields = Fields(self, "copies")
        fields.whole("count", "shift", low=0)
        fields.shares("stretch")
        check(self.stretch < 1, "Copies stretch", "below 1", self.stretch)
        fields.not_negative("noise")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LmuConfig:
    """Everything that decides a training run of the family ``lmu-parallel``, except the data.

    Parameters
    ----------
    name, data
        Name of the recipe; data set that it is meant for.
    rule
        ``lmu-parallel``: binary weights, integers. ``lmu-parallel-float``: its yardstick, float
        memory (zero-order hold), float weights, ReLU.
    hidden
        Neurons of each hidden layer.
    memory, quantiser, ensemble, copies
        Tables.
    epochs, batch_size, seed
        Passes over the samples, samples a step, seed of everything random.
    learning_rate
        Peak rate of Adam for the weights; it warms up over 200 steps and falls as a cosine to 0.
    other_rate
        The same for everything that is no weight.
    initial
        Latent weights start uniform in +-initial; they stay within -1..1.
    dropout, input_dropout
        Shares of hidden neurons and of states that training leaves out.
    label_smoothing
        Share of the target spread evenly over the classes.
    weight_decay
        Of the float form.
    """

    name: str = "custom"
    data: str = "psmnist"
    rule: LmuRule = LmuRule.BINARY
    hidden: tuple[int, ...] = (512,)
    memory: Memory = dataclasses.field(default_factory=Memory)
    quantiser: Quantiser = dataclasses.field(default_factory=Quantiser)
    ensemble: Ensemble = dataclasses.field(default_factory=Ensemble)
    copies: Copies = dataclasses.field(default_factory=Copies)
    epochs: int = 60
    batch_size: int = 250
    seed: int = 0
    learning_rate: float = 4e-3
    other_rate: float = 4e-3
    initial: float = 0.1
    dropout: float = 0.1
    input_dropout: float = 0.0
    label_smoothing: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.choice("rule", LmuRule)
        fields.sizes("hidden")
        fields.whole("epochs", low=1)
        fields.whole("batch_size", low=2)
        fields.whole("seed", low=0)
        fields.text("name", "data")
        fields.positive("learning_rate", "other_rate", "initial")
        fields.shares("dropout", "input_dropout", "label_smoothing", "weight_decay")

    @property
    def plain_tail(self) -> float:
        """Share of the epochs that see undistorted samples: all."""
        return 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, as `from_dict` takes them."""
        fields: dict[str, Any] = plain(dataclasses.asdict(self))
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "LmuConfig":
        """Make a configuration from the keys of a recipe.

        Raises
        ------
        RecipeError
            If a key is unknown or a value breaks its rule; the text names it.
        """
        tables = {
            "memory": Memory,
            "quantiser": Quantiser,
            "ensemble": Ensemble,
            "copies": Copies,
        }
        return cls(**take_tables(cls, fields, tables))
