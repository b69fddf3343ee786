# SPDX-License-Identifier: Apache-2.0
"""The tables of a recipe: how images are distorted, and what a teacher adds."""

import dataclasses
import math

__all__ = ["Augmentation", "Distillation", "RecipeError", "check", "is_number"]


class RecipeError(ValueError):
    """A recipe that cannot be used; the text names the key and the rule."""


def check(condition: bool, noun: str, rule: str, value: object) -> None:
    """Raise a `RecipeError` "<noun> must be <rule>, not <value>" unless the condition holds."""
    if not condition:
        raise RecipeError(f"{noun} must be {rule}, not {value!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random distortions of the training images; the defaults distort nothing.

    Parameters
    ----------
    rotation
        Largest rotation, degrees.
    shift
        Largest shift along each axis, pixels; by whole pixels where nothing else distorts.
    scale
        Largest relative change of size along each axis, and largest shear.
    elastic
        Standard deviation of a smooth random displacement (5 x 5 knots), pixels.
    contrast
        Factor by which grey levels are stretched away from the middle after resampling, >= 1.
        Resampling blurs edges; for MNIST 1.5 gives each level back the number of pixels it has
        in undistorted images.
    flip
        Mirror half of the images left to right.
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    contrast: float = 1.0
    flip: bool = False

    def __post_init__(self) -> None:
        for name in ("rotation", "shift", "scale", "elastic"):
            value = getattr(self, name)
            check(is_number(value) and 0 <= value < 180, f"Augmentation {name}", ">= 0", value)
        contrast = self.contrast
        check(is_number(contrast) and contrast >= 1, "Augmentation contrast", ">= 1", contrast)
        check(isinstance(self.flip, bool), "Augmentation flip", "true or false", self.flip)

    @property
    def active(self) -> bool:
        """Whether any distortion is switched on."""
        return self != Augmentation()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distillation:
    """Learning from a convolutional teacher's probabilities; see `model.train.teacher`.

    Parameters
    ----------
    weight
        Share of the teacher in the target, 0..1; 0 means no teacher.
    teacher_epochs
        Passes over the training images that train the teacher.
    teacher_distortion
        How many times farther the teacher's images are distorted than the network's.
    copies
        Distorted copies of the training images that the teacher labels once and the network then
        draws from.
    """

    weight: float = 0.0
    teacher_epochs: int = 14
    teacher_distortion: float = 2.0
    copies: int = 10

    def __post_init__(self) -> None:
        weight, distortion = self.weight, self.teacher_distortion
        check(is_number(weight) and 0 <= weight <= 1, "Distillation weight", "in 0..1", weight)
        check(
            is_number(distortion) and distortion >= 0,
            "Distillation teacher distortion",
            ">= 0",
            distortion,
        )
        for name in ("teacher_epochs", "copies"):
            value = getattr(self, name)
            noun = f"Distillation {name.replace('_', ' ')}"
            check(type(value) is int and value >= 1, noun, "an integer >= 1", value)


def is_number(value: object) -> bool:
    """Whether a value is a finite int or float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
