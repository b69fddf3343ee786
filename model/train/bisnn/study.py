# SPDX-License-Identifier: Apache-2.0
"""Studies over seeds or folds: all predictors of a task side by side, on test parts.

``python -m model.train.bisnn.study moons`` trains the task's three recipes for each run and writes
``model/results/bisnn-moons.json`` after each training; a killed study goes on where it was.
"""

import argparse
import dataclasses
import os
import shlex
from pathlib import Path
from typing import Any

from model.data import Samples, open_dataset
from model.description import Network
from model.evaluate import evaluate
from model.predictions import StepwiseEvaluation
from model.studies import RESULTS, Study, load_study
from model.train.bisnn.config import BisnnConfig, Form
from model.train.bisnn.freeze import freeze, freeze_floats
from model.train.bisnn.inputs import Inputs
from model.train.bisnn.loop import train_bisnn
from model.train.bisnn.measure import (
    SAMPLED_SEED,
    accuracy_of,
    fitted_inverse_temperature,
    member_scores,
)
from model.train.bisnn.network import SpikingStack
from model.train.bisnn.rules import Rule
from model.train.recipe import load_recipe
from model.yardstick import Yardstick

__all__ = ["STUDIES", "Plan", "main", "run_study"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study trains.

    Parameters
    ----------
    task
        In words.
    data
        Data set; a run's number behind a colon names its seed or fold.
    runs_are
        ``seeds`` or ``folds``.
    runs
        Number of runs.
    recipes
        Recipe of the posterior, straight-through, full precision; all of one shape.
    members
        Sizes of the committees that are measured.
    notes
        What a reader must know.
    """

    task: str
    data: str
    runs_are: str
    runs: int
    recipes: tuple[str, ...]
    members: tuple[int, ...] = (8,)
    notes: str = ""


#: Studies by name.
STUDIES = {
    "moons": Plan(
        task="two moons",
        data="moons",
        runs_are="seeds",
        runs=5,
        recipes=("bisnn-moons-committee", "bisnn-moons-st", "bisnn-moons-full"),
        members=(1, 2, 4, 8, 16),
        notes="200 training points, 200 for validation, 1,000 fresh ones for the test, each seed.",
    ),
    "digits": Plan(
        task="8x8 digits",
        data="digits",
        runs_are="seeds",
        runs=5,
        recipes=("bisnn-digits-committee", "bisnn-digits-st", "bisnn-digits-full"),
        members=(1, 2, 4, 8, 16),
        notes="1,000 training digits, 297 for validation, 500 for the test, shuffled by the seed.",
    ),
    "nmnist": Plan(
        task="N-MNIST, 1,100 samples",
        data="n-mnist-1k",
        runs_are="folds",
        runs=11,
        recipes=("bisnn-nmnist", "bisnn-nmnist-full", "bisnn-nmnist-st"),
        notes="1,000 + 100 samples pooled; fold f tests every eleventh, a fifth of the others "
        "is for validation.",
    ),
}


def run_study(plan: Plan, path: Path, *, data_dir: str | None = None, command: str = "") -> Study:
    """Train and measure whatever a study file does not hold yet.

    Parameters
    ----------
    plan
        The study.
    path
        Its JSON file, rewritten after each training.
    data_dir
        Folder of data files.
    command
        Kept in the file.
    """
    done: list[dict[str, Any]] = list(load_study(path).runs) if path.exists() else []
    finished = {(run["recipe"], run["run"]) for run in done}

    def study() -> Study:
        return Study(
            task=plan.task,
            data=f"{plan.data}:{'SEED' if plan.runs_are == 'seeds' else 'FOLD'}",
            runs_are=plan.runs_are,
            command=command,
            notes=plan.notes,
            runs=tuple(done),
        )

    for name in plan.recipes:
        for number in range(plan.runs):
            if (name, number) in finished:
                continue
            seed = {"seed": number} if plan.runs_are == "seeds" else {}
            config = load_recipe(name, **seed)
            assert isinstance(config, BisnnConfig)
            dataset = open_dataset(f"{plan.data}:{number}", data_dir=data_dir)
            held_out = dataset.part("validation")
            trained = train_bisnn(config=config, samples=dataset.part("train")).trained
            for row in measure(trained, held_out, dataset.part("test"), plan.members):
                done.append({**row, "run": number, "recipe": name})
            study().save(path)
    return study()


def measure(
    network: SpikingStack, validation: Samples, test: Samples, members: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Figures of everything that a trained network can be frozen into, on the test part."""
    held_out = Inputs.of(network.config, validation, network.sizes[-1])
    rule = network.config.rule
    if rule is Rule.FULL_PRECISION:
        forms: list[tuple[str, int, Network | Yardstick]] = [("full", 1, freeze_floats(network))]
    elif rule is Rule.STRAIGHT_THROUGH:
        forms = [("st", 1, freeze(network))]
    else:
        forms = [("mode", 1, freeze(network, form=Form.MODE))]
        for count in members:
            committee = freeze(network, form=Form.COMMITTEE, members=count)
            forms.append(("single" if count == 1 else "committee", count, committee))
        forms.append(("sampled", max(8, *members), freeze(network, form=Form.SAMPLED)))
    scale = float(network.log_scale.detach().exp())
    rows = []
    for predictor, count, frozen in forms:
        scores = member_scores(network, frozen, held_out, members=count)
        fitted = fitted_inverse_temperature(scores, held_out)
        frozen = dataclasses.replace(
            frozen, inverse_temperature=fitted, metadata={"training_scale": scale}
        )
        drawn: dict[str, Any] = {}
        if predictor == "sampled":
            drawn = {"members": count, "seed": SAMPLED_SEED}
        result = evaluate(frozen, test.images, test.labels, **drawn)
        assert isinstance(result, StepwiseEvaluation)
        figures = dataclasses.asdict(result)
        samples = figures.pop("images")
        rows.append(
            {
                "predictor": predictor,
                **figures,
                "samples": samples,
                "members": count,
                "validation_accuracy": accuracy_of(scores, held_out),
            }
        )
    return rows


def main() -> None:
    """Run a study from the command line."""
    parser = argparse.ArgumentParser(description="Train and measure all predictors of a task.")
    parser.add_argument("study", choices=sorted(STUDIES))
    parser.add_argument("--data-dir", default=os.environ.get("POPSPIKE_DATA"))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    path = arguments.output or RESULTS / f"bisnn-{arguments.study}.json"
    command = shlex.join(["python", "-m", "model.train.bisnn.study", arguments.study])
    study = run_study(STUDIES[arguments.study], path, data_dir=arguments.data_dir, command=command)
    for row in study.summary():
        shown = {
            name: f"{value[0]:.4f} +- {value[1] or 0:.4f}"
            for name, value in row.items()
            if isinstance(value, tuple)
        }
        print(row["predictor"], row["members"], row["runs"], shown)


if __name__ == "__main__":
    main()
