# SPDX-License-Identifier: Apache-2.0
"""Network files: safetensors (no pickle) with a format version and a checksum.

Tensors ``layer<k>.weights`` (uint8 of 3 axes, packed signs of each member),
``layer<k>.thresholds`` (int32) and, where members are drawn, ``layer<k>.undecided`` (uint8,
packed mask), of diffused quantisers ``layer<k>.gains`` (uint8); the same of ``encoder``; of a
memory ``memory.coefficients`` (uint16) and ``memory.emission_shifts`` (uint8). The metadata entry
``popspike`` is JSON with everything else.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from model.description import Dynamics, Layer, LegendreMemory, Network, NetworkError
from model.encoding import encoding_from_json
from model.tensor_file import read_tensor_file, write_tensor_file

__all__ = ["FORMAT_VERSION", "NetworkFileError", "load_network", "save_network"]

FORMAT_VERSION = 3

_KEY = "popspike"


class NetworkFileError(NetworkError):
    """A network file that cannot be read; the text names the file and the field."""


def save_network(network: Network, path: str | os.PathLike[str]) -> Path:
    """Write a network file beside its final name, then rename: no partial file is left.

    Returns
    -------
    pathlib.Path
        The path written.
    """
    path = Path(path)
    description = {
        "format": FORMAT_VERSION,
        "encoding": network.encoding.to_json(),
        "readout": str(network.readout),
        "input_shape": list(network.input_shape),
        "inverse_temperature": network.inverse_temperature,
        "layers": [_layer_to_json(layer) for layer in network.layers],
        "memory": network.memory and network.memory.to_json(),
        "encoder": network.encoder and _layer_to_json(network.encoder),
        "encoder_shifts": list(network.encoder_shifts),
        "fingerprint": network.fingerprint(),
        "metadata": dict(network.metadata),
    }
    named = {f"layer{index}": layer for index, layer in enumerate(network.layers)}
    if network.encoder is not None:
        named["encoder"] = network.encoder
    tensors = {
        f"{name}.{field}": getattr(layer, field)
        for name, layer in named.items()
        for field in _LAYER_TENSORS
        if getattr(layer, field) is not None
    }
    if network.memory is not None:
        for field in _MEMORY_TENSORS:
            tensors[f"memory.{field}"] = getattr(network.memory, field)
    return write_tensor_file(path, tensors, key=_KEY, description=description)


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network file.

    Raises
    ------
    NetworkFileError
        If the file is missing, truncated, of another format version, or contradicts itself.
    """
    path = Path(path)
    description, tensors = read_tensor_file(
        path, key=_KEY, noun="Network file", error=NetworkFileError
    )
    try:
        return _network(path, description, tensors)
    except NetworkFileError:
        raise
    except KeyError as error:
        raise NetworkFileError(f"Network file {path} has no field {error}") from None
    except (NetworkError, TypeError, ValueError, AttributeError) as error:
        raise NetworkFileError(f"Network file {path}: {error}") from None


_LAYER_TENSORS = ("weights", "thresholds", "undecided", "gains")
_MEMORY_TENSORS = ("coefficients", "emission_shifts")


def _noun(name: str) -> str:
    """``layer0`` as texts say it."""
    return name.replace("layer", "layer ")


def _layer_to_json(layer: Layer) -> dict[str, Any]:
    return {
        "fan_in": layer.fan_in,
        "neurons": layer.neurons,
        "kind": str(layer.kind),
        "dynamics": layer.dynamics and dataclasses.asdict(layer.dynamics),
        "input_bits": layer.input_bits,
        "input_signed": layer.input_signed,
    }


def _layer(path: Path, name: str, fields: dict[str, Any], tensors: dict[str, np.ndarray]) -> Layer:
    layer = Layer(
        weights=tensors[f"{name}.weights"],
        thresholds=tensors[f"{name}.thresholds"],
        fan_in=int(fields["fan_in"]),
        kind=fields["kind"],
        dynamics=_dynamics(name, fields["dynamics"]),
        undecided=tensors.get(f"{name}.undecided"),
        input_bits=fields["input_bits"],
        input_signed=fields["input_signed"],
        gains=tensors.get(f"{name}.gains"),
    )
    if layer.neurons != fields["neurons"]:
        raise NetworkFileError(
            f"Network file {path}: {_noun(name)} must have {fields['neurons']} neurons, "
            f"not {layer.neurons}"
        )
    return layer


def _memory(fields: dict[str, Any], tensors: dict[str, np.ndarray]) -> LegendreMemory:
    given: dict[str, Any] = {name: tensors[f"memory.{name}"] for name in _MEMORY_TENSORS}
    _check_fields("Memory", LegendreMemory, {*fields, *given})
    return LegendreMemory(**fields, **given)


def _dynamics(name: str, fields: dict[str, Any] | None) -> Dynamics | None:
    if fields is None:
        return None
    _check_fields(f"Dynamics of {_noun(name)}", Dynamics, set(fields))
    return Dynamics(**fields)


def _check_fields(noun: str, kind: type, found: set[str]) -> None:
    """Refuse fields that a dataclass lacks or misses."""
    known = {field.name for field in dataclasses.fields(kind)}
    for field in sorted(known ^ found):
        rule = "have" if field in known else "not have"
        raise NetworkError(f"{noun} must {rule} a field {field!r}")


def _network(path: Path, description: dict[str, Any], tensors: dict[str, np.ndarray]) -> Network:
    if description["format"] != FORMAT_VERSION:
        raise NetworkFileError(
            f"Network file {path}: format must be {FORMAT_VERSION}, not {description['format']!r}"
        )
    encoder, memory = description["encoder"], description["memory"]
    network = Network(
        encoding=encoding_from_json(description["encoding"]),
        layers=tuple(
            _layer(path, f"layer{index}", fields, tensors)
            for index, fields in enumerate(description["layers"])
        ),
        memory=None if memory is None else _memory(memory, tensors),
        encoder=None if encoder is None else _layer(path, "encoder", encoder, tensors),
        encoder_shifts=tuple(description["encoder_shifts"]),
        readout=description["readout"],
        input_shape=tuple(description["input_shape"]),
        inverse_temperature=float(description["inverse_temperature"]),
        metadata=description["metadata"],
    )
    if network.fingerprint() != description["fingerprint"]:
        raise NetworkFileError(
            f"Network file {path}: fingerprint must be {description['fingerprint']:#010x}, "
            f"not {network.fingerprint():#010x}"
        )
    return network
