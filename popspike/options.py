# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and what they are turned into."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from model.data import DataError, Dataset, Samples, names, open_dataset
from model.data.dataset import SHIPPED
from model.description import Network
from model.encoding import EventEncoding, SeriesEncoding
from model.events import Events
from popspike.console import err

if TYPE_CHECKING:
    from model.yardstick import Yardstick

__all__ = [
    "BoardOption",
    "DataDirOption",
    "DatasetOption",
    "BuiltMembersOption",
    "JsonOption",
    "MembersOption",
    "NetworkArgument",
    "PartOption",
    "SeedOption",
    "find_dataset",
    "find_network",
    "find_predictor",
    "network_data",
    "samples_at_hand",
]

NetworkArgument = Annotated[
    str, typer.Argument(metavar="NET", help="Network: a name from `popspike zoo`, or a file.")
]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        help=f"{', '.join(names())}, an .npz file of images, series (x, y) or events, or a folder "
        "of event files; a number or word behind some names picks a split, seed or speaker "
        "(digits:3, fsdd:theo); "
        "default: the one that the network was trained on.",
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with data files, looked in before POPSPIKE_DATA."),
]
PartOption = Annotated[
    str | None,
    typer.Option(
        "--part", help="train, validation, test or all; default: test, or all of an undivided .npz."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
MembersOption = Annotated[
    int | None,
    typer.Option(
        "--members", "-k", help="Members of a committee: the first K, or K that are drawn."
    ),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Of drawn members, 1 to 4294967295; gives the same ones.")
]
BuiltMembersOption = Annotated[
    int | None,
    typer.Option(
        "--members",
        "-k",
        help="Most members that the gateware shall have; default: as many as the networks store.",
    ),
]
BoardOption = Annotated[str, typer.Option("--board", "-b", help="A name from `popspike boards`.")]

# Metadata is the first entry of a safetensors header, behind 8 bytes of length.
_HEAD = 128
_BY_SIZES = {(784, 10): "mnist", (64, 10): "digits", (20, 2): "moons"}


def find_network(name: str) -> Network:
    """Load a network by zoo name or path."""
    from model import zoo

    return zoo.load(name)


def find_predictor(name: str) -> "Network | Yardstick":
    """Load what can be evaluated: a network, or a yardstick of float weights."""
    from model import zoo

    if name in zoo.yardstick_names():
        return zoo.load_yardstick(name)
    if Path(name).is_file() and _is_yardstick(Path(name)):
        from model.yardstick import load_yardstick

        return load_yardstick(name)
    return find_network(name)


def _is_yardstick(path: Path) -> bool:
    """Whether a file's first bytes, where the names of its metadata stand, are of a yardstick."""
    with path.open("rb") as file:
        return b'"popspike-yardstick"' in file.read(_HEAD)


def network_data(network: "Network | Yardstick") -> str:
    """Name of the data set that a network was made for."""
    recipe = network.metadata.get("recipe")
    named = network.metadata.get("data") or (recipe.get("data") if isinstance(recipe, dict) else "")
    if isinstance(network.encoding, EventEncoding):
        return str(named or "n-mnist-1k")
    return str(named or _BY_SIZES.get((network.sizes[0], network.sizes[-1]), "mnist"))


def find_dataset(
    name: str | None, network: "Network | Yardstick | None" = None, data_dir: Path | None = None
) -> Dataset:
    """Open a data set; a download shows its progress on stderr."""
    if name is None:
        if network is None:
            raise DataError("Data set must be named with --dataset")
        name = network_data(network)
    return open_dataset(name, data_dir=data_dir, progress=_Download())


def samples_at_hand(network: Network, name: str | None, data_dir: Path | None) -> Samples:
    """Return test samples of a network: a named set, else its own if at hand, else shipped ones.

    Nothing is downloaded for a set that was not asked for.
    """
    if name is not None:
        return find_dataset(name, network, data_dir).part()
    try:
        samples = open_dataset(network_data(network), data_dir=data_dir, download=False).part()
    except DataError:
        shipped = f"{network_data(network).partition(':')[0]}-samples"
        samples = open_dataset(shipped if shipped in names() else SHIPPED).part()
    images, encoding = samples.images, network.encoding
    wants_events = isinstance(encoding, EventEncoding)
    if isinstance(images, Events):
        fits = wants_events
    elif isinstance(encoding, SeriesEncoding):
        fits = images.ndim == 3 and images.shape[2] == encoding.channels
        fits = fits and images.shape[1] <= encoding.steps
    else:
        fits = not wants_events and images[0].size == network.features
    if fits:
        return samples
    if wants_events:
        raise DataError("Samples of events must be named with --dataset for this network")
    if isinstance(encoding, SeriesEncoding):
        raise DataError(
            f"Series of {encoding.channels} channels and at most {encoding.steps} steps must be "
            "named with --dataset for this network"
        )
    raise DataError(
        f"Samples with {network.features} features must be named with --dataset for this network"
    )


class _Download:
    """A progress bar that begins with the first bytes."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._file = ""

    def __call__(self, file: str, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("downloading {task.description}"),
                BarColumn(),
                DownloadColumn(),
                console=err,
            )
            self._bar.start()
        if file != self._file:
            self._file = file
            self._task = self._bar.add_task(file, total=total)
        self._bar.update(self._task, completed=done)
        if done >= total:
            self._bar.stop()
            self._bar, self._file = None, ""
