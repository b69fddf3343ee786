# SPDX-License-Identifier: Apache-2.0
"""The shipped networks: present, small, documented, and as good as their metadata says."""

from pathlib import Path

import pytest

from model import zoo
from model.data import open_dataset
from model.description import Readout
from model.evaluate import evaluate
from model.network_file import NetworkFileError, save_network
from model.train import recipe_names

SIZES = {
    "bs4nn-digits": (64, 64, 10),
    "bs4nn-fashion-1000": (784, 1000, 10),
    "bs4nn-fashion-1000-potential": (784, 1000, 10),
    "bs4nn-mnist-256": (784, 256, 10),
    "bs4nn-mnist-256-potential": (784, 256, 10),
    "bs4nn-mnist-600": (784, 600, 10),
    "bs4nn-mnist-600-potential": (784, 600, 10),
}
FLOORS = {
    "bs4nn-digits": 0.9,
    "bs4nn-fashion-1000": 0.88,
    "bs4nn-fashion-1000-potential": 0.888,
    "bs4nn-mnist-256": 0.973,
    "bs4nn-mnist-256-potential": 0.977,
    "bs4nn-mnist-600": 0.979,
    "bs4nn-mnist-600-potential": 0.982,
}
# Stepwise networks: sizes, members stored, least validation accuracy.
STEPWISE = {
    "bisnn-digits-committee": ((64, 128, 10), 8, 0.93),
    "bisnn-digits-sampled": ((64, 128, 10), 1, 0.93),
    "bisnn-digits-st": ((64, 128, 10), 1, 0.93),
    "bisnn-mnist-committee": ((784, 400, 10), 8, 0.975),
    "bisnn-mnist-st": ((784, 400, 10), 1, 0.97),
    "bisnn-moons-committee": ((20, 128, 2), 8, 0.98),
    "bisnn-moons-st": ((20, 128, 2), 1, 0.97),
    "bisnn-nmnist": (None, 1, 0.85),
    "bisnn-nmnist-st": (None, 1, 0.85),
    "lmu-fsdd": ((192, 512, 10), 1, 0.95),
    "lmu-psmnist-256": ((256, 1024, 10), 1, 0.975),
    "lmu-psmnist-468": ((468, 1024, 10), 1, 0.98),
    "lmu-vowels-hybrid": ((172, 64, 9), 1, 0.95),
}
YARDSTICKS = (
    "bisnn-digits-full",
    "bisnn-mnist-full",
    "bisnn-moons-full",
    "bisnn-nmnist-full",
    "lmu-fsdd-float",
    "lmu-psmnist-256-float",
    "lmu-psmnist-468-float",
    "lmu-vowels-hybrid-float",
)


def test_names() -> None:
    assert zoo.names() == tuple(sorted([*SIZES, *STEPWISE]))
    assert zoo.yardstick_names() == YARDSTICKS


@pytest.mark.parametrize("name", sorted(STEPWISE))
def test_stepwise_network_says_where_it_comes_from(name: str) -> None:
    network = zoo.load(name)
    facts = network.metadata
    sizes, members, floor = STEPWISE[name]
    assert sizes is None or network.sizes == sizes
    assert network.is_stepwise
    assert network.members == members
    assert network.is_sampled == name.endswith("-sampled")
    assert facts["command"].startswith("popspike train ")
    assert facts["data_licence"]
    assert isinstance(facts["seed"], int)
    assert floor <= facts["validation_accuracy"] <= 1
    assert floor <= facts["test_accuracy"] <= 1
    assert zoo.path(name).stat().st_size < 400_000


@pytest.mark.parametrize("name", sorted(SIZES))
def test_network_says_where_it_comes_from(name: str) -> None:
    network = zoo.load(name)
    facts = network.metadata
    assert network.sizes == SIZES[name]
    assert network.steps <= 8
    potential = name.endswith("-potential")
    assert network.readout is (Readout.SUMMED_POTENTIAL if potential else Readout.FIRST_SPIKE)
    assert name in recipe_names()
    assert facts["name"] == facts["recipe"]["name"] == name
    assert tuple(facts["recipe"]["levels"]) == network.encoding.levels
    assert facts["command"].startswith("popspike train ")
    assert facts["data_licence"]
    assert isinstance(facts["seed"], int)
    for part in ("validation", "test"):
        assert FLOORS[name] <= facts[f"{part}_accuracy"] <= 1
        paper = facts[f"{part}_accuracy_paper_rule"]
        assert paper is None if potential else paper >= facts[f"{part}_accuracy"]
    assert zoo.path(name).stat().st_size < 150_000


@pytest.mark.parametrize("name", [name for name in sorted(SIZES) if "mnist" in name])
def test_network_reads_the_shipped_digits(name: str) -> None:
    digits = open_dataset("mnist-samples").part("test")
    result = evaluate(zoo.load(name), digits.images, digits.labels)
    assert result.accuracy > 0.95


def test_loads_a_file_by_its_path(tmp_path: Path) -> None:
    network = zoo.load("bs4nn-digits")
    path = save_network(network, tmp_path / "mine.safetensors")
    assert zoo.load(path).fingerprint() == network.fingerprint()
    assert zoo.path(path) == path


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(NetworkFileError, match=r"or one of bisnn-.*, not 'bs4nn'"):
        zoo.load("bs4nn")
    with pytest.raises(NetworkFileError, match=r"absent\.safetensors does not exist"):
        zoo.load("absent.safetensors")
