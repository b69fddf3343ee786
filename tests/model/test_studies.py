# SPDX-License-Identifier: Apache-2.0
"""Studies: what they say in sum, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from model.studies import Study, StudyError, load_studies, load_study


def run(predictor: str, number: int, members: int = 1, **figures: Any) -> dict[str, Any]:
    return {
        "predictor": predictor,
        "run": number,
        "members": members,
        "samples": 100,
        "accuracy": 0.9,
        "ece": 0.02,
        "nll": 0.3,
        "auroc": 0.95,
        **figures,
    }


def study(*runs: dict[str, Any], **fields: Any) -> Study:
    wanted = {"task": "t", "data": "d:SEED", "runs_are": "seeds", "command": "c", "notes": ""}
    return Study(**{**wanted, **fields}, runs=runs)


def test_summary() -> None:
    rows = study(
        run("committee", 0, 8, accuracy=0.9, ece_votes=0.01),
        run("full", 0, accuracy=0.5),
        run("committee", 1, 8, accuracy=0.8, ece_votes=0.03),
        run("committee", 0, 4, ece_votes=0.03),
        run("st", 0, auroc=None),
    ).summary()
    assert [(row["predictor"], row["members"], row["runs"]) for row in rows] == [
        ("full", 1, 1), ("st", 1, 1), ("committee", 4, 1), ("committee", 8, 2),
    ]  # fmt: skip
    assert rows[0]["accuracy"] == (0.5, None)
    assert "ece_votes" not in rows[0]
    assert "auroc" not in rows[1]
    assert rows[3]["accuracy"] == (pytest.approx(0.85), pytest.approx(0.05 * 2**0.5))
    assert rows[3]["ece_votes"][0] == pytest.approx(0.02)
    assert rows[3]["samples"] == 200


def test_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    made = study(run("full", 0), run("st", 0))
    path = made.save(tmp_path / "deep" / "one.json")
    assert load_study(path) == made
    assert path.read_text().count("\n  {") == 2  # a run a line
    empty = study()
    assert load_study(empty.save(path)) == empty


def test_shipped_studies_load() -> None:
    for name, shipped in load_studies().items():
        assert name.startswith(("bisnn-", "lmu-"))
        assert shipped.runs
        assert shipped.command


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"runs_are": "days"}, "Runs must be seeds or folds, not 'days'"),
        ({"runs": [{**run("full", 0), "predictor": "best"}]},
         "Predictor of run 0 must be one of full, st, mode, single, committee, sampled, not "
         "'best'"),
        ({"runs": [{"predictor": "full", "run": 0, "members": 1}]}, "Run 0 has no field 'samples'"),
        ({"extra": 1}, "unexpected keyword argument 'extra'"),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    path = study(run("full", 0)).save(tmp_path / "one.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"Study {path}: ")
    assert str(caught.value).endswith(text)


def test_file_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("{")
    with pytest.raises(StudyError, match=r"one\.json: "):
        load_study(tmp_path / "one.json")
