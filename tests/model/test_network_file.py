# SPDX-License-Identifier: Apache-2.0
"""Network files: what is saved is loaded, and what is broken is refused with the field named."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from model.description import LatencyEncoding, Layer, Network
from model.network_file import NetworkFileError, load_network, save_network
from tests.stepwise import make_network, stepwise_networks
from tests.strategies import networks

NETWORK = networks(max_layers=2).filter(lambda network: len(network.layers) == 2)


def example() -> Network:
    """One fixed network of two layers, 5-3-2."""
    rng = np.random.default_rng(3)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (neurons, fan_in)), rng.integers(1, 3, neurons))
        for fan_in, neurons in ((5, 3), (3, 2))
    ]
    encoding = LatencyEncoding(levels=(200, 100))
    return Network(encoding=encoding, layers=layers, metadata={"recipe": "bs4nn", "seed": 1})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved example network."""
    return save_network(example(), tmp_path / "folder" / "net.safetensors")


def rewrite(
    path: Path,
    *,
    fields: Callable[[dict], None] = lambda _: None,
    tensors: Callable[[dict], None] = lambda _: None,
) -> None:
    """Change the description or the tensors of a file, and write a whole safetensors file."""
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    description = json.loads(json.loads(header[8 : 8 + size])["__metadata__"]["popspike"])
    arrays = load_file(path)
    fields(description)
    tensors(arrays)
    save_file(arrays, path, metadata={"popspike": json.dumps(description)})


def refuses(path: Path, message: str) -> None:
    with pytest.raises(NetworkFileError) as caught:
        load_network(path)
    assert str(caught.value) == message.format(path=path)


