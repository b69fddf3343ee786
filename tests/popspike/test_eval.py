# SPDX-License-Identifier: Apache-2.0
"""`popspike eval` of committees, drawn members and event networks: figures, pictures, refusals."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import zoo
from model.data import open_dataset
from model.description import Dynamics, NeuronKind, Reset
from model.encoding import EventEncoding, RateEncoding
from model.evaluate import evaluate
from model.network_file import NetworkFileError, load_network, save_network
from model.yardstick import SpikingYardstick, save_yardstick
from tests.popspike.conftest import Command
from tests.stepwise import make_network

EVENTS = EventEncoding(width=4, height=3, crop_width=4, crop_height=3, bin_us=10, steps=5)


def saved(tmp_path: Path, name: str = "net", **fields: Any) -> Path:
    """A network for two moons, unless another encoding is given."""
    fields.setdefault("encoding", RateEncoding(steps=8))
    first = 24 if fields["encoding"] is EVENTS else 20
    network = make_network((first, 10, 2), seed=2, **fields)
    return save_network(
        dataclasses.replace(network, inverse_temperature=0.3), tmp_path / f"{name}.safetensors"
    )


def event_file(tmp_path: Path, **changed: Any) -> Path:
    fields = {
        "t": [0, 15, 15, 0],
        "x": [1, 2, 3, 0],
        "y": [0, 0, 1, 1],
        "p": [0, 1, 0, 1],
        "offsets": [0, 3, 4],
        "labels": [1, 0],
    }
    np.savez(tmp_path / "events.npz", **{**fields, **changed})
    return tmp_path / "events.npz"


def test_json_of_a_committee(popspike: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, members=3)
    facts = popspike("eval", path, "--json").json()  # 20 features: moons
    test = open_dataset("moons").part()
    wanted = dataclasses.asdict(evaluate(load_network(path), test.images, test.labels))
    assert facts == {"network": str(path), "dataset": "moons, test", **wanted}
    assert {"ece", "ece_votes", "nll", "brier", "auroc", "members"} <= facts.keys()
    assert facts["members"] == 3
    one = popspike("eval", path, "--members", 1, "--images", 50, "--json").json()
    assert (one["members"], one["images"]) == (1, 50)


def test_committee_in_words(popspike: Command, tmp_path: Path) -> None:
    out = popspike("eval", saved(tmp_path, members=3), "--images", 50).out
    for words in ("20-10-2, lif, 8 steps", "by votes", "ECE (20 bins)", "of one member, mean"):
        assert words in out


def test_drawn_members(popspike: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, sampled=True)
    options = ("--members", 3, "--images", 50, "--json")
    first = popspike("eval", path, *options, "--seed", 7).json()
    assert first == popspike("eval", path, *options, "--seed", 7).json()
    assert "Seed must be given, 1 to 4294967295" in popspike("eval", path, *options).error()
    assert (
        "Members must be given for a network whose members are drawn"
        in popspike("eval", path, "--seed", 7).error()
    )
    wrong = popspike("eval", path, *options, "--seed", -1)
    assert "Seed must be an integer in 1.." in wrong.error()


def test_pictures_of_moons(popspike: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, members=2)
    facts = popspike("eval", path, "--images", 50, "--figures", "pictures", "--json").json()
    names = [
        f"pictures/net-{what}.{form}"
        for what in ("reliability", "raster", "surface")
        for form in ("png", "svg")
    ]
    assert facts["figures"] == names
    assert all(Path(name).stat().st_size > 1000 for name in names)


def test_events(popspike: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, encoding=EVENTS)
    facts = popspike("eval", path, "-d", event_file(tmp_path), "--figures", "p", "--json").json()
    assert facts["images"] == 2
    assert len(facts["figures"]) == 4  # no surface


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"t": [0, 15, 14, 0]}, "Time of event 2 of sample 0 must be at least the 15 us of the "
         "event before it, not 14 us"),
        ({"x": [1, 2, 3, 4]}, "Column of event 0 of sample 1 must lie in 0..3, not 4"),
        ({"offsets": [0, 5, 4]}, "Offset of the end of sample 1 must be at least 5, not 4"),
    ],
)  # fmt: skip
def test_events_that_break_a_rule(
    popspike: Command, tmp_path: Path, changed: dict[str, Any], text: str
) -> None:
    path = saved(tmp_path, encoding=EVENTS)
    answer = popspike("eval", path, "-d", event_file(tmp_path, **changed))
    assert answer.code == 2
    assert answer.error().endswith(text)


def test_data_of_another_kind(popspike: Command, tmp_path: Path, files: tuple[Path, Path]) -> None:
    events = event_file(tmp_path)
    answer = popspike("eval", saved(tmp_path, "events", encoding=EVENTS), "-d", "moons")
    assert answer.error() == "error: Samples must be events for this network, not images"
    answer = popspike("eval", saved(tmp_path, "images"), "-d", events)
    assert answer.error() == "error: Samples must be images for this network, not events"
    answer = popspike("eval", files[0], "-d", events)
    assert answer.error() == (
        f"error: Samples must be images here, not the events of {events}, all"
    )
    answer = popspike("eval", saved(tmp_path, "images"), "-d", "digits")
    assert "Images must have 20 features for this network, not 64" in answer.error()


def test_members_beyond_those_stored(popspike: Command, tmp_path: Path) -> None:
    answer = popspike("eval", saved(tmp_path, members=2), "--members", 3)
    assert answer.code == 2
    assert answer.error() == ("error: Members must be at most the 2 that the network stores, not 3")
    answer = popspike("eval", saved(tmp_path, members=2), "--members", 0)
    assert "Members must be" in answer.error()
    assert "Seed must be absent" in popspike("eval", saved(tmp_path), "--seed", 3).error()


def test_single_spike_networks_have_no_members(popspike: Command, files: tuple[Path, Path]) -> None:
    for option in (("--members", 2), ("--seed", 1), ("--figures", "p")):
        assert (
            "Members, seed and figures are of networks with a state at every step"
            in popspike("eval", files[0], "-d", files[1], *option).error()
        )


def test_folder_that_holds_no_events(popspike: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = popspike("eval", saved(tmp_path, encoding=EVENTS), "-d", "empty")
    assert answer.error() == (
        "error: Folder empty must hold .bin or .aedat files of events, not none"
    )


def test_event_network_without_data_at_hand(popspike: Command, tmp_path: Path) -> None:
    answer = popspike("eval", saved(tmp_path, encoding=EVENTS))
    assert "Data set n-mnist-1k is not on this machine and no mirror" in answer.error()


def yardstick(path: Path) -> Path:
    draw = np.random.default_rng(5)
    hidden = Dynamics.bounded(
        kind=NeuronKind.LIF, fan_in=20, membrane_shift=3, reset=Reset.SUBTRACT
    )
    made = SpikingYardstick(
        encoding=RateEncoding(steps=8),
        kind=NeuronKind.LIF,
        dynamics=(hidden,),
        burn_in=0,
        weights=tuple(draw.normal(size=shape).astype(np.float32) for shape in ((10, 20), (2, 10))),
        thresholds=(np.ones(10, np.float32), np.zeros(2, np.float32)),
        input_shape=(20,),
        inverse_temperature=0.5,
        metadata={"data": "moons"},
    )
    return save_yardstick(made, path)


def test_yardsticks(popspike: Command, tmp_path: Path) -> None:
    path = yardstick(tmp_path / "full.safetensors")
    facts = popspike("eval", path, "--figures", "p", "--json").json()
    assert facts["images"] == 1000
    assert facts["members"] == 1
    assert facts["input_spikes"] is None
    assert [Path(name).name for name in facts["figures"]] == [
        f"full-{what}.{form}" for what in ("reliability", "surface") for form in ("png", "svg")
    ]
    assert "20-10-2, 8 steps, float weights" in popspike("eval", path, "--images", 9).out
    for option in (("--members", 2), ("--seed", 1)):
        assert (
            "Members and seed must be absent for a yardstick"
            in popspike("eval", path, *option).error()
        )


def test_shipped_yardsticks_are_found_by_name(
    popspike: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yardstick(tmp_path / "full" / "some-full.safetensors")
    monkeypatch.setattr(zoo, "YARDSTICKS", tmp_path / "full")
    assert zoo.yardstick_names() == ("some-full",)
    assert popspike("eval", "some-full", "--json").json()["images"] == 1000
    answer = popspike("verify", "some-full")
    assert answer.error() == (
        "error: Network must have weights of one bit here, which the yardstick some-full has not; "
        "`popspike eval` takes it"
    )
    with pytest.raises(NetworkFileError, match="^Yardstick must be one of some-full, not 'other'$"):
        zoo.load_yardstick("other")


def test_yardstick_file_that_is_cut(popspike: Command, tmp_path: Path) -> None:
    path = yardstick(tmp_path / "full.safetensors")
    path.write_bytes(path.read_bytes()[:-40])
    assert "must be a whole safetensors file" in popspike("eval", path).error()
