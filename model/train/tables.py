# SPDX-License-Identifier: Apache-2.0
"""The tables of a recipe: how images are distorted, and what a teacher adds."""

import dataclasses

from model.train.fields import Fields, check, is_number

__all__ = ["Augmentation", "Distillation"]


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
            fits = is_number(value) and 0 <= value < 180
            check(fits, f"Augmentation {name}", ">= 0 and < 180", value)
        contrast = self.contrast
        check(is_number(contrast) and contrast >= 1, "Augmentation contrast", ">= 1", contrast)
        Fields(self, "augmentation").flag("flip")

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
        fields = Fields(self, "distillation")
        fields.shares("weight")
        fields.not_negative("teacher_distortion")
        fields.whole("teacher_epochs", "copies", low=1)
