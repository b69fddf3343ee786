# SPDX-License-Identifier: Apache-2.0
"""Studies: the figures of one task over several seeds or folds, kept as JSON. Torch-free.

A study file is one JSON object with the fields of `Study`; a run is an object with ``predictor``
(see `PREDICTORS`), ``run`` (seed or fold), ``members``, ``samples`` (of the test part) and the
figures of `model.predictions.StepwiseEvaluation` by their names, of which ``accuracy``, ``ece``,
``nll`` and ``auroc`` must be there.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FIGURES", "PREDICTORS", "RESULTS", "Study", "StudyError", "load_studies", "load_study"]

#: Folder of the studies that ship with the package.
RESULTS = Path(__file__).resolve().parent / "results"

#: Who predicts, in the order of tables: name in files and in words.
PREDICTORS = {
    "full": "full precision",
    "st": "straight-through",
    "mode": "Bayes, mode",
    "single": "Bayes, one member",
    "committee": "Bayes, committee",
    "sampled": "Bayes, drawn members",
}

#: Figures that tables show: mean and deviation over the runs. False: a run may lack it.
FIGURES = {
    "accuracy": True,
    "ece": True,
    "ece_untempered": False,
    "ece_votes": False,
    "nll": True,
    "auroc": True,
}

_RUN_FIELDS = ("predictor", "run", "members", "samples")


class StudyError(ValueError):
    """A study that breaks a rule; the text names the file, the run and the field."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """Figures of one task.

    Parameters
    ----------
    task
        In words, for example ``two moons``.
    data
        Data set, with what the number behind its name was, for example ``moons:SEED``.
    runs_are
        ``seeds`` or ``folds``.
    command
        What made the file.
    notes
        What a reader must know: shapes, what was chosen on which samples.
    runs
        One object for each predictor and run.
    """

    task: str
    data: str
    runs_are: str
    command: str
    notes: str
    runs: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", tuple(self.runs))
        if self.runs_are not in ("seeds", "folds"):
            raise StudyError(f"Runs must be seeds or folds, not {self.runs_are!r}")
        for index, run in enumerate(self.runs):
            needed = [*_RUN_FIELDS, *(name for name, must in FIGURES.items() if must)]
            for field in needed:
                if field not in run:
                    raise StudyError(f"Run {index} has no field {field!r}")
            if run["predictor"] not in PREDICTORS:
                known = ", ".join(PREDICTORS)
                raise StudyError(
                    f"Predictor of run {index} must be one of {known}, not {run['predictor']!r}"
                )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the study, one run a line; returns the path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = dataclasses.asdict(self)
        lines = ",\n".join(f"  {json.dumps(run)}" for run in fields.pop("runs"))
        head = json.dumps(fields, indent=1).removesuffix("\n}")
        path.write_text(f'{head},\n "runs": [\n{lines}\n ]\n}}\n', encoding="utf-8")
        return path

    def summary(self) -> list[dict[str, Any]]:
        """Mean and sample deviation of each predictor and number of members, in table order.

        Returns
        -------
        list of dict
            ``predictor``, ``members``, ``runs``, ``samples`` (of all runs), and of each figure
            that every run has ``(mean, deviation)``; the deviation of one run is None.
        """
        rows = []
        kinds = sorted(
            {(run["predictor"], run["members"]) for run in self.runs},
            key=lambda kind: (list(PREDICTORS).index(kind[0]), kind[1]),
        )
        for predictor, members in kinds:
            runs = [
                run
                for run in self.runs
                if (run["predictor"], run["members"]) == (predictor, members)
            ]
            row: dict[str, Any] = {
                "predictor": predictor,
                "members": members,
                "runs": len(runs),
                "samples": sum(run["samples"] for run in runs),
            }
            for name in FIGURES:
                values = [run[name] for run in runs if run.get(name) is not None]
                if len(values) < len(runs):
                    continue
                deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
                row[name] = (float(np.mean(values)), deviation)
            rows.append(row)
        return rows


def load_study(path: str | os.PathLike[str]) -> Study:
    """Read a study.

    Raises
    ------
    StudyError
        Naming the file and what breaks a rule.
    """
    try:
        return Study(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (StudyError, TypeError, ValueError) as error:
        raise StudyError(f"Study {path}: {error}") from None


def load_studies() -> dict[str, Study]:
    """The studies that ship with the package, by the names of their files."""
    return {path.stem: load_study(path) for path in sorted(RESULTS.glob("*.json"))}
