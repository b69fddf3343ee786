# SPDX-License-Identifier: Apache-2.0
"""The configuration of a training run: what a recipe file may say, and its rules."""

import dataclasses
from typing import Any

from model.description import LatencyEncoding, NetworkError, Readout
from model.encoding import MAX_LEVELS
from model.train.fields import Fields, RecipeError, check, is_number, plain, take_tables
from model.train.tables import Augmentation, Distillation

__all__ = ["TrainConfig", "even_levels"]


def even_levels(steps: int, cut: int = 1) -> tuple[int, ...]:
    """Intensity levels at equal distances from white down to the cut.

    Parameters
    ----------
    steps
        Number of time steps T, 1..256.
    cut
        Lowest intensity that spikes, 1..255; it is the last level.

    Returns
    -------
    tuple of int
        T levels that never rise.

    Raises
    ------
    RecipeError
        If a number is out of range.
    """
    check(1 <= steps <= MAX_LEVELS, "Steps", f"1..{MAX_LEVELS}", steps)
    check(1 <= cut <= 255, "Cut", "1..255", cut)
    return tuple(cut + (256 - cut) * (steps - 1 - step) // steps for step in range(steps))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides a training run of the recipe family ``bs4nn``, except the data.

    Parameters
    ----------
    name
        Name of the recipe, kept in the network's metadata.
    data
        Data set the recipe is meant for (a name that `model.data` knows, or a path).
    hidden
        Neurons of each hidden layer, one or more layers.
    levels
        Intensity levels of the encoding, see `LatencyEncoding`; their number is T, 2..256.
    readout
        Decision rule that is trained for.
    epochs
        Passes over the training images.
    batch_size
        Images a step; an incomplete last batch of an epoch is left out.
    learning_rate
        Peak rate of Adam for the latent weights; it warms up over 200 steps and falls as a
        cosine to 0.
    seed
        Seed of initial weights, order, augmentation.
    label_smoothing
        Share of the target spread evenly over the classes.
    plain_tail
        Share of the epochs, at the end, that see undistorted images.
    initial_scale
        Latent weights start uniform in +-initial_scale.
    initial_threshold
        Start of the output thresholds, first-spike readout only. Too high and no output ever
        learns to fire.
    sharpness
        First-spike readout only: the chance that a step decides is taken as
        ``sigmoid(sharpness * (largest potential + 1/2))`` in the loss.
    step_loss
        Share of the loss that asks for the right class at every single step, whatever decides.
    start
        Name of a recipe that is run first, with the sizes, levels and seed of this one; training
        goes on from its weights (not from its output thresholds). Empty to start from chance.
    augmentation
        Distortions of the training images.
    distillation
        Learning from a teacher.
    """

    name: str = "custom"
    data: str = "mnist"
    hidden: tuple[int, ...] = (256,)
    levels: tuple[int, ...] = (192, 128, 64, 1)
    readout: Readout = Readout.FIRST_SPIKE
    epochs: int = 60
    batch_size: int = 256
    learning_rate: float = 4e-3
    seed: int = 0
    label_smoothing: float = 0.0
    plain_tail: float = 0.15
    initial_scale: float = 0.02
    initial_threshold: float = 6.0
    sharpness: float = 0.3
    step_loss: float = 0.0
    start: str = ""
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    distillation: Distillation = dataclasses.field(default_factory=Distillation)

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.sizes("hidden")
        whole = all(type(level) is int for level in self.levels)
        check(whole, "Levels", "integers", self.levels)
        try:
            levels = LatencyEncoding(levels=tuple(self.levels)).levels
        except (NetworkError, TypeError) as error:
            raise RecipeError(str(error)) from None
        fields.set("levels", levels)
        check(2 <= len(levels) <= MAX_LEVELS, "Levels", f"2..{MAX_LEVELS} numbers", levels)
        fields.choice("readout", Readout)
        fields.whole("epochs", low=1)
        fields.whole("batch_size", low=2)
        fields.whole("seed", low=0)
        fields.text("name", "data", "start")
        fields.positive("learning_rate", "initial_scale", "sharpness")
        fields.shares("label_smoothing", "plain_tail", "step_loss")
        start = self.initial_threshold
        check(is_number(start), "Initial threshold", "a number", start)

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return len(self.levels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, as `from_dict` takes them."""
        values: dict[str, Any] = plain(dataclasses.asdict(self))
        return values

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "TrainConfig":
        """Make a configuration from the keys of a recipe.

        ``steps`` and ``cut`` may stand in place of ``levels``, see `even_levels`.

        Raises
        ------
        RecipeError
            If a key is unknown or a value breaks its rule; the text names it.
        """
        fields = dict(fields)
        if "steps" in fields or "cut" in fields:
            if "levels" in fields:
                raise RecipeError("Levels must stand alone, not beside steps and cut")
            steps, cut = fields.pop("steps", 4), fields.pop("cut", 1)
            check(type(steps) is int, "Steps", "an integer", steps)
            check(type(cut) is int, "Cut", "an integer", cut)
            fields["levels"] = even_levels(steps, cut)
        for key in ("hidden", "levels"):
            if key in fields:
                check(
                    isinstance(fields[key], list | tuple), key.capitalize(), "a list", fields[key]
                )
        tables = {"augmentation": Augmentation, "distillation": Distillation}
        return cls(**take_tables(cls, fields, tables))
