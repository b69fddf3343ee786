# SPDX-License-Identifier: Apache-2.0
"""The network description: one frozen object that model, gateware, loader and tests all read.

No torch here: the gateware generator and the host driver import this module on machines that
have only numpy.
"""

import dataclasses
import enum
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = [
    "MAX_STEPS",
    "LatencyEncoding",
    "Layer",
    "Network",
    "NetworkError",
    "NeuronKind",
    "Readout",
    "pack_signs",
]

MAX_STEPS = 256


class NetworkError(ValueError):
    """A network description that contradicts itself; the text names the field and the rule."""


class NeuronKind(enum.StrEnum):
    """Neuron kinds; the semantics of each stand in ``model/golden.py``."""

    SINGLE_SPIKE = "single-spike-if"


class Readout(enum.StrEnum):
    """How a class is read from the output neurons; ties go to the lower class index."""

    FIRST_SPIKE = "first-spike"
    FINAL_POTENTIAL = "final-potential"
    SUMMED_POTENTIAL = "summed-potential"


def pack_signs(signs: np.ndarray) -> np.ndarray:
    """Pack weights of -1 and +1 into bits, 1 = +1, least significant bit first.

    Parameters
    ----------
    signs
        Integer array (neurons, fan_in), every value -1 or +1.

    Returns
    -------
    numpy.ndarray
        uint8 array (neurons, ceil(fan_in / 8)); unused bits of the last byte are 0.

    Raises
    ------
    NetworkError
        If a value is neither -1 nor +1 (there is no zero weight).
    """
    signs = np.asarray(signs)
    if signs.ndim != 2 or not np.isin(signs, (-1, 1)).all():
        raise NetworkError("Weights must be a matrix of -1 and +1")
    return np.packbits(signs > 0, axis=1, bitorder="little")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyEncoding:
    """Intensity to latency: a pixel spikes once, at the first step whose level it reaches.

    BS4NN section 2 (brightest first); ``levels[t] = 255 - t`` is the published code.

    Parameters
    ----------
    levels
        One intensity per time step, 1..255, never rising. A pixel of value ``v`` spikes at the
        first step t with ``v >= levels[t]``, and never if ``v < levels[-1]`` (the intensity cut).
    """

    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        levels = tuple(int(level) for level in self.levels)
        object.__setattr__(self, "levels", levels)
        if not 1 <= len(levels) <= MAX_STEPS:
            raise NetworkError(f"Levels must number 1 to {MAX_STEPS}, not {len(levels)}")
        if min(levels) < 1 or max(levels) > 255:
            raise NetworkError(f"Levels must lie in 1..255, not {levels!r}")
        if any(later > earlier for earlier, later in zip(levels, levels[1:], strict=False)):
            raise NetworkError(f"Levels must never rise from step to step, not {levels!r}")

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return len(self.levels)

    def table(self) -> np.ndarray:
        """Return the spike step of each intensity: int16 array (256,), T where none is sent."""
        values = np.arange(256)[:, None]
        reached = values >= np.array(self.levels)[None, :]
        return np.where(reached.any(1), reached.argmax(1), self.steps).astype(np.int16)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A fully connected layer of one neuron kind.

    Parameters
    ----------
    weights
        Packed signs, uint8 (neurons, ceil(fan_in / 8)), see `pack_signs`.
    thresholds
        int32 (neurons,). The neuron fires at the end of a step with ``V >= threshold``.
    fan_in
        Number of inputs.
    kind
        Neuron kind.
    """

    weights: np.ndarray
    thresholds: np.ndarray
    fan_in: int
    kind: NeuronKind = NeuronKind.SINGLE_SPIKE

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", NeuronKind(self.kind))
        except ValueError:
            known = ", ".join(NeuronKind)
            raise NetworkError(f"Neuron kind must be one of {known}, not {self.kind!r}") from None
        weights, thresholds = self.weights, self.thresholds
        if weights.dtype != np.uint8 or weights.ndim != 2:
            raise NetworkError("Packed weights must be a uint8 matrix")
        if thresholds.dtype != np.int32 or thresholds.shape != (weights.shape[0],):
            raise NetworkError(
                f"Thresholds must be int32 of shape ({weights.shape[0]},), "
                f"not {thresholds.dtype} of shape {thresholds.shape}"
            )
        if self.fan_in < 1 or weights.shape[0] < 1:
            raise NetworkError("A layer must have at least one input and one neuron")
        if weights.shape[1] != (self.fan_in + 7) // 8:
            raise NetworkError(
                f"Packed weights must have {(self.fan_in + 7) // 8} bytes a neuron for fan-in "
                f"{self.fan_in}, not {weights.shape[1]}"
            )
        unused = 8 * weights.shape[1] - self.fan_in
        if unused and (weights[:, -1] >> (8 - unused)).any():
            raise NetworkError("Unused bits of packed weights must be 0")

    @classmethod
    def from_signs(cls, signs: np.ndarray, thresholds: np.ndarray, **fields: Any) -> "Layer":
        """Make a layer from a (neurons, fan_in) matrix of -1 and +1 and integer thresholds.

        Thresholds that no potential can reach, or that every potential reaches, are moved to the
        nearest value with the same effect on firing (``fan_in + 1`` and ``-fan_in``).
        """
        fan_in = signs.shape[1]
        clipped = np.clip(np.asarray(thresholds, dtype=np.int64), -fan_in, fan_in + 1)
        return cls(
            weights=pack_signs(signs), thresholds=clipped.astype(np.int32), fan_in=fan_in, **fields
        )

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[0])

    def signs(self) -> np.ndarray:
        """Return the weights as an int8 array (neurons, fan_in) of -1 and +1."""
        bits = np.unpackbits(self.weights, axis=1, count=self.fan_in, bitorder="little")
        return (2 * bits.astype(np.int8) - 1).astype(np.int8)

    def potential_range(self) -> tuple[int, int]:
        """Bounds of ``V - threshold`` over all neurons, all inputs and all partial sums."""
        positive = np.unpackbits(self.weights, axis=1, count=self.fan_in, bitorder="little").sum(
            axis=1, dtype=np.int64
        )
        low = (positive - self.fan_in) - self.thresholds
        high = positive - self.thresholds
        return int(min(low.min(), 0)), int(max(high.max(), 0))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A frozen integer network: encoding, layers, readout.

    Parameters
    ----------
    encoding
        Input encoding, which also sets the number of steps.
    layers
        One or more layers; each fan-in equals the neurons of the layer before.
    readout
        Decision rule on the last layer.
    input_shape
        Shape of one sample, for pictures; its product is the first fan-in.
    metadata
        JSON-able facts: data set, recipe, seed, command, accuracies, licences.
    """

    encoding: LatencyEncoding
    layers: tuple[Layer, ...]
    readout: Readout = Readout.FIRST_SPIKE
    input_shape: tuple[int, ...] = ()
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        try:
            object.__setattr__(self, "readout", Readout(self.readout))
        except ValueError:
            known = ", ".join(Readout)
            raise NetworkError(f"Readout must be one of {known}, not {self.readout!r}") from None
        if not self.layers:
            raise NetworkError("A network must have at least one layer")
        for index, (before, after) in enumerate(
            zip(self.layers, self.layers[1:], strict=False), start=1
        ):
            if after.fan_in != before.neurons:
                raise NetworkError(
                    f"Fan-in of layer {index} must equal the {before.neurons} neurons before it, "
                    f"not {after.fan_in}"
                )
        shape = tuple(int(size) for size in self.input_shape) or (self.layers[0].fan_in,)
        object.__setattr__(self, "input_shape", shape)
        if int(np.prod(shape)) != self.layers[0].fan_in:
            raise NetworkError(
                f"Input shape must have {self.layers[0].fan_in} features, not {shape!r}"
            )

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return self.encoding.steps

    @property
    def features(self) -> int:
        """Number of inputs of the first layer."""
        return self.layers[0].fan_in

    @property
    def classes(self) -> int:
        """Number of output neurons."""
        return self.layers[-1].neurons

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes, inputs first, for example (784, 600, 10)."""
        return (self.features, *(layer.neurons for layer in self.layers))

    def fingerprint(self) -> int:
        """CRC-32 of everything that decides a prediction (metadata left out)."""
        crc = zlib.crc32(repr((self.encoding.levels, str(self.readout), self.sizes)).encode())
        for layer in self.layers:
            crc = zlib.crc32(str(layer.kind).encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(layer.weights).tobytes(), crc)
            crc = zlib.crc32(np.ascontiguousarray(layer.thresholds, dtype="<i4").tobytes(), crc)
        return crc
