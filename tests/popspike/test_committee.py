# SPDX-License-Identifier: Apache-2.0
"""Committees at the command line: figures, and what does not fit is refused by name."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from model.description import Network
from model.encoding import RateEncoding
from model.golden import run as run_golden
from model.network_file import load_network, save_network
from tests.popspike.conftest import Command
from tests.stepwise import make_network

STORED = make_network((20, 12, 3), seed=31, kind="spike-response", members=3)
DRAWN = make_network((20, 12, 3), seed=32, sampled=True, encoding=RateEncoding(steps=6))


@pytest.fixture
def committees(files: tuple[Path, Path], tmp_path: Path) -> dict[str, str]:
    """Files by name: a stored committee, a posterior, a single-spike network, samples."""
    return {
        "stored": str(save_network(STORED, tmp_path / "stored.safetensors")),
        "drawn": str(save_network(DRAWN, tmp_path / "drawn.safetensors")),
        "single": str(files[0]),
        "data": str(files[1]),
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("verify", "{stored}", "--members", "4"), "Members must be at most the 3 that the netw"),
        (("verify", "{stored}", "--members", "0"), "Members must be an integer of at least 1"),
        (("verify", "{stored}", "--seed", "1"), "Seed must be absent for a network whose members"),
        (
            ("verify", "{drawn}", "--members", "2"),
            "Seed must be given, 1 to 4294967295, for a netw",
        ),
        (("verify", "{drawn}", "--seed", "7"), "Members must be given for a network whose members"),
        (
            ("verify", "{drawn}", "--members", "2", "--seed", "0"),
            "Seed must be given, 1 to 42949672",
        ),
        (("verify", "{single}", "--members", "2"), "Members and seed are of networks with a state"),
        (("verify", "{stored}", "--every", "1"), "Answers after every step must be of 1 member"),
        (("run", "{stored}", "--members", "4"), "Members must be at most the 3 that the network"),
        (
            ("run", "{drawn}", "--members", "2"),
            "Seed must be given, 1 to 4294967295, for a network",
        ),
        (("run", "{single}", "--seed", "2"), "Members and seed are of networks with a state at ev"),
        (("estimate", "{single}", "--members", "2"), "Members of single-spike networks must be 1"),
        (("generate", "{stored}", "{single}"), "Layers of one gateware must have the same"),
    ],
)
def test_what_does_not_fit_is_named(
    popspike: Command, committees: dict[str, str], arguments: tuple[str, ...], text: str
) -> None:
    named = [argument.format(**committees) for argument in arguments]
    data = [] if named[0] == "generate" else ["-d", committees["data"]]
    answer = popspike(*named, *data)
    assert answer.code == 2
    assert text in answer.error()
    assert answer.out == ""


def test_posterior_files_that_are_none(popspike: Command, committees: dict[str, str]) -> None:
    path = Path(committees["drawn"])
    whole = path.read_bytes()
    tensors = load_file(path)
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]
    options = ("-d", committees["data"], "--members", 2, "--seed", 1)
    # A decided sign under the mask; a mask of another shape; no mask at all.
    both = tensors["layer0.undecided"] | tensors["layer0.weights"][0]
    for changes, text in (
        ({"layer0.undecided": both}, "Undecided weights must be 0 in the one weight set"),
        ({"layer0.undecided": both[:, :2]}, "Mask of undecided weights must be uint8 of shape"),
        ({"layer0.undecided": None, "layer1.undecided": None}, "fingerprint must be 0x"),
    ):
        kept = {name: part for name, part in {**tensors, **changes}.items() if part is not None}
        save_file({name: np.ascontiguousarray(part) for name, part in kept.items()}, path, header)
        answer = popspike("verify", path, *options)
        assert answer.code == 2
        assert text in answer.error()
    path.write_bytes(whole[: len(whole) // 3])
    answer = popspike("run", path, *options)
    assert "must be a whole safetensors file" in answer.error()


def test_estimate_and_generate(popspike: Command, committees: dict[str, str]) -> None:
    options = ("-b", "icebreaker", "-d", committees["data"], "--json")
    stored = popspike("estimate", committees["stored"], *options).json()
    assert stored["cycles_per_image"] > 3 * STORED.steps
    few = popspike("estimate", committees["drawn"], *options, "--members", 2).json()
    many = popspike("estimate", committees["drawn"], *options, "--members", 8).json()
    assert 3 < many["cycles_per_image"] / few["cycles_per_image"] < 5
    facts = popspike("generate", committees["drawn"], "-k", 5, "-o", "rtl", "--json").json()
    side = json.loads(Path(facts["side_file"]).read_text())
    assert side["design"]["members"] == 5
    assert {field["name"] for field in side["fields"]["m_axis_result_tdata"]} >= {"votes", "score"}
    assert Path(facts["images"][0]).read_bytes()[:5] == b"PSPK\x03"


def other_kind() -> Network:
    """The stored committee with other leaks."""
    layers = list(STORED.layers)
    assert layers[0].dynamics is not None
    dynamics = dataclasses.replace(layers[0].dynamics, membrane_shift=11)
    layers[0] = dataclasses.replace(layers[0], dynamics=dynamics)
    return dataclasses.replace(STORED, layers=tuple(layers))


@pytest.mark.slow
def test_verify_and_run(
    popspike: Command,
    committees: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    data = ("-d", committees["data"], "--json")
    plot = ("--plot", "spikes.png")
    verified = popspike("verify", committees["stored"], "--images", 2, *plot, *data).json()
    assert (verified["images"], verified["mismatches"]) == (2, 0)
    assert verified["cycles_as_scheduled"] is True
    assert Path(verified["plot"]).read_bytes().startswith(b"\x89PNG")
    drawn = ("--members", 2, "--seed", 9)
    whole = popspike("verify", committees["drawn"], "--all", *drawn, *data).json()
    assert (whole["images"], whole["mismatches"]) == (60, 0)
    assert whole["cycles_as_scheduled"] is True

    smaller = make_network((20, 7, 3), seed=33, kind="spike-response", members=2)
    layers = [
        dataclasses.replace(layer, dynamics=large.dynamics)
        for layer, large in zip(smaller.layers, STORED.layers, strict=True)
    ]
    smaller = dataclasses.replace(smaller, layers=tuple(layers))
    path = save_network(smaller, tmp_path / "smaller.safetensors")
    answer = popspike("run", committees["stored"], path, "--images", 4, *data).json()
    x = np.load(committees["data"])["x"][:4]
    for facts, name in zip(answer["runs"], (committees["stored"], path), strict=True):
        network = load_network(name)
        trace = run_golden(network, x)
        assert facts["mismatches"] == 0
        assert facts["members"] == network.members
        assert facts["classes"] == trace.winners.tolist()
        assert facts["votes"] == trace.votes.tolist()
        assert np.allclose(np.sum(facts["probabilities"], axis=1), 1)
    # One gateware has one kind and one set of leaks.
    path = save_network(other_kind(), tmp_path / "other.safetensors")
    text = popspike("run", committees["stored"], path, "--images", 1, *data).error()
    assert "Layers of one gateware must have the same neuron kind and dynamics" in text
