# SPDX-License-Identifier: Apache-2.0
"""Yardsticks: networks of float weights that binary ones are measured against.

Same encoding, sizes and decision rule, float32 weights and thresholds; no gateware runs them. A
file of its own kind (safetensors, metadata entry ``popspike-yardstick``), so that nothing takes one
for a network.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.description import Dynamics, NetworkError, NeuronKind
from model.encoding import EventEncoding, SeriesEncoding, encoding_from_json
from model.events import Events, rasterise
from model.float_layers import FloatLayers
from model.lmu_yardstick import LmuYardstick
from model.tensor_file import read_tensor_file, write_tensor_file

__all__ = [
    "YARDSTICK_VERSION",
    "LmuYardstick",
    "SpikingYardstick",
    "Yardstick",
    "load_yardstick",
    "save_yardstick",
]

YARDSTICK_VERSION = 1

_KEY = "popspike-yardstick"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SpikingYardstick(FloatLayers):
    """A spiking network of float weights, with leaks as real multiplications.

    As trained with the rule ``full-precision``.

    Parameters
    ----------
    encoding, weights, thresholds, input_shape, inverse_temperature, metadata
        See `FloatLayers`.
    kind, dynamics
        Kind of the hidden neurons; shifts, jump and fraction bits of each hidden layer.
    burn_in
        Steps whose spikes do not count in the readout.
    """

    kind: NeuronKind
    dynamics: tuple[Dynamics, ...]
    burn_in: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", NeuronKind(self.kind))
        if len(self.dynamics) + 1 != len(self.weights):
            raise NetworkError("A yardstick must have dynamics for each layer but the last")
        self.check_layers(int(np.prod(self.input_shape)))

    def encode(self, samples: np.ndarray | Events) -> torch.Tensor:
        """Input spikes bool (T', N, features), T' <= T."""
        from model.train.bisnn.inputs import encode_images  # late: training imports this module

        if isinstance(self.encoding, EventEncoding):
            if not isinstance(samples, Events):
                raise NetworkError("Samples of an event encoding must be events")
            return torch.from_numpy(rasterise(self.encoding, samples)).transpose(0, 1).bool()
        if isinstance(samples, Events):
            raise NetworkError(f"Samples must be images of shape {self.input_shape}, not events")
        images = torch.from_numpy(np.ascontiguousarray(samples)).flatten(1)
        if isinstance(self.encoding, SeriesEncoding):
            raise NetworkError("Encoding of this kind of yardstick must not be a series")
        if images.shape[1] != self.sizes[0]:
            raise NetworkError(f"Samples must have {self.sizes[0]} features, not {images.shape[1]}")
        return encode_images(images, self.encoding)

    @torch.no_grad()
    def scores(self, samples: np.ndarray | Events, *, batch: int = 500) -> np.ndarray:
        """Scores of the classes, float32 (N, classes); the class is the largest one's."""
        from model.train.bisnn.dynamics import Surrogate, fire  # late: training imports this module

        parts = []
        for start in range(0, len(samples), batch):
            spikes = self.encode(samples[start : start + batch])
            for index, dynamics in enumerate(self.dynamics):
                steps, count, _ = spikes.shape
                weight = torch.from_numpy(self.weights[index])
                sums = (spikes.reshape(steps * count, -1).float() @ weight.T).view(steps, count, -1)
                spikes = fire(
                    sums,
                    torch.from_numpy(self.thresholds[index]),
                    kind=self.kind,
                    dynamics=dynamics,
                    steps=self.steps,
                    surrogate=Surrogate(width=1.0),
                    exact=False,
                )
            counts = spikes[self.burn_in :].sum(0)
            scores = counts @ torch.from_numpy(self.weights[-1]).T
            parts.append((scores - torch.from_numpy(self.thresholds[-1])).numpy())
        return np.concatenate(parts)

    def contents(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Plain values and arrays for a file."""
        fields = {
            "kind": str(self.kind),
            "dynamics": [dataclasses.asdict(each) for each in self.dynamics],
            "burn_in": self.burn_in,
        }
        return fields, self.layer_arrays()

    @classmethod
    def from_contents(
        cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray], **common: Any
    ) -> "SpikingYardstick":
        """Inverse of `contents`; ``common``: encoding, input shape and the like."""
        return cls(
            kind=fields["kind"],
            dynamics=tuple(Dynamics(**each) for each in fields["dynamics"]),
            burn_in=int(fields["burn_in"]),
            **cls.layers_of(arrays, len(fields["dynamics"]) + 1),
            **common,
        )


#: A yardstick of any form.
Yardstick = SpikingYardstick | LmuYardstick

_HALF_PEAK = float(np.finfo(np.float16).max)
# Forms by the name that a file gives them; files without a name are of the first.
_FORMS: dict[str, type[SpikingYardstick] | type[LmuYardstick]] = {
    "spiking": SpikingYardstick,
    "lmu": LmuYardstick,
}


def _compact(array: np.ndarray) -> np.ndarray:
    """The array in half the bytes where no value is changed by it."""
    half = array.clip(-_HALF_PEAK, _HALF_PEAK).astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array


def save_yardstick(yardstick: Yardstick, path: str | os.PathLike[str]) -> Path:
    """Write a yardstick beside its final name, then rename; returns the path."""
    path = Path(path)
    fields, arrays = yardstick.contents()
    description = {
        "format": YARDSTICK_VERSION,
        "form": next(form for form, kind in _FORMS.items() if isinstance(yardstick, kind)),
        "encoding": yardstick.encoding.to_json(),
        **fields,
        "input_shape": list(yardstick.input_shape),
        "inverse_temperature": yardstick.inverse_temperature,
        "metadata": dict(yardstick.metadata),
    }
    tensors = {name: _compact(np.asarray(array, np.float32)) for name, array in arrays.items()}
    return write_tensor_file(path, tensors, key=_KEY, description=description)


def load_yardstick(path: str | os.PathLike[str]) -> Yardstick:
    """Read a yardstick.

    Raises
    ------
    NetworkError
        If the file is missing, damaged, of another kind, form or version, or contradicts itself.
    """
    path = Path(path)
    fields, tensors = read_tensor_file(path, key=_KEY, noun="Yardstick file", error=NetworkError)
    tensors = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in tensors.items()
    }
    try:
        if fields["format"] != YARDSTICK_VERSION:
            raise NetworkError(f"format must be {YARDSTICK_VERSION}, not {fields['format']!r}")
        form = fields.get("form", "spiking")
        if form not in _FORMS:
            raise NetworkError(f"form must be one of {', '.join(_FORMS)}, not {form!r}")
        return _FORMS[form].from_contents(
            fields,
            tensors,
            encoding=encoding_from_json(fields["encoding"]),
            input_shape=tuple(fields["input_shape"]),
            inverse_temperature=float(fields["inverse_temperature"]),
            metadata=fields["metadata"],
        )
    except KeyError as error:
        raise NetworkError(f"Yardstick file {path} has no field {error}") from None
    except (NetworkError, TypeError, ValueError, AttributeError) as error:
        raise NetworkError(f"Yardstick file {path}: {error}") from None
