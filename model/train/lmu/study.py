# SPDX-License-Identifier: Apache-2.0
"""Studies of the parallel LMU: accuracy against gain, held-out speakers, activity.

``python -m model.train.lmu.study gain`` writes ``model/results/lmu/gain.json`` and
``docs/figures/lmu-gain.{png,svg}``; ``speakers`` writes ``model/results/lmu-fsdd.json``;
``activity`` measures the shipped networks. Each file is rewritten after every training, and a
study that was killed goes on where it was.
"""

import argparse
import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import torch

from model import zoo
from model.data import open_dataset
from model.data.speech import SPEAKERS
from model.description import Network
from model.evaluate import evaluate
from model.figures import draw_gains
from model.lmu_activity import activity
from model.lmu_tables import SHIPPED
from model.memory_trains import memory_trains
from model.studies import RESULTS, Study, load_study
from model.train.lmu.config import LmuConfig
from model.train.lmu.loop import train_parallel
from model.train.recipe import load_recipe

__all__ = ["GAINS", "gain_study", "main", "measure_activity", "speaker_study"]

#: Final gains of the accuracy/gain curve: levels for each deviation of a neuron's input.
GAINS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

_FIGURES = Path(__file__).resolve().parents[3] / "docs" / "figures"


def gain_study(
    path: Path,
    *,
    data_dir: str | None,
    work: Path,
    recipe: str = "lmu-psmnist-256",
    hidden: int = 256,
    epochs: int = 12,
) -> dict[str, Any]:
    """Train one network for each gain, and measure accuracy and activity on validation samples.

    Parameters
    ----------
    path
        JSON file.
    data_dir
        Folder of data files.
    work
        Folder that keeps the memory's states between trainings.
    recipe, hidden, epochs
        What is trained: the recipe with one smaller hidden layer and fewer epochs.
    """
    study: dict[str, Any] = {"recipe": recipe, "hidden": hidden, "epochs": epochs, "runs": []}
    if path.exists():
        study = json.loads(path.read_text(encoding="utf-8"))
    done = {run["gain"] for run in study["runs"]}
    for gain in GAINS:
        if gain in done:
            continue
        config = load_recipe(recipe, hidden=[hidden], epochs=epochs)
        assert isinstance(config, LmuConfig)
        # Four deviations fit into an emission.
        bits = min(6, max(1, math.ceil(math.log2(4 * gain))))
        table = dataclasses.replace(config.quantiser, levels=gain, emission_bits=bits)
        config = dataclasses.replace(config, quantiser=table)
        dataset = open_dataset(config.data, data_dir=data_dir)
        held_out = dataset.part("validation")
        for kept in ("checkpoint.pt", "network.safetensors"):
            (work / kept).unlink(missing_ok=True)
        result = train_parallel(
            config=config,
            samples=dataset.part("train"),
            validation=held_out,
            directory=work,
        )
        assert isinstance(result.network, Network)
        sent = memory_trains(result.network, held_out.images[:2000]).trains
        layers = [each.to_json() for each in activity(result.network, sent.to(torch.int8))]
        study["runs"].append(
            {
                "gain": gain,
                "emission_bits": bits,
                "validation_accuracy": result.validation_accuracy,
                "layers": layers,
            }
        )
        study["runs"].sort(key=lambda run: run["gain"])
        _write(path, study)
        print(f"gain {gain}: {100 * (result.validation_accuracy or 0):.2f} %", flush=True)
    return study


def speaker_study(path: Path, *, data_dir: str | None, command: str) -> Study:
    """Train the spoken digits with each speaker held out: binary network and float yardstick.

    Parameters
    ----------
    path
        JSON file.
    data_dir
        Folder of data files.
    command
        Kept in the file.
    """
    done: list[dict[str, Any]] = list(load_study(path).runs) if path.exists() else []

    def study() -> Study:
        return Study(
            task="spoken digits, speaker held out",
            data="fsdd:SPEAKER",
            runs_are="folds",
            command=command,
            notes="500 recordings of one speaker test a network trained on the other five.",
            runs=tuple(done),
        )

    for recipe, predictor in (("lmu-fsdd", "st"), ("lmu-fsdd-float", "full")):
        for speaker in SPEAKERS:
            if (recipe, speaker) in {(run["recipe"], run["run"]) for run in done}:
                continue
            config = load_recipe(recipe)
            assert isinstance(config, LmuConfig)
            dataset = open_dataset(f"fsdd:{speaker}", data_dir=data_dir)
            test = dataset.part("test")
            result = train_parallel(
                config=config,
                samples=dataset.part("train"),
                validation=dataset.part("validation"),
            )
            figures = dataclasses.asdict(evaluate(result.network, test.images, test.labels))
            done.append(
                {
                    "predictor": predictor,
                    "run": speaker,
                    "recipe": recipe,
                    **figures,
                    "samples": figures.pop("images"),
                    "validation_accuracy": result.validation_accuracy,
                }
            )
            study().save(path)
            print(f"{recipe}, {speaker}: {100 * figures['accuracy']:.2f} %", flush=True)
    return study()


def measure_activity(path: Path, *, data_dir: str | None) -> dict[str, Any]:
    """Activity of the shipped networks on their test parts."""
    measured: dict[str, Any] = {}
    for name in SHIPPED:
        if name not in zoo.names():
            continue
        network = zoo.load(name)
        test = open_dataset(network.metadata["data"], data_dir=data_dir).part("test")
        sent = memory_trains(network, test.images).trains
        layers = activity(network, sent.to(torch.int8))
        measured[name] = {"samples": len(test), "layers": [each.to_json() for each in layers]}
        _write(path, measured)
        print(name, flush=True)
    return measured


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run a study from the command line."""
    parser = argparse.ArgumentParser(description="Studies of the parallel LMU.")
    parser.add_argument("study", choices=("gain", "speakers", "activity"))
    parser.add_argument("--data-dir", default=os.environ.get("POPSPIKE_DATA"))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs") / "lmu-gain")
    arguments = parser.parse_args()
    data_dir = arguments.data_dir
    if arguments.study == "gain":
        path = arguments.output or RESULTS / "lmu" / "gain.json"
        study = gain_study(path, data_dir=data_dir, work=arguments.work)
        draw_gains(_FIGURES / "lmu-gain", study)
    elif arguments.study == "speakers":
        path = arguments.output or RESULTS / "lmu-fsdd.json"
        command = "python -m model.train.lmu.study speakers"
        speaker_study(path, data_dir=data_dir, command=command)
    else:
        path = arguments.output or RESULTS / "lmu" / "activity.json"
        measure_activity(path, data_dir=data_dir)


if __name__ == "__main__":
    main()
