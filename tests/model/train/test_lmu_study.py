# SPDX-License-Identifier: Apache-2.0
"""Studies of the parallel LMU: they measure what they train, and go on where they were."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.lmu_tables import lmu_tables
from model.train.lmu import study
from tests.model.train.test_lmu import waves

RECIPE = """
data = "{data}"
rule = "lmu-parallel"
batch_size = 30
learning_rate = 0.02

[memory]
order = 12
reads = 2
"""


def test_gain_study_trains_each_gain_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [waves(150, seed=1), waves(60, seed=2)]
    np.savez(
        tmp_path / "waves.npz",
        x=np.concatenate([part.images for part in parts]),
        y=np.concatenate([part.labels for part in parts]),
        split=np.repeat([0, 1], [150, 60]),
        zero=128,
    )
    recipe, path = tmp_path / "waves.toml", tmp_path / "results" / "gain.json"
    recipe.write_text(RECIPE.format(data=tmp_path / "waves.npz"))
    monkeypatch.setattr(study, "GAINS", (0.5, 4.0))
    arguments = {"data_dir": None, "work": tmp_path / "work", "recipe": str(recipe)}
    done = study.gain_study(path, hidden=8, epochs=2, **arguments)  # type: ignore[arg-type]
    few, many = done["runs"]
    assert (few["emission_bits"], many["emission_bits"]) == (1, 4)
    assert few["layers"][1]["set_bits"] < many["layers"][1]["set_bits"]
    assert [layer["layer"] for layer in few["layers"]] == ["memory", "hidden 0"]
    assert json.loads(path.read_text(encoding="utf-8")) == done

    def never(**_: object) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(study, "train_parallel", never)
    again = study.gain_study(path, hidden=8, epochs=2, **arguments)  # type: ignore[arg-type]
    assert again == done


def test_tables_have_a_cell_for_each_column() -> None:
    tables = lmu_tables()
    assert set(tables) == {"lmu", "lmu-speakers", "lmu-gain", "lmu-activity", "lmu-costs"}
    for columns, rows in tables.values():
        assert len(rows) >= 2
        assert all(len(row) == len(columns) for row in rows)
