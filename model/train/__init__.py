# SPDX-License-Identifier: Apache-2.0
"""Training: recipes as files, the loop, and freezing into an integer network."""

from model.train.config import TrainConfig, even_levels
from model.train.fields import RecipeError
from model.train.log import EpochRecord
from model.train.loop import train
from model.train.recipe import load_recipe, recipe_names
from model.train.run import TrainResult
from model.train.tables import Augmentation, Distillation

__all__ = [
    "Augmentation",
    "Distillation",
    "EpochRecord",
    "RecipeError",
    "TrainConfig",
    "TrainResult",
    "even_levels",
    "load_recipe",
    "recipe_names",
    "train",
]
