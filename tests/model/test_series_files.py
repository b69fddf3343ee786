# SPDX-License-Identifier: Apache-2.0
"""Files of networks on series: what is saved is loaded, what contradicts itself is refused."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.description import Layer, Network, NetworkError
from model.golden import run
from model.network_file import load_network, save_network
from tests.model.test_network_file import refuses, rewrite
from tests.series import (
    make_recurrent,
    parallel_networks,
    recurrent_networks,
    series_for,
    series_networks,
)

RECURRENT = make_recurrent(seed=2, channels=2, memory_channels=2)


@settings(max_examples=45, deadline=None)
@given(
    network=st.one_of(parallel_networks(), recurrent_networks(), series_networks()),
    beta=st.floats(0.01, 9),
)
def test_what_is_saved_is_loaded(
    network: Network, beta: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = dataclasses.replace(network, inverse_temperature=beta, metadata={"seed": 3})
    path = save_network(network, tmp_path_factory.mktemp("file") / "n.safetensors")
    loaded = load_network(path)
    assert loaded.fingerprint() == network.fingerprint()
    assert (loaded.encoding, loaded.encoder_shifts) == (network.encoding, network.encoder_shifts)
    assert (loaded.metadata, loaded.inverse_temperature) == ({"seed": 3}, beta)
    assert (loaded.memory is None) == (network.memory is None)
    if network.memory is not None:
        assert loaded.memory.identity() == network.memory.identity()
    one, other = [
        [*each.layers, *([each.encoder] if each.encoder else [])] for each in (loaded, network)
    ]
    for layer, wanted in zip(one, other, strict=True):
        for field in dataclasses.fields(Layer):
            found, value = getattr(layer, field.name), getattr(wanted, field.name)
            if isinstance(value, np.ndarray):
                assert found.dtype == value.dtype
                assert np.array_equal(found, value)
            else:
                assert found == value
    series = series_for(network, count=2, seed=1)
    assert run(loaded, series).member_scores.equal(run(network, series).member_scores)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bit_is_refused_or_harmless(
    place: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = save_network(RECURRENT, tmp_path_factory.mktemp("bit") / "n.safetensors")
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        loaded = load_network(path)
    except NetworkError:
        return
    assert loaded.fingerprint() == RECURRENT.fingerprint()


def file_cases() -> list[tuple[str, dict[str, Callable[[dict], object]]]]:
    """What may be wrong in a file of a recurrent network, and what is said."""

    def fields(change: Callable[[dict], object]) -> dict[str, Callable[[dict], object]]:
        return {"fields": change}

    def drop(name: str) -> dict[str, Callable[[dict], object]]:
        return {"tensors": lambda arrays: arrays.pop(name)}

    def put(name: str, values: np.ndarray) -> dict[str, Callable[[dict], object]]:
        return {"tensors": lambda arrays: arrays.update({name: values})}

    return [
        (" has no field 'memory.coefficients'", drop("memory.coefficients")),
        (" has no field 'memory.emission_shifts'", drop("memory.emission_shifts")),
        (" has no field 'encoder.weights'", drop("encoder.weights")),
        (" has no field 'encoder.thresholds'", drop("encoder.thresholds")),
        (": Gains of kind diffused-quantiser must be given", drop("layer0.gains")),
        (
            ": Gains must be uint8 of shape (4,), not uint8 of shape (3,)",
            put("layer0.gains", np.zeros(3, np.uint8)),
        ),
        (
            ": Coefficients of the memory must be uint16 of shape (5,), not uint16 of shape (6,)",
            put("memory.coefficients", np.ones(6, np.uint16)),
        ),
        (
            ": Window of the memory must lie in 2..65535, not 0",
            fields(lambda text: text["memory"].update(window=0)),
        ),
        (": Encoder shifts must be 3, not 0", fields(lambda text: text.update(encoder_shifts=[]))),
        (
            ": encoder must have 3 neurons, not 2",
            fields(lambda text: text["encoder"].update(neurons=3)),
        ),
        (
            ": Dynamics of encoder must have a field 'emission_bits'",
            fields(lambda text: text["encoder"]["dynamics"].pop("emission_bits")),
        ),
        (
            ": Encoding series has fields that do not belong to it: SeriesEncoding.__init__() got "
            "an unexpected keyword argument 'levels'",
            fields(lambda text: text["encoding"].update(levels=[1])),
        ),
        (
            ": Memory must not have a field 'tau'",
            fields(lambda text: text["memory"].update(tau=1)),
        ),
        (": Memory must have a field 'reads'", fields(lambda text: text["memory"].pop("reads"))),
        (
            ": Inputs of layer 0 must be integers of 3 bits with a sign, not integers of 3 bits "
            "without a sign",
            fields(lambda text: text["layers"][0].update(input_signed=False)),
        ),
        (
            ": An encoder must have a memory behind it",
            fields(lambda text: text.update(memory=None)),
        ),
        (
            ": Encoder shifts must have an encoder",
            fields(lambda text: text.update(encoder=None)),
        ),
    ]


@pytest.mark.parametrize(("message", "change"), file_cases())
def test_contradictions_of_a_file_are_named(
    message: str, change: dict[str, Callable[[dict], None]], tmp_path: Path
) -> None:
    path = save_network(RECURRENT, tmp_path / "n.safetensors")
    rewrite(path, **change)
    refuses(path, f"Network file {{path}}{message}")


@pytest.mark.parametrize(
    "name", ["memory.coefficients", "memory.emission_shifts", "layer0.gains", "encoder.weights"]
)
def test_changed_integers_break_the_fingerprint(name: str, tmp_path: Path) -> None:
    path = save_network(RECURRENT, tmp_path / "n.safetensors")

    def flip(arrays: dict[str, np.ndarray]) -> None:
        arrays[name].reshape(-1)[0] ^= 1

    rewrite(path, tensors=flip)
    expected = RECURRENT.fingerprint()
    with pytest.raises(NetworkError, match=f"fingerprint must be {expected:#010x}, not 0x"):
        load_network(path)
