# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: figures, promises of the JSON, errors."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from firmware.discovery import Port
from model.description import Readout
from model.golden import run as run_golden
from model.network_file import load_network, save_network
from popspike import cli
from tests.popspike.conftest import Command, small_network


@pytest.mark.parametrize("command", list(cli._COMMANDS))
def test_help_has_an_example(popspike: Command, command: str) -> None:
    answer = popspike(command, "--help")
    assert answer.code == 0
    assert re.search(rf"Examples?:\s+popspike {command}", answer.out)


def test_help_lists_every_command(popspike: Command) -> None:
    answer = popspike("--help")
    assert all(command in answer.out for command in cli._COMMANDS)


def test_eval_json(popspike: Command, files: tuple[Path, Path]) -> None:
    facts = popspike("eval", files[0], "--dataset", files[1], "--json").json()
    trace = run_golden(load_network(files[0]), np.load(files[1])["x"])
    right = trace.winners.numpy() == np.load(files[1])["y"]
    assert facts["images"] == 60
    assert facts["accuracy"] == right.mean()
    assert facts["accuracy_paper_rule"] >= facts["accuracy"]
    part = popspike("eval", files[0], "-d", files[1], "--part", "test", "--json").json()
    assert part["images"] == 12
    few = popspike("eval", files[0], "-d", files[1], "--images", 5, "--json").json()
    assert few["images"] == 5


def test_eval_of_a_potential_readout_has_no_paper_rule(
    popspike: Command, files: tuple[Path, Path], tmp_path: Path
) -> None:
    network = small_network(readout=Readout.SUMMED_POTENTIAL)
    path = save_network(network, tmp_path / "summed.safetensors")
    assert "accuracy_paper_rule" not in popspike("eval", path, "-d", files[1], "--json").json()


def test_eval_in_words(popspike: Command, files: tuple[Path, Path]) -> None:
    answer = popspike("eval", files[0], "--dataset", files[1])
    assert answer.code == 0
    assert "20-12-3, 4 steps, first-spike" in answer.out
    assert "by the published rule" in answer.out


def test_zoo(popspike: Command) -> None:
    networks = popspike("zoo", "--json").json()
    assert {network["readout"] for network in networks} >= {"first-spike", "summed-potential"}
    for network in networks:
        assert network["test_accuracy"] > 0.8
        assert network["recipe"]
        assert network["command"].startswith("popspike train ")
        assert {"seed", "data_licence", "validation_accuracy"} <= network.keys()
    one = networks[0]
    assert popspike("zoo", one["name"], "--json").json() == one
    assert one["name"] in popspike("zoo").out
    assert one["fingerprint"] in popspike("zoo", one["name"]).out


def test_shipped_networks_classify_the_shipped_digits(popspike: Command) -> None:
    facts = popspike("eval", "bs4nn-mnist-256", "-d", "mnist-samples", "--json").json()
    assert facts["images"] == 300
    assert facts["accuracy"] > 0.95


def test_train_freezes_resumes_and_scores(popspike: Command, files: tuple[Path, Path]) -> None:
    arguments = ("bs4nn", "-d", files[1], "--hidden", 8, "--hidden", 6, "--steps", 5, "--cut", 16)
    options = ("--batch-size", 8, "--json", "-o", "run")
    first = popspike("train", *arguments, "--epochs", 2, *options).json()
    assert first["sizes"] == [20, 8, 6, 3]
    assert first["steps"] == 5
    assert first["test_images"] == 12
    assert {path.name for path in Path("run").iterdir()} >= {
        "network.safetensors",
        "checkpoint.pt",
        "log.csv",
        "curves.png",
    }
    metadata = load_network("run/network.safetensors").metadata
    assert "popspike train bs4nn" in metadata["command"]
    again = popspike("train", *arguments, "--epochs", 2, *options, "--resume").json()
    assert again == first
    other = popspike("train", *arguments, "--epochs", 2, *options, "--resume", "--seed", 5)
    assert "seed must be 5" in other.error()


def test_train_on_few_flat_samples(popspike: Command, files: tuple[Path, Path]) -> None:
    arrays = np.load(files[1])
    np.savez("flat.npz", x=arrays["x"].reshape(60, 20), y=arrays["y"])
    answer = popspike("train", "bs4nn", "-d", "flat.npz", "--epochs", 2, "--json", "-o", "run")
    assert answer.json()["sizes"] == [20, 256, 3]
    assert "so none is distorted" in answer.err
    assert "36 training samples, so a batch is 4" in answer.err
    metadata = load_network("run/network.safetensors").metadata
    assert metadata["test_images"] == 12
    assert metadata["data"] == "flat.npz"