@settings(max_examples=20, deadline=None)
@given(network=networks())
def test_what_is_saved_is_loaded(
    network: Network, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = save_network(network, tmp_path_factory.mktemp("file") / "n.safetensors")
    loaded = load_network(path)
    assert loaded.encoding == network.encoding
    assert loaded.readout is network.readout
    assert loaded.input_shape == network.input_shape
    for one, other in zip(loaded.layers, network.layers, strict=True):
        assert np.array_equal(one.weights, other.weights)
        assert np.array_equal(one.thresholds, other.thresholds)
        assert (one.fan_in, one.kind) == (other.fan_in, other.kind)


def test_metadata_survives_and_no_partial_file_is_left(saved: Path) -> None:
    assert load_network(saved).metadata == {"recipe": "bs4nn", "seed": 1}
    assert [entry.name for entry in saved.parent.iterdir()] == ["net.safetensors"]


def test_missing_file(tmp_path: Path) -> None:
    refuses(tmp_path / "none.safetensors", "Network file {path} does not exist")


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_file_is_refused(share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save_network(example(), tmp_path_factory.mktemp("cut") / "n.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NetworkFileError, match="must be a whole safetensors file"):
        load_network(path)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bit_is_refused_or_harmless(
    place: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = save_network(example(), tmp_path_factory.mktemp("bit") / "n.safetensors")
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        loaded = load_network(path)
    except NetworkFileError:
        return
    assert loaded.fingerprint() == example().fingerprint()


def test_pickled_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.with_suffix(".npy").rename(path)
    with pytest.raises(NetworkFileError, match="must be a whole safetensors file"):
        load_network(path)
    save_file({"a": np.zeros(1)}, path)
    refuses(path, "Network file {path} has no field 'popspike'")


@pytest.mark.parametrize("version", [0, 1, 2, "3", None])
def test_other_format_version_is_refused(saved: Path, version: object) -> None:
    rewrite(saved, fields=lambda description: description.update(format=version))
    refuses(saved, f"Network file {{path}}: format must be 3, not {version!r}")


@pytest.mark.parametrize(
    "field",
    [
        "format",
        "encoding",
        "readout",
        "input_shape",
        "inverse_temperature",
        "layers",
        "memory",
        "encoder",
        "encoder_shifts",
        "fingerprint",
        "metadata",
    ],
)
def test_missing_field_is_named(saved: Path, field: str) -> None:
    rewrite(saved, fields=lambda description: description.pop(field))
    refuses(saved, f"Network file {{path}} has no field {field!r}")


def test_missing_tensor_is_named(saved: Path) -> None:
    rewrite(saved, tensors=lambda arrays: arrays.pop("layer1.weights"))
    refuses(saved, "Network file {path} has no field 'layer1.weights'")


def test_contradictions_are_named(saved: Path) -> None:
    whole = saved.read_bytes()

    def case(message: str, **change: Callable[[dict], None]) -> None:
        saved.write_bytes(whole)
        rewrite(saved, **change)
        refuses(saved, f"Network file {{path}}: {message}")

    case(
        "layer 0 must have 4 neurons, not 3",
        fields=lambda description: description["layers"][0].update(neurons=4),
    )
    case(
        "Fan-in of layer 1 must equal the 3 neurons before it, not 4",
        fields=lambda description: description["layers"][1].update(fan_in=4),
    )
    case(
        "Neuron kind must be one of single-spike-if, lif, spike-response, diffused-quantiser, "
        "integrator, not 'izh'",
        fields=lambda description: description["layers"][1].update(kind="izh"),
    )
    case(
        "Readout must be one of first-spike, final-potential, summed-potential, not 'vote'",
        fields=lambda description: description.update(readout="vote"),
    )
    case(
        "Levels must never rise from step to step, not (100, 200)",
        fields=lambda description: description["encoding"].update(levels=[100, 200]),
    )
    case(
        "Input shape must have 5 features, not (2, 3)",
        fields=lambda description: description.update(input_shape=[2, 3]),
    )
    case(
        "Thresholds must be int32 of shape (2,), not int64 of shape (2,)",
        tensors=lambda arrays: arrays.update({"layer1.thresholds": np.zeros(2, np.int64)}),
    )


def posterior(*, members: int = 1, sampled: bool = True) -> Network:
    """A fixed network of neurons with a state, 11-3-2."""
    return make_network((11, 3, 2), seed=6, members=members, sampled=sampled)


def test_a_posterior_that_is_not_one_is_refused(tmp_path: Path) -> None:
    path = save_network(posterior(), tmp_path / "posterior.safetensors")
    whole = path.read_bytes()
    mask = "layer0.undecided"

    def case(message: str, **change: Callable[[dict], None]) -> None:
        path.write_bytes(whole)
        rewrite(path, **change)
        refuses(path, f"Network file {{path}}: {message}")

    once = "Undecided weights must be 0 in the one weight set of their layer"
    unused = "Unused bits of the mask of undecided weights must be 0"
    shape = "Mask of undecided weights must be uint8 of shape (3, 2), not"

    def invert(arrays: dict[str, np.ndarray]) -> None:
        arrays["layer0.weights"] = arrays["layer0.weights"] | arrays[mask]

    def repeat(arrays: dict[str, np.ndarray]) -> None:
        arrays["layer0.weights"] = np.repeat(arrays["layer0.weights"], 2, axis=0)

    def stray(arrays: dict[str, np.ndarray]) -> None:
        arrays[mask][2, 1] |= 8

    case(once, tensors=invert)
    case(once, tensors=repeat)
    case(unused, tensors=stray)
    case(
        f"{shape} uint8 of shape (2, 2)",
        tensors=lambda arrays: arrays.update({mask: arrays[mask][:2]}),
    )
    case(
        f"{shape} float32 of shape (3, 2)",
        tensors=lambda arrays: arrays.update({mask: arrays[mask].astype(np.float32)}),
    )
    expected = f"{posterior().fingerprint():#010x}"
    for change in (
        lambda arrays: arrays.pop(mask),  # certain where it was undecided
        lambda arrays: arrays.update({mask: arrays[mask] & 0}),
    ):
        path.write_bytes(whole)
        rewrite(path, tensors=change)
        with pytest.raises(NetworkFileError, match=f"fingerprint must be {expected}, not 0x"):
            load_network(path)


def test_dynamics_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    path = save_network(posterior(sampled=False, members=3), tmp_path / "n.safetensors")
    whole = path.read_bytes()

    def case(message: str, change: Callable[[dict], object]) -> None:
        path.write_bytes(whole)
        rewrite(path, fields=lambda description: change(description["layers"][0]))
        refuses(path, f"Network file {{path}}: {message}")

    case(
        "Dynamics of layer 0 must have a field 'membrane_bits'",
        lambda layer: layer["dynamics"].pop("membrane_bits"),
    )
    case(
        "Dynamics of layer 0 must not have a field 'tau'",
        lambda layer: layer["dynamics"].update(tau=3),
    )
    case("Dynamics of kind lif must be given", lambda layer: layer.update(dynamics=None))
    case(
        "Membrane bits must be an integer in 0..32, not 99",
        lambda layer: layer["dynamics"].update(membrane_bits=99),
    )


@settings(max_examples=20, deadline=None)
@given(network=stepwise_networks())
def test_stepwise_networks_are_loaded_as_they_were(
    network: Network, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = save_network(network, tmp_path_factory.mktemp("file") / "n.safetensors")
    loaded = load_network(path)
    assert (loaded.encoding, loaded.members) == (network.encoding, network.members)
    assert loaded.inverse_temperature == network.inverse_temperature
    for one, other in zip(loaded.layers, network.layers, strict=True):
        assert np.array_equal(one.weights, other.weights)
        assert (one.kind, one.dynamics) == (other.kind, other.dynamics)
        assert (one.undecided is None) == (other.undecided is None)
        assert one.undecided is None or np.array_equal(one.undecided, other.undecided)


def test_changed_weight_breaks_the_fingerprint(saved: Path) -> None:
    def flip(arrays: dict[str, np.ndarray]) -> None:
        arrays["layer0.weights"][0, 0, 0] ^= 1

    expected = example().fingerprint()
    rewrite(saved, tensors=flip)
    with pytest.raises(NetworkFileError, match=f"fingerprint must be {expected:#010x}, not 0x"):
        load_network(saved)


@settings(max_examples=10, deadline=None)
@given(network=NETWORK)
def test_swapped_layers_are_refused(
    network: Network, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = save_network(network, tmp_path_factory.mktemp("swap") / "n.safetensors")
    expected = load_network(path).fingerprint()

    def swap(arrays: dict[str, np.ndarray]) -> None:
        for name in ("weights", "thresholds"):
            first, second = f"layer0.{name}", f"layer1.{name}"
            arrays[first], arrays[second] = arrays[second], arrays[first]

    rewrite(path, tensors=swap)
    with contextlib.suppress(NetworkFileError):
        assert load_network(path).fingerprint() == expected
