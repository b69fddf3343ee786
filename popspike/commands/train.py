# SPDX-License-Identifier: Apache-2.0
"""`popspike train`: from a recipe and a data set to a network file."""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import typer

from model.data import Dataset, Samples
from model.description import Network, Readout
from popspike.console import err, figures, print_json
from popspike.options import DataDirOption, JsonOption, find_dataset

if TYPE_CHECKING:
    from model.train import EpochRecord, TrainConfig
    from model.train.bisnn import BisnnConfig
    from model.train.lmu import HybridConfig, LmuConfig
    from model.yardstick import Yardstick

__all__ = ["train_network"]

ConfigT = TypeVar("ConfigT", "BisnnConfig", "HybridConfig", "LmuConfig", "TrainConfig")


def train_network(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="An installed recipe, bs4nn-paper, or the path of a .toml file."
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", help="Data set or .npz; default: the recipe's."),
    ] = None,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; default: runs/RECIPE."),
    ] = None,
    hidden: Annotated[
        list[int] | None,
        typer.Option(help="Neurons of a hidden layer; repeat the option for more layers."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Time steps T; of a bisnn recipe with a latency code: fixed.")
    ] = None,
    cut: Annotated[int | None, typer.Option(help="Lowest intensity that spikes, 1..255.")] = None,
    readout: Annotated[Readout | None, typer.Option(help="Decision rule.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Train a network, freeze it into bits and integers, score it.

    The folder of the run gets the network, a checkpoint after each epoch, a CSV log and a picture
    of the curves. The test part is scored once, at the end.

    Examples:  popspike train bs4nn-mnist-256

    popspike train bs4nn --dataset my.npz --hidden 200 --hidden 100 --steps 8 --cut 32

    popspike train bs4nn-paper --epochs 20 --resume

    popspike train bisnn-digits-committee --seed 1

    popspike train lmu-psmnist-256
    """
    from model.train.paper_loop import PAPER_RECIPE
    from model.train.run import save_frozen

    asked = {
        "hidden": tuple(hidden) if hidden else None,
        "steps": steps,
        "cut": cut,
        "readout": readout,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
    }
    changes = {key: value for key, value in asked.items() if value is not None}
    folder = output or Path("runs") / Path(recipe).stem
    source = _Source(dataset=dataset, data_dir=data_dir)
    facts = {"command": shlex.join(["popspike", "train", *sys.argv[2:]])}
    network: Network | Yardstick
    if recipe == PAPER_RECIPE:
        network = _train_paper(changes, source, folder, resume, facts)
    else:
        network = _train(recipe, changes, source, folder, device, resume, facts)
    scores = _score(network, source.opened.part("test"))
    metadata = {**network.metadata, **{f"test_{name}": value for name, value in scores.items()}}
    network = dataclasses.replace(network, metadata=metadata)
    save_frozen(network, folder / "network.safetensors")
    shown = {
        "network": str(folder / "network.safetensors"),
        "sizes": list(network.sizes),
        "steps": network.steps,
        "readout": str(getattr(network, "readout", "")),
        "validation_accuracy": network.metadata.get("validation_accuracy"),
        "test_images": scores["images"],
        "test_accuracy": scores["accuracy"],
        "test_accuracy_paper_rule": scores.get("accuracy_paper_rule"),
    }
    if json:
        print_json(shown)
        return
    figures(f"trained {recipe}", {name.replace("_", " "): v for name, v in shown.items()})


@dataclasses.dataclass(kw_only=True)
class _Source:
    """The data of a run, opened when the recipe's own data set is known."""

    dataset: str | None
    data_dir: Path | None

    def parts(self, default: str) -> tuple[Samples, Samples]:
        """Training and validation samples."""
        self.name = self.dataset or default
        self.opened: Dataset = find_dataset(self.name, data_dir=self.data_dir)
        return self.opened.part("train"), self.opened.part("validation")

    def read(self, default: str) -> tuple[np.ndarray, np.ndarray, int]:
        """Images and labels, validation last, and the number of validation images."""
        train, validation = self.parts(default)
        return (
            np.concatenate([train.images, validation.images]),
            np.concatenate([train.labels, validation.labels]),
            len(validation),
        )


def _train(
    recipe: str,
    changes: dict[str, Any],
    source: _Source,
    folder: Path,
    device: str,
    resume: bool,
    facts: dict[str, Any],
) -> "Network | Yardstick":
    from model.train import load_recipe, train
    from model.train.bisnn import BisnnConfig, train_bisnn
    from model.train.lmu import HybridConfig, LmuConfig, train_hybrid, train_parallel

    config = load_recipe(recipe, **changes)
    training, validation = source.parts(config.data)
    facts["data_split"] = f"{len(training)} training, {len(validation)} validation samples"
    facts.update(data=source.name, data_licence=source.opened.licence, seed=config.seed)
    common: dict[str, Any] = {
        "samples": training,
        "validation": validation,
        "directory": folder,
        "resume": resume,
        "metadata": facts,
        "on_epoch": _report,
    }
    if isinstance(config, BisnnConfig):
        return train_bisnn(config=_named(config, source), **common).network
    if isinstance(config, HybridConfig):
        return train_hybrid(config=_named(config, source), **common).network
    if isinstance(config, LmuConfig):
        config = _named(config, source)
        return train_parallel(config=config, on_message=_message, **common).network
    config = _fitted(_named(config, source), changes, training)
    return train(config=config, device=device, on_message=_message, **common).network


def _named(config: ConfigT, source: _Source) -> ConfigT:
    """The configuration with the data set that is used."""
    return dataclasses.replace(config, data=source.name)


def _message(text: str) -> None:
    """Report other work on stderr."""
    err.print(text, highlight=False)


def _report(record: "EpochRecord") -> None:
    """Report an epoch on stderr."""
    accuracy = record.validation_accuracy
    _note(
        record,
        f"loss {record.loss:.4f}"
        + ("" if accuracy is None else f", validation {100 * accuracy:.2f} %")
        + f", {record.seconds:.1f} s",
    )


def _note(record: "EpochRecord", text: str) -> None:
    width = len(str(record.epochs))
    err.print(f"epoch {record.epoch:>{width}}/{record.epochs}: {text}", highlight=False)


def _score(network: "Network | Yardstick", test: Samples) -> dict[str, Any]:
    """Figures on the test part; a drawn committee is measured with its recipe's size and seed 1."""
    from model.evaluate import evaluate
    from model.train.bisnn.measure import SAMPLED_SEED

    drawn: dict[str, Any] = {}
    if isinstance(network, Network) and network.is_sampled:
        drawn = {"members": network.metadata["recipe"]["posterior"]["members"]}
        drawn["seed"] = SAMPLED_SEED
    result = evaluate(network, test.images, test.labels, **drawn)
    return {**dataclasses.asdict(result), **({"seed": SAMPLED_SEED} if drawn else {})}


def _fitted(config: "TrainConfig", changes: dict[str, Any], training: Samples) -> "TrainConfig":
    """Fit what a recipe says to data that it was not made for, and say so."""
    from model.train import Augmentation

    flat = not isinstance(training.images, np.ndarray) or training.images.ndim != 3
    if config.augmentation.active and flat:
        err.print("note: samples have no height and width, so none is distorted")
        config = dataclasses.replace(config, augmentation=Augmentation())
    if len(training) < 4 * config.batch_size and "batch_size" not in changes:
        size = max(2, len(training) // 8)
        err.print(f"note: {len(training)} training samples, so a batch is {size}")
        config = dataclasses.replace(config, batch_size=min(size, config.batch_size))
    return config


def _train_paper(
    changes: dict[str, Any],
    source: _Source,
    folder: Path,
    resume: bool,
    facts: dict[str, Any],
) -> Network:
    from model.train.fields import RecipeError
    from model.train.paper_loop import PAPER_RECIPE, PaperEpoch, load_paper_recipe, train_paper

    sizes = changes.pop("hidden", None)
    if sizes is not None:
        if len(sizes) != 1:
            raise RecipeError(f"Hidden of {PAPER_RECIPE} must be one layer, not {len(sizes)}")
        changes["hidden"] = sizes[0]
    if fixed := sorted({"steps", "cut", "readout", "batch_size"} & changes.keys()):
        raise RecipeError(f"Recipe {PAPER_RECIPE} must keep its published {', '.join(fixed)}")
    config = load_paper_recipe(**changes)
    images, labels, validation = source.read(config.data)
    config = dataclasses.replace(config, data=source.name, validation=validation)
    facts.update(data=source.name, data_licence=source.opened.licence, seed=config.seed)

    def on_epoch(epoch: PaperEpoch) -> None:
        ours, paper = epoch.record.validation_accuracy, epoch.validation_paper_rule
        _note(
            epoch.record,
            f"training {100 * epoch.training_paper_rule:.2f} % (published rule), validation "
            f"{100 * (paper or 0):.2f} % (published rule), {100 * (ours or 0):.2f} % (ours), "
            f"{epoch.record.seconds:.0f} s",
        )

    network, _ = train_paper(
        config=config,
        images=images,
        labels=labels,
        directory=folder,
        resume=resume,
        metadata=facts,
        on_epoch=on_epoch,
    )
    return network