def test_train_by_the_published_rule(popspike: Command, files: tuple[Path, Path]) -> None:
    options = ("-d", files[1], "--hidden", 8, "--epochs", 2)
    answer = popspike("train", "bs4nn-paper", *options, "--json", "-o", "run")
    facts = answer.json()
    assert facts["sizes"] == [20, 8, 3]
    assert facts["steps"] == 253
    assert facts["test_accuracy_paper_rule"] >= facts["test_accuracy"]
    assert "(published rule)" in answer.err
    assert "(ours)" in answer.err
    answer = popspike("train", "bs4nn-paper", *options, "--steps", 8)
    assert answer.error() == "error: Recipe bs4nn-paper must keep its published steps"
    answer = popspike("train", "bs4nn-paper", *options, "--hidden", 9)
    assert answer.error() == "error: Hidden of bs4nn-paper must be one layer, not 2"


def test_import_bs4nn(popspike: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save("W0.npy", rng.uniform(-1, 2, (12, 20, 1)))
    np.save("W1.npy", rng.uniform(-1, 2, (3, 12, 1)))
    alphas = ("--alphas", 40.0, 50.0, "--threshold", 100)
    facts = popspike(
        "import-bs4nn", "W0.npy", "W1.npy", *alphas, "-o", "net.safetensors", "--json"
    ).json()
    assert facts["thresholds"] == [3, 3]
    assert load_network("net.safetensors").sizes == (20, 12, 3)
    answer = popspike("import-bs4nn", "W0.npy", "W0.npy", *alphas, "-o", "net.safetensors")
    assert "must have 12 inputs, one for each hidden neuron, not 20" in answer.error()


def test_generate(popspike: Command, files: tuple[Path, Path]) -> None:
    facts = popspike("generate", files[0], "--json", "-o", "rtl").json()
    verilog = Path(facts["verilog"]).read_text()
    side = json.loads(Path(facts["side_file"]).read_text())
    assert "module popspike(" in verilog
    assert "s_axis_sample_tdata" in verilog
    assert side["design"]["layers"][0]["neurons"] == 12
    assert Path("rtl/small.image").read_bytes()[:4] == b"PSPK"


def test_estimate(popspike: Command, files: tuple[Path, Path]) -> None:
    facts = popspike("estimate", files[0], "-b", "ulx3s-25f", "-d", files[1], "--json").json()
    assert facts["cycles_per_image"] > 5
    assert facts["images_per_s"] == pytest.approx(
        1e6 * facts["clock_mhz"] / facts["cycles_per_image"]
    )
    assert "60 images" in facts["cycles_over"]


def test_doctor(popspike: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = popspike("doctor", "--quick", "--json").json()
    names = {finding["name"] for finding in findings}
    assert {"torch", "make", "C++ compiler", "iceprog", "openFPGALoader", "dfu-util"} <= names
    monkeypatch.setenv("CXX", "/nowhere/c++")
    answer = popspike("doctor", "--quick")
    assert answer.code == 1
    assert "MISSING" in answer.out


def test_doctor_says_what_to_type(popspike: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "dfu-util" else f"/bin/{name}")
    port = Port(name="/dev/ttyUSB7", vendor=0x0403, product=0x6010)
    monkeypatch.setattr("firmware.discovery.list_ports", lambda: [port])
    monkeypatch.setattr("firmware.machine._may_open", lambda path: False)
    monkeypatch.setattr("firmware.machine._group_of", lambda path: "dialout")
    answer = popspike("doctor", "--quick")
    assert answer.code == 1
    assert "NOT READY" in answer.out
    assert "/dev/ttyUSB7: sudo usermod -aG dialout $USER" in answer.out
    assert "dfu-util: " in answer.out
    assert "openFPGALoader: " not in answer.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("eval", "nobody"), "error: Network must be a .safetensors file or one of bisnn"),
        (("eval", "gone.safetensors"), "Network file gone.safetensors does not exist"),
        (("eval", "{network}", "-d", "cifar"), "Data set must be one of mnist, fashion-mnist"),
        (("eval", "{network}", "-d", "gone.npz"), "Data file gone.npz does not exist"),
        (("eval", "{network}", "-d", "digits"), "must have 20 features for this network, not 64"),
        (("eval", "{network}", "-d", "{data}", "--part", "dev"), "Part must be one of train, val"),
        (("generate", "{network}", "-b", "arty"), "Board must be one of icebreaker, "),
        (("build", "{network}", "-b", "arty"), "Board must be one of icebreaker, "),
        (("build", "{network}", "-d", "{data}", "--baud", "9"), "Bits a second must be in 458..15"),
        (("bench", "{network}", "-d", "{data}", "--baud", "9"), "Bits a second must be in 184..60"),
        (("verify", "{network}", "-d", "{data}", "-b", "arty"), "Board must be one of icebr"),
        (("run", "{network}", "-b", "arty"), "Board must be one of virtual, auto, icebreaker, "),
        (("load", "{network}", "--port", "/dev/gone"), "Cannot open serial port /dev/gone"),
        (("train", "nothing"), "Recipe must be a .toml file or one of"),
        (("train", "bs4nn", "-d", "{data}", "--steps", "1000"), "Steps must be 1..256, not 1000"),
        (("verify", "{network}"), "with 20 features must be named with --dataset"),
    ],
)
def test_errors_are_one_clear_text(
    popspike: Command, files: tuple[Path, Path], arguments: tuple[str, ...], text: str
) -> None:
    names = {"{network}": str(files[0]), "{data}": str(files[1])}
    answer = popspike(*(names.get(argument, argument) for argument in arguments))
    assert answer.code == 2
    assert text in answer.error()
    assert answer.out == ""


