# SPDX-License-Identifier: Apache-2.0
"""What yardsticks of every form have: layers of float weights and thresholds, facts beside them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from model.encoding import Encoding, NetworkError

__all__ = ["FloatLayers"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FloatLayers:
    """Layers of float weights behind an encoding.

    Parameters
    ----------
    encoding
        Input encoding.
    weights
        float32 (neurons, fan_in) of each layer, the output last.
    thresholds
        float32 (neurons,) of each layer; scores are counted from those of the output.
    input_shape, inverse_temperature, metadata
        As in `model.description.Network`.
    """

    encoding: Encoding
    weights: tuple[np.ndarray, ...]
    thresholds: tuple[np.ndarray, ...]
    input_shape: tuple[int, ...]
    inverse_temperature: float = 1.0
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Number of time steps T of a sample."""
        return self.encoding.steps

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes, inputs of the first layer first."""
        return (int(self.weights[0].shape[1]), *(int(each.shape[0]) for each in self.weights))

    def check_layers(self, fan_in: int) -> None:
        """Refuse weights and thresholds that do not fit each other, or the inputs.

        Raises
        ------
        NetworkError
            Naming the layer.
        """
        if not self.weights or len(self.weights) != len(self.thresholds):
            raise NetworkError("A yardstick must have thresholds for each layer")
        for index, (weight, threshold) in enumerate(
            zip(self.weights, self.thresholds, strict=True)
        ):
            if weight.ndim != 2 or weight.shape[1] != fan_in or threshold.shape != weight.shape[:1]:
                raise NetworkError(
                    f"Weights of layer {index} must be (neurons, {fan_in}), not {weight.shape}"
                )
            fan_in = weight.shape[0]

    def layer_arrays(self) -> dict[str, np.ndarray]:
        """Weights and thresholds by the names that a file gives them."""
        arrays = {}
        for index, (weight, threshold) in enumerate(
            zip(self.weights, self.thresholds, strict=True)
        ):
            arrays[f"layer{index}.weights"] = weight
            arrays[f"layer{index}.thresholds"] = threshold
        return arrays

    @staticmethod
    def layers_of(arrays: Mapping[str, np.ndarray], count: int) -> dict[str, Any]:
        """Inverse of `layer_arrays`, as the fields of a yardstick.

        Raises
        ------
        KeyError
            If an array of one of ``count`` layers is missing.
        """
        return {
            name: tuple(arrays[f"layer{index}.{name}"] for index in range(count))
            for name in ("weights", "thresholds")
        }
