# SPDX-License-Identifier: Apache-2.0
"""Network files: safetensors (no pickle) with a format version and a checksum.

Tensors ``layer<k>.weights`` (uint8 of 3 axes, packed signs of each member),
``layer<k>.thresholds`` (int32) and, where members are drawn, ``layer<k>.undecided`` (uint8,
packed mask); the metadata entry ``popspike`` is JSON with everything else.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from model.description import Dynamics, Layer, Network, NetworkError
from model.encoding import encoding_from_json

__all__ = ["FORMAT_VERSION", "NetworkFileError", "load_network", "save_network"]

FORMAT_VERSION = 2


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
        "layers": [
            {
                "fan_in": layer.fan_in,
                "neurons": layer.neurons,
                "kind": str(layer.kind),
                "dynamics": layer.dynamics and dataclasses.asdict(layer.dynamics),
            }
            for layer in network.layers
        ],
        "fingerprint": network.fingerprint(),
        "metadata": dict(network.metadata),
    }
    tensors = {}
    for index, layer in enumerate(network.layers):
        tensors[f"layer{index}.weights"] = np.ascontiguousarray(layer.weights)
        tensors[f"layer{index}.thresholds"] = np.ascontiguousarray(layer.thresholds)
        if layer.undecided is not None:
            tensors[f"layer{index}.undecided"] = np.ascontiguousarray(layer.undecided)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, temporary, metadata={"popspike": json.dumps(description)})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network file.

    Raises
    ------
    NetworkFileError
        If the file is missing, truncated, of another format version, or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise NetworkFileError(f"Network file {path} does not exist")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("popspike")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise NetworkFileError(
            f"Network file {path} must be a whole safetensors file: {error}"
        ) from None
    if text is None:
        raise NetworkFileError(f"Network file {path} has no field 'popspike'")
    try:
        return _network(path, json.loads(text), tensors)
    except NetworkFileError:
        raise
    except KeyError as error:
        raise NetworkFileError(f"Network file {path} has no field {error}") from None
    except (NetworkError, TypeError, ValueError, AttributeError) as error:
        raise NetworkFileError(f"Network file {path}: {error}") from None


def _dynamics(index: int, fields: dict[str, Any] | None) -> Dynamics | None:
    known = {field.name for field in dataclasses.fields(Dynamics)}
    if fields is None:
        return None
    for name in sorted(known ^ set(fields)):
        rule = "have" if name in known else "not have"
        raise NetworkError(f"Dynamics of layer {index} must {rule} a field {name!r}")
    return Dynamics(**fields)


def _network(path: Path, description: dict[str, Any], tensors: dict[str, np.ndarray]) -> Network:
    if description["format"] != FORMAT_VERSION:
        raise NetworkFileError(
            f"Network file {path}: format must be {FORMAT_VERSION}, not {description['format']!r}"
        )
    layers = []
    for index, fields in enumerate(description["layers"]):
        layer = Layer(
            weights=tensors[f"layer{index}.weights"],
            thresholds=tensors[f"layer{index}.thresholds"],
            fan_in=int(fields["fan_in"]),
            kind=fields["kind"],
            dynamics=_dynamics(index, fields["dynamics"]),
            undecided=tensors.get(f"layer{index}.undecided"),
        )
        if layer.neurons != fields["neurons"]:
            raise NetworkFileError(
                f"Network file {path}: layer {index} must have {fields['neurons']} neurons, "
                f"not {layer.neurons}"
            )
        layers.append(layer)
    network = Network(
        encoding=encoding_from_json(description["encoding"]),
        layers=tuple(layers),
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
