# SPDX-License-Identifier: Apache-2.0
"""What the configurations of recipes check and convert their fields with."""

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Fields", "RecipeError", "check", "is_number", "plain", "take_tables"]


class RecipeError(ValueError):
    """A recipe that cannot be used; the text names the key and the rule."""


def check(condition: bool, noun: str, rule: str, value: object) -> None:
    """Raise a `RecipeError` "<noun> must be <rule>, not <value>" unless the condition holds."""
    if not condition:
        raise RecipeError(f"{noun} must be {rule}, not {value!r}")


def is_number(value: object) -> bool:
    """Whether a value is a finite int or float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class Fields:
    """Rules for the fields of one configuration, which raise `RecipeError` naming the field.

    Parameters
    ----------
    config
        The frozen dataclass, in its ``__post_init__``.
    table
        Name of its table in the recipe; empty for the recipe itself.
    """

    def __init__(self, config: object, table: str = "") -> None:
        self._config, self._table = config, table

    def noun(self, name: str) -> str:
        """Name of a field in words, with its table in front."""
        return f"{self._table} {name}".replace("_", " ").strip().capitalize()

    def set(self, name: str, value: object) -> None:
        """Replace a field by the form in which it is kept."""
        object.__setattr__(self._config, name, value)

    def choice(self, name: str, allowed: Sequence[str] | type[enum.StrEnum]) -> None:
        """One of some names; kept as the member of an enumeration where it is one."""
        value, members = getattr(self._config, name), list(allowed)
        check(value in members, self.noun(name), f"one of {', '.join(members)}", value)
        self.set(name, members[members.index(value)])

    def whole(self, *names: str, low: int, high: int | None = None) -> None:
        """Integers from ``low``, to ``high`` if given."""
        rule = f"an integer >= {low}" if high is None else f"an integer {low}..{high}"
        for name in names:
            value = getattr(self._config, name)
            fits = type(value) is int and low <= value and (high is None or value <= high)
            check(fits, self.noun(name), rule, value)

    def positive(self, *names: str) -> None:
        """Numbers above 0."""
        for name in names:
            value = getattr(self._config, name)
            check(is_number(value) and value > 0, self.noun(name), "> 0", value)

    def not_negative(self, *names: str) -> None:
        """Numbers from 0."""
        for name in names:
            value = getattr(self._config, name)
            check(is_number(value) and value >= 0, self.noun(name), ">= 0", value)

    def shares(self, *names: str) -> None:
        """Numbers from 0 to 1."""
        for name in names:
            value = getattr(self._config, name)
            check(is_number(value) and 0 <= value <= 1, self.noun(name), "in 0..1", value)

    def sizes(self, name: str) -> None:
        """Sizes of one or more layers; kept as a tuple."""
        sizes = getattr(self._config, name)
        fits = isinstance(sizes, list | tuple) and bool(sizes)
        fits = fits and all(type(size) is int and size > 0 for size in sizes)
        check(fits, self.noun(name), "one or more positive layer sizes", sizes)
        self.set(name, tuple(sizes))

    def text(self, *names: str) -> None:
        """Text."""
        for name in names:
            value = getattr(self._config, name)
            check(isinstance(value, str), self.noun(name), "text", value)

    def flag(self, name: str) -> None:
        """True or false."""
        value = getattr(self._config, name)
        check(isinstance(value, bool), self.noun(name), "true or false", value)


def take_tables(
    kind: type, fields: Mapping[str, Any], tables: Mapping[str, type]
) -> dict[str, Any]:
    """Keys of a recipe with its tables made into objects.

    Parameters
    ----------
    kind
        Dataclass of the recipe: its fields are the keys.
    fields
        Keys and values.
    tables
        Dataclass of each key that is a table.

    Raises
    ------
    RecipeError
        If a key is unknown, no table where one is wanted, or a table breaks its rules.
    """
    taken = dict(fields)
    _check_keys(kind, taken, "")
    for key, table in tables.items():
        value = taken.get(key, {})
        if not isinstance(value, table):
            check(isinstance(value, dict), key.capitalize(), "a table", value)
            _check_keys(table, value, f"{key}.")
            taken[key] = table(**value)
    return taken


def plain(value: Any) -> Any:
    """Return a value as JSON has it: tuples as lists, named values as text, at any depth."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, enum.StrEnum) else value


def _check_keys(kind: type, fields: Mapping[str, Any], prefix: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in fields:
        if key not in known:
            raise RecipeError(
                f"Recipe key must be one of {', '.join(prefix + name for name in known)}, "
                f"not {prefix + key!r}"
            )
