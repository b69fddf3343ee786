# SPDX-License-Identifier: Apache-2.0
"""The configuration of a training run: what a recipe file may say, and its rules."""

import dataclasses
from typing import Any

from model.description import LatencyEncoding, NetworkError, Readout
from model.encoding import MAX_LEVELS
from model.train.tables import Augmentation, Distillation, RecipeError, check, is_number

__all__ = ["Augmentation", "Distillation", "RecipeError", "TrainConfig", "even_levels"]


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
        object.__setattr__(self, "hidden", tuple(self.hidden))
        whole = all(type(level) is int for level in self.levels)
        check(whole, "Levels", "integers", self.levels)
        try:
            levels = LatencyEncoding(levels=tuple(self.levels)).levels
            readout = Readout(self.readout)
        except (NetworkError, TypeError) as error:
            raise RecipeError(str(error)) from None
        except ValueError:
            known = ", ".join(Readout)
            raise RecipeError(f"Readout must be one of {known}, not {self.readout!r}") from None
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "readout", readout)
        check(2 <= len(levels) <= MAX_LEVELS, "Levels", f"2..{MAX_LEVELS} numbers", levels)
        check(
            bool(self.hidden) and all(type(size) is int and size > 0 for size in self.hidden),
            "Hidden",
            "one or more positive layer sizes",
            self.hidden,
        )
        for name, low in (("epochs", 1), ("batch_size", 2), ("seed", 0)):
            value = getattr(self, name)
            check(type(value) is int and value >= low, _noun(name), f"an integer >= {low}", value)
        for name in ("name", "data", "start"):
            value = getattr(self, name)
            check(isinstance(value, str), _noun(name), "text", value)
        for name in ("learning_rate", "initial_scale", "sharpness"):
            value = getattr(self, name)
            check(is_number(value) and value > 0, _noun(name), "> 0", value)
        for name in ("label_smoothing", "plain_tail", "step_loss"):
            value = getattr(self, name)
            check(is_number(value) and 0 <= value <= 1, _noun(name), "in 0..1", value)
        check(
            is_number(self.initial_threshold),
            "Initial threshold",
            "a number",
            self.initial_threshold,
        )

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return len(self.levels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values, as `from_dict` takes them."""
        fields = dataclasses.asdict(self)
        fields["hidden"] = list(self.hidden)
        fields["levels"] = list(self.levels)
        fields["readout"] = str(self.readout)
        return fields

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
        _known_keys(cls, fields, "")
        for key in ("hidden", "levels"):
            if key in fields:
                check(isinstance(fields[key], list | tuple), _noun(key), "a list", fields[key])
        for key, kind in (("augmentation", Augmentation), ("distillation", Distillation)):
            table = fields.get(key, {})
            if not isinstance(table, kind):
                check(isinstance(table, dict), _noun(key), "a table", table)
                _known_keys(kind, table, f"{key}.")
                fields[key] = kind(**table)
        return cls(**fields)


def _noun(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _known_keys(kind: type, fields: dict[str, Any], prefix: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in fields:
        if key not in known:
            raise RecipeError(
                f"Recipe key must be one of {', '.join(prefix + name for name in known)}, "
                f"not {prefix + key!r}"
            )
