# SPDX-License-Identifier: Apache-2.0
"""`popspike train` with recipes of stepwise networks: all rules, resumed, scored."""

from pathlib import Path

import numpy as np
import pytest

from model.network_file import load_network
from model.yardstick import load_yardstick
from tests.popspike.conftest import Command

RECIPE = """
rule = "{rule}"
hidden = [8]
epochs = 2
batch_size = 8
limit = 3.0
encoding = {{kind = "rate", steps = 6}}
posterior = {{estimator = "moments", members = 3, form = "{form}"}}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 60, (60, 9)) + 60 * np.eye(3, 9)[labels] * 3
    np.savez(tmp_path / "mine.npz", x=images.astype(np.uint8), y=labels)
    return tmp_path / "mine.npz"


@pytest.mark.parametrize("form", ["mode", "committee", "sampled"])
def test_posterior_is_trained_resumed_and_scored(popspike: Command, data: Path, form: str) -> None:
    Path("r.toml").write_text(RECIPE.format(rule="bisnn-bayes", form=form))
    options = ("-d", data, "--json", "-o", "run")
    answer = popspike("train", "r.toml", *options)
    first = answer.json()
    assert first["sizes"] == [9, 8, 3]
    assert "epoch 2/2: loss" in answer.err
    network = load_network("run/network.safetensors")
    assert network.members == (3 if form == "committee" else 1)
    assert network.is_sampled == (form == "sampled")
    facts = network.metadata
    assert facts["test_accuracy"] == first["test_accuracy"]
    assert facts["test_members"] == (1 if form == "mode" else 3)
    assert facts["seed"] == 0
    assert {"training_scale", "data_split", "test_ece", "validation_accuracy"} <= facts.keys()
    assert popspike("train", "r.toml", *options, "--resume").json() == first
    refused = popspike("train", "r.toml", *options, "--cut", 3)
    assert "Recipe key must be one of" in refused.error()


def test_full_precision_gives_a_yardstick(popspike: Command, data: Path) -> None:
    Path("r.toml").write_text(RECIPE.format(rule="full-precision", form="mode"))
    first = popspike("train", "r.toml", "-d", data, "--json", "-o", "run").json()
    yardstick = load_yardstick("run/network.safetensors")
    assert yardstick.metadata["test_accuracy"] == first["test_accuracy"]
    again = popspike(
        "eval", "run/network.safetensors", "-d", data, "--part", "test", "--json"
    ).json()
    assert again["accuracy"] == first["test_accuracy"]
