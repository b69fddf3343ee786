# SPDX-License-Identifier: Apache-2.0
"""The record of a training run: a CSV table and a picture of its curves."""

import csv
import dataclasses
from pathlib import Path

from model.whole_file import whole_file

__all__ = ["EpochRecord", "plot_curves", "write_csv"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One row of the log.

    Parameters
    ----------
    epoch
        Epochs finished, from 1.
    loss
        Mean training loss of the epoch.
    learning_rate
        Rate of the latent weights at the end of the epoch.
    seconds
        Time the epoch took, validation included.
    validation_accuracy
        0..1 for the frozen integer network; None where it was not measured.
    epochs
        Epochs of the whole run, of which a network that another starts from has its own; 0 where
        it is not known.
    """

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    validation_accuracy: float | None = None
    epochs: int = 0


def write_csv(path: Path, history: list[EpochRecord]) -> None:
    """Write the log; a value that was not measured is an empty cell."""
    names = [field.name for field in dataclasses.fields(EpochRecord)]
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(dataclasses.asdict(record) for record in history)


def plot_curves(path: Path, history: list[EpochRecord], *, title: str) -> None:
    """Draw loss and validation error over the epochs into a PNG file."""
    from matplotlib.figure import Figure  # imported late: training itself needs no pictures

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.add_subplot()
    axis.plot([record.epoch for record in history], [record.loss for record in history], "C0")
    scale = "log" if any(record.loss > 0 for record in history) else "linear"
    axis.set(xlabel="epoch", ylabel="training loss", title=title, yscale=scale)
    measured = [record for record in history if record.validation_accuracy is not None]
    if measured:
        other = axis.twinx()
        errors = [100 * (1 - (record.validation_accuracy or 0.0)) for record in measured]
        other.plot([record.epoch for record in measured], errors, "C1.-")
        other.set_ylabel("validation error (%)", color="C1")
    figure.savefig(path, dpi=120)
