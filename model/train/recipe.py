# SPDX-License-Identifier: Apache-2.0
"""Recipe files: TOML, found by name among the installed ones or by path."""

import os
import tomllib
from pathlib import Path
from typing import Any

from model.train.bisnn.config import BisnnConfig
from model.train.bisnn.rules import Rule
from model.train.config import TrainConfig
from model.train.fields import RecipeError, check
from model.train.lmu.config import LmuConfig, LmuRule
from model.train.lmu.hybrid_config import HybridConfig, HybridRule

__all__ = ["RECIPES", "AnyConfig", "load_recipe", "recipe_names"]

#: Configuration of any recipe.
AnyConfig = TrainConfig | BisnnConfig | LmuConfig | HybridConfig

#: Folder of the recipes that are installed with the package.
RECIPES = Path(__file__).resolve().parent.parent / "recipes"


def recipe_names() -> list[str]:
    """Names of the recipes that are installed with the package, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str | os.PathLike[str], **changes: Any) -> AnyConfig:
    """Read a recipe: the key ``rule`` names its family, and one without is of ``bs4nn``.

    Parameters
    ----------
    name
        Name of an installed recipe, or the path of a TOML file.
    **changes
        Keys that replace those of the file.

    Raises
    ------
    RecipeError
        If there is no such recipe, it is not TOML, or a key or value is wrong.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = RECIPES / f"{name}.toml"
        if not path.is_file():
            raise RecipeError(
                f"Recipe must be a .toml file or one of {', '.join(recipe_names())}, "
                f"not {str(name)!r}"
            )
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"Recipe {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"Recipe {path} must be TOML: {error}") from None
    fields.setdefault("name", path.stem)
    rule = fields.get("rule")
    if rule is not None:
        pass  # levels, if any, stand in the table of the encoding
    elif "levels" in changes:
        for key in ("steps", "cut"):
            fields.pop(key, None)
    elif "steps" in changes or "cut" in changes:
        levels = fields.pop("levels", None)
        if levels:
            fields.setdefault("steps", len(levels))
            fields.setdefault("cut", levels[-1])
    fields.update(changes)
    try:
        return _family(rule).from_dict(fields)
    except RecipeError as error:
        raise RecipeError(f"Recipe {path}: {error}") from None


_FAMILIES: dict[str, type[AnyConfig]] = {
    **dict.fromkeys(Rule, BisnnConfig),
    **dict.fromkeys(LmuRule, LmuConfig),
    **dict.fromkeys(HybridRule, HybridConfig),
}


def _family(rule: Any) -> type[AnyConfig]:
    """Family of a rule, None for a recipe without one."""
    if rule is None:
        return TrainConfig
    check(rule in list(_FAMILIES), "Rule", f"one of {', '.join(_FAMILIES)}", rule)
    return _FAMILIES[rule]
