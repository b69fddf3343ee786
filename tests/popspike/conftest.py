# SPDX-License-Identifier: Apache-2.0
"""The command line in an empty folder, and something small to give it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from model.description import LatencyEncoding, Layer, Network, Readout
from model.network_file import save_network
from popspike import cli


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    def json(self):
        assert self.code == 0, self.err
        return json.loads(self.out)

    def error(self) -> str:
        """The one error text, on one line."""
        assert self.code != 0
        assert "Traceback" not in self.err
        return " ".join(self.err.split())


Command = Callable[..., Answer]


@pytest.fixture
def popspike(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """Runs the command line in an empty folder, on a machine without data sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("POPSPIKE_DATA", raising=False)

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["popspike", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


def small_network(
    seed: int = 0, *, hidden: int = 12, readout: Readout = Readout.FIRST_SPIKE
) -> Network:
    rng = np.random.default_rng(seed)
    sizes = (20, hidden, 3)
    layers = [
        Layer.from_signs(rng.choice((-1, 1), (after, before)), rng.integers(1, 4, after))
        for before, after in zip(sizes, sizes[1:], strict=False)
    ]
    return Network(
        encoding=LatencyEncoding(levels=(200, 140, 80, 20)),
        layers=tuple(layers),
        readout=readout,
        input_shape=(4, 5),
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A network of random bits, and a data set that it can read."""
    network = save_network(small_network(), tmp_path / "small.safetensors")
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 60)
    x = rng.integers(0, 60, (60, 4, 5))
    for index, label in enumerate(y):
        x[index, label] += 180
    data = tmp_path / "small.npz"
    np.savez(data, x=x.astype(np.uint8), y=y)
    return network, data