def test_usage_errors(popspike: Command) -> None:
    answer = popspike("eval", "x", "--no-such-option")
    assert answer.code == 2
    assert "No such option" in answer.error()


def test_missing_data_shows_two_ways_out(
    popspike: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.data.catalog import CATALOG

    nowhere = dataclasses.replace(CATALOG["mnist"], mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setitem(CATALOG, "mnist", nowhere)
    answer = popspike("eval", "bs4nn-mnist-256", "--dataset", "mnist")
    assert answer.code == 2
    assert "Two ways out" in answer.error()
    assert "--data-dir FOLDER or POPSPIKE_DATA=FOLDER" in answer.error()


def test_damaged_network_files(popspike: Command, files: tuple[Path, Path]) -> None:
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2])
    answer = popspike("eval", files[0], "-d", files[1])
    assert f"Network file {files[0]} must be a whole safetensors file" in answer.error()
    files[0].write_bytes(whole.replace(b'\\"format\\": 3', b'\\"format\\": 9'))
    answer = popspike("eval", files[0], "-d", files[1])
    assert f"Network file {files[0]}: format must be 3, not 9" in answer.error()


def test_missing_compiler(
    popspike: Command, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    for command in ("verify", "run"):
        answer = popspike(command, files[0], "-d", files[1])
        assert answer.code == 2
        assert "A C++ compiler must be installed" in answer.error()


@pytest.mark.slow
def test_verify_and_run(
    popspike: Command,
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Simulators compiled by an earlier run may be used.
    monkeypatch.delenv("XDG_CACHE_HOME")
    verified = popspike(
        *("verify", files[0], "-d", files[1], "--images", 3, "--plot", "spikes.png", "--json")
    ).json()
    assert verified["images"] == 3
    assert verified["mismatches"] == 0
    assert verified["cycles_as_scheduled"] is True
    assert Path("spikes.png").read_bytes().startswith(b"\x89PNG")
    other = save_network(small_network(7, hidden=9), tmp_path / "other.safetensors")
    answer = popspike("run", files[0], other, "-d", files[1], "--images", 4, "--json").json()
    x = np.load(files[1])["x"][:4]
    for facts, path in zip(answer["runs"], (files[0], other), strict=True):
        trace = run_golden(load_network(path), x)
        assert facts["mismatches"] == 0
        assert facts["classes"] == trace.winners.tolist()
        times = np.array(facts["first_spike_times"])
        assert np.array_equal(np.where(times < 0, 4, times), trace.spike_steps[-1].numpy())


@pytest.mark.slow
def test_verify_of_a_whole_set(
    popspike: Command, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    facts = popspike("verify", files[0], "-d", files[1], "--all", "--json").json()
    assert facts["images"] == 60
    assert facts["mismatches"] == 0
    assert facts["cycles_as_scheduled"] is True
