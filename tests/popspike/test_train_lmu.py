# SPDX-License-Identifier: Apache-2.0
"""`popspike train` with recipes of the parallel LMU on a series of one's own."""

from pathlib import Path

import numpy as np
import pytest

from model.network_file import load_network
from model.yardstick import LmuYardstick, load_yardstick
from tests.model.train.test_lmu import waves
from tests.popspike.conftest import Command

RECIPE = """
rule = "{rule}"
hidden = [8]
epochs = 2
batch_size = 20
memory = {{order = 0, reads = 2}}
ensemble = {{weight = 0.3, members = 1, hidden = [8], epochs = 1}}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    series = waves(100, seed=0, channels=2)
    np.savez(tmp_path / "mine.npz", x=series.images, y=series.labels, zero=128)
    return tmp_path / "mine.npz"


def test_series_are_trained_resumed_and_scored(popspike: Command, data: Path) -> None:
    Path("r.toml").write_text(RECIPE.format(rule="lmu-parallel"))
    options = ("-d", data, "--json", "-o", "run")
    answer = popspike("train", "r.toml", *options)
    first = answer.json()
    assert first["sizes"] == [40, 8, 3]
    for said in ("memory: 80 of 80 samples", "teacher 1/1: epoch 1/1", "epoch 2/2: loss"):
        assert said in answer.err
    network = load_network("run/network.safetensors")
    assert network.metadata["test_accuracy"] == first["test_accuracy"]
    assert network.metadata["data_split"] == "60 training, 20 validation samples"
    assert network.encoding.zero == 128  # type: ignore[union-attr]
    again = popspike("train", "r.toml", *options, "--resume")
    assert again.json() == first
    assert "memory:" not in again.err
    refused = popspike("train", "r.toml", *options, "--cut", 3)
    assert "Recipe key must be one of" in refused.error()


def test_float_form_gives_a_yardstick(popspike: Command, data: Path) -> None:
    Path("r.toml").write_text(RECIPE.format(rule="lmu-parallel-float"))
    first = popspike("train", "r.toml", "-d", data, "--json", "-o", "run").json()
    yardstick = load_yardstick("run/network.safetensors")
    assert isinstance(yardstick, LmuYardstick)
    assert yardstick.metadata["test_accuracy"] == first["test_accuracy"]


def test_images_are_refused(popspike: Command, tmp_path: Path) -> None:
    Path("r.toml").write_text(RECIPE.format(rule="lmu-parallel"))
    np.savez(tmp_path / "flat.npz", x=np.zeros((50, 9), np.uint8), y=np.arange(50) % 3)
    refused = popspike("train", "r.toml", "-d", tmp_path / "flat.npz")
    assert "(N, steps, channels)" in refused.error()
