# SPDX-License-Identifier: Apache-2.0
"""The configuration of a run of the recipe family ``lmu-hybrid``: keys of a file, their rules."""

import dataclasses
import enum
from typing import Any

from model.legendre import MAX_ORDER, WIDTH_LIMITS
from model.train.fields import Fields, check, plain, take_tables

__all__ = ["HybridConfig", "HybridMemory", "HybridRule"]


class HybridRule(enum.StrEnum):
    """Learning rules of the recurrent form, by the name that a recipe gives them."""

    BINARY = "lmu-hybrid"
    FLOAT = "lmu-hybrid-float"


@dataclasses.dataclass(frozen=True, kw_only=True)
class HybridMemory:
    """The Legendre memory; see `model.legendre.LegendreMemory`. Its window is the series.

    Parameters
    ----------
    order, channels
        States of a channel, channels. The float form reads only these.
    coefficient_bits, fraction_bits, guard_bits
        Widths.
    spread
        Input of the memory that counts as 1, in root mean squares at the start. Also: root mean
        squares of a state at the start that reach the bound of what is sent.
    """

    order: int = 16
    channels: int = 4
    coefficient_bits: int = 8
    fraction_bits: int = 10
    guard_bits: int = 2
    spread: float = 2.5

    def __post_init__(self) -> None:
        fields = Fields(self, "memory")
        fields.whole("order", low=2, high=MAX_ORDER)
        fields.whole("channels", low=1, high=1024)
        for noun, (low, high) in WIDTH_LIMITS.items():
            fields.whole(noun, low=low, high=high)
        fields.positive("spread")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HybridConfig:
    """Everything that decides a training run of the family ``lmu-hybrid``, except the data.

    Parameters
    ----------
    name, data
        Name of the recipe; data set that it is meant for.
    rule
        ``lmu-hybrid``: binary weights, integers. ``lmu-hybrid-float``: its yardstick of the same
        sizes: float memory, float weights, tanh.
    bits
        b, 2..8: bits of what layers see of series, memory and hidden neurons.
    hidden
        Neurons of the one hidden layer.
    memory
        Table.
    encoder_shifts
        Left shifts (0..7) of what states, series and hidden neurons add to the memory's input.
    burn_in
        Steps whose hidden neurons do not count in the scores.
    start_gain
        Gain of quantisers, in units of the final one, that training begins with, >= 1.
    anneal
        Share of the steps, 0..1, over which the gain falls to 1, by the same factor each
        mini-batch. What follows is trained with the integers of the network to be.
    epochs, batch_size, seed
        Passes over the samples, samples a step, seed of everything random.
    learning_rate
        Peak rate of Adam for the weights; it warms up and falls as a cosine to 0.
    other_rate
        The same for everything that is no weight.
    initial
        Latent weights start uniform in +-initial; they stay within -1..1. Not of the float form.
    noise
        Deviation of the normal noise that is added to each value of a series in training, in
        units of the sample's bytes; a step of zeros (before a series begins) stays.
    dropout
        Share of hidden neurons that the scores leave out in training.
    label_smoothing
        Share of the target spread evenly over the classes.
    weight_decay
        Share of a float weight, at a rate of 1, that a step takes away.
    plain_tail
        Share of the epochs, at the end, that see no noise.
    """

    name: str = "custom"
    data: str = "vowels"
    rule: HybridRule = HybridRule.BINARY
    bits: int = 4
    hidden: tuple[int, ...] = (64,)
    memory: HybridMemory = dataclasses.field(default_factory=HybridMemory)
    encoder_shifts: tuple[int, int, int] = (0, 4, 0)
    burn_in: int = 0
    start_gain: float = 64.0
    anneal: float = 0.6
    epochs: int = 60
    batch_size: int = 54
    seed: int = 0
    learning_rate: float = 0.01
    other_rate: float = 0.01
    initial: float = 0.3
    noise: float = 16.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    plain_tail: float = 0.0

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.choice("rule", HybridRule)
        fields.text("name", "data")
        fields.whole("bits", low=2, high=8)
        fields.sizes("hidden")
        check(len(self.hidden) == 1, "Hidden", "one layer", self.hidden)
        fields.whole("epochs", low=1)
        fields.whole("batch_size", low=2)
        fields.whole("burn_in", "seed", low=0)
        fields.positive("learning_rate", "other_rate", "initial")
        fields.not_negative("noise", "weight_decay")
        fields.shares("anneal", "dropout", "label_smoothing", "plain_tail")
        check(self.dropout < 1, "Dropout", "below 1", self.dropout)
        fields.positive("start_gain")
        check(self.start_gain >= 1, "Start gain", "at least 1", self.start_gain)
        shifts = self.encoder_shifts
        fits = isinstance(shifts, list | tuple) and len(shifts) == 3
        fits = fits and all(type(shift) is int and 0 <= shift <= 7 for shift in shifts)
        check(fits, "Encoder shifts", "3 integers 0..7", shifts)
        fields.set("encoder_shifts", tuple(shifts))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, as `from_dict` takes them."""
        fields: dict[str, Any] = plain(dataclasses.asdict(self))
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "HybridConfig":
        """Make a configuration from the keys of a recipe.

        Raises
        ------
        RecipeError
            If a key is unknown or a value breaks its rule; the text names it.
        """
        return cls(**take_tables(cls, fields, {"memory": HybridMemory}))
