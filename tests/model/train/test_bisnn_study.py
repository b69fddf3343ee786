# SPDX-License-Identifier: Apache-2.0
"""Studies: every predictor of a task, measured in integers, and gone on with after a kill."""

import dataclasses
from pathlib import Path

import pytest

from model.studies import load_study
from model.train.bisnn import BisnnConfig, study
from model.train.recipe import load_recipe


def test_measures_every_predictor_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[tuple[str, int]] = []

    def quick(name: str, **changes: int) -> BisnnConfig:
        names.append((name, changes["seed"]))
        config = load_recipe(name, hidden=[8], epochs=1, **changes)
        assert isinstance(config, BisnnConfig)
        return config

    monkeypatch.setattr(study, "load_recipe", quick)
    plan = dataclasses.replace(study.STUDIES["digits"], runs=1, members=(1, 3))
    path = tmp_path / "digits.json"
    done = study.run_study(dataclasses.replace(plan, recipes=plan.recipes[:1]), path, command="x")
    assert [(run["predictor"], run["members"]) for run in done.runs] == [
        ("mode", 1),
        ("single", 1),
        ("committee", 3),
        ("sampled", 8),
    ]
    study.run_study(plan, path, command="x")
    assert [name for name, _ in names] == list(plan.recipes)  # the first is not trained again
    kept = load_study(path)
    assert [run["predictor"] for run in kept.runs][4:] == ["st", "full"]
    assert all(run["samples"] == 500 for run in kept.runs)
    # one member drawn is not the mode
    assert kept.runs[0]["nll"] != kept.runs[1]["nll"]


@pytest.mark.parametrize("name", sorted(study.STUDIES))
def test_recipes_of_a_study_have_one_shape(name: str) -> None:
    recipes = [load_recipe(recipe) for recipe in study.STUDIES[name].recipes]
    assert all(isinstance(recipe, BisnnConfig) for recipe in recipes)
    shapes = {
        (recipe.hidden, recipe.encoding, recipe.neuron)
        for recipe in recipes
        if isinstance(recipe, BisnnConfig)
    }
    assert len(shapes) == 1
