# SPDX-License-Identifier: Apache-2.0
"""Recipe files: every shipped one loads, and each mistake is named."""

from pathlib import Path
from typing import Any

import pytest

from model.description import Readout
from model.train import RecipeError, TrainConfig, even_levels, load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_loads_and_round_trips(name: str) -> None:
    config = load_recipe(name)
    assert config.name == name
    assert type(config).from_dict(config.to_dict()) == config
    if isinstance(config, TrainConfig):
        assert not config.start or config.start in recipe_names()


def test_changes_replace_keys_of_the_file() -> None:
    config = load_recipe("bs4nn", epochs=3, hidden=[7, 5], readout="summed-potential")
    assert (config.epochs, config.hidden) == (3, (7, 5))
    assert config.readout is Readout.SUMMED_POTENTIAL
    assert load_recipe("bs4nn", steps=8, cut=64).levels == even_levels(8, 64)
    assert load_recipe("bs4nn", steps=8).levels[-1] == load_recipe("bs4nn").levels[-1]


def test_even_levels() -> None:
    assert even_levels(4) == (192, 128, 64, 1)
    assert even_levels(2, 64) == (160, 64)
    levels = even_levels(256)
    assert len(levels) == 256
    assert (levels[0], levels[-1]) == (255, 1)
    with pytest.raises(RecipeError, match=r"Cut must be 1\.\.255, not 256"):
        even_levels(4, 256)
    with pytest.raises(RecipeError, match=r"Steps must be 1\.\.256, not 0"):
        even_levels(0)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"epoch": 3}, "Recipe key must be one of .*epochs.*, not 'epoch'"),
        ({"augmentation": {"spin": 1}}, "not 'augmentation.spin'"),
        ({"distillation": {"teacher": 1}}, "not 'distillation.teacher'"),
        ({"augmentation": 5}, "Augmentation must be a table, not 5"),
        ({"augmentation": {"shift": -1}}, "Augmentation shift must be >= 0"),
        ({"augmentation": {"contrast": 0.5}}, "Augmentation contrast must be >= 1, not 0.5"),
        ({"augmentation": {"flip": 1}}, "Augmentation flip must be true or false, not 1"),
        ({"distillation": {"weight": 2}}, "Distillation weight must be in 0..1, not 2"),
        ({"distillation": {"copies": 0}}, "Distillation copies must be an integer >= 1, not 0"),
        ({"hidden": []}, "Hidden must be one or more positive layer sizes"),
        ({"hidden": 600}, "Hidden must be a list, not 600"),
        ({"hidden": [1.5]}, "Hidden must be one or more positive layer sizes"),
        ({"levels": [1, 2]}, "Levels must never rise"),
        ({"levels": [9]}, "Levels must be 2..256 numbers"),
        ({"levels": ["a", "b"]}, "Levels must be integers"),
        ({"levels": [9, 8], "cut": 3}, "Levels must stand alone"),
        ({"steps": 2.5}, "Steps must be an integer, not 2.5"),
        ({"readout": "loudest"}, "Readout must be one of .*first-spike.*, not 'loudest'"),
        ({"epochs": 0}, "Epochs must be an integer >= 1, not 0"),
        ({"seed": True}, "Seed must be an integer >= 0, not True"),
        ({"learning_rate": 0}, "Learning rate must be > 0, not 0"),
        ({"learning_rate": "fast"}, "Learning rate must be > 0, not 'fast'"),
        ({"plain_tail": 1.5}, "Plain tail must be in 0..1, not 1.5"),
        ({"initial_threshold": "x"}, "Initial threshold must be a number, not 'x'"),
        ({"data": 3}, "Data must be text, not 3"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        TrainConfig.from_dict(fields)


def test_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epoch = 3\n")
    with pytest.raises(RecipeError, match=r"mine\.toml: Recipe key must be one of .* not 'epoch'"):
        load_recipe(path)
    path.write_text("epochs = \n")
    with pytest.raises(RecipeError, match=r"mine\.toml must be TOML"):
        load_recipe(path)
    with pytest.raises(RecipeError, match=r"none\.toml cannot be read"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match=r"Recipe must be a \.toml file or one of .*bs4nn, "):
        load_recipe("none")


def test_own_file_is_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("hidden = [3]\nsteps = 2\n")
    config = load_recipe(path)
    assert (config.name, config.hidden, config.levels) == ("mine", (3,), (128, 1))
