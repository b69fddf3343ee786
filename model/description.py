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

from model.encoding import (
    MAX_STEPS,
    Encoding,
    EventEncoding,
    LatencyEncoding,
    NetworkError,
    RateEncoding,
)
from model.neurons import Dynamics, NeuronKind, Reset

__all__ = [
    "MAX_STEPS",
    "Dynamics",
    "EventEncoding",
    "LatencyEncoding",
    "Layer",
    "Network",
    "NetworkError",
    "NeuronKind",
    "RateEncoding",
    "Readout",
    "Reset",
    "pack_signs",
]


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
        Integer array (..., neurons, fan_in), every value -1 or +1.

    Returns
    -------
    numpy.ndarray
        uint8 array (..., neurons, ceil(fan_in / 8)); unused bits of the last byte are 0.

    Raises
    ------
    NetworkError
        If a value is neither -1 nor +1 (there is no zero weight).
    """
    signs = np.asarray(signs)
    if signs.ndim < 2 or not np.isin(signs, (-1, 1)).all():
        raise NetworkError("Weights must be a matrix of -1 and +1")
    return np.packbits(signs > 0, axis=-1, bitorder="little")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A fully connected layer of one neuron kind, with one weight set for each committee member.

    Parameters
    ----------
    weights
        Packed signs, uint8 (members, neurons, ceil(fan_in / 8)), see `pack_signs`. One set serves
        all members of a committee, or there is one for each.
    thresholds
        int32 (neurons,). The neuron fires at the end of a step with ``V >= threshold``; an
        integrator's score is ``V - threshold``. At least 1 for LIF and spike response, so that a
        silent neuron never fires by itself.
    fan_in
        Number of inputs.
    kind
        Neuron kind.
    dynamics
        Parameters of kinds with a state at every step; None for the single-spike kind.
    undecided
        Packed mask, uint8 (neurons, ceil(fan_in / 8)): weights whose bit is 1 are drawn for each
        member (`model.sampling`), -1 or +1 with equal probability; their bit in ``weights`` is 0.
        None: nothing is drawn.
    """

    weights: np.ndarray
    thresholds: np.ndarray
    fan_in: int
    kind: NeuronKind = NeuronKind.SINGLE_SPIKE
    dynamics: Dynamics | None = None
    undecided: np.ndarray | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", NeuronKind(self.kind))
        except ValueError:
            known = ", ".join(NeuronKind)
            raise NetworkError(f"Neuron kind must be one of {known}, not {self.kind!r}") from None
        weights, thresholds = self.weights, self.thresholds
        if weights.dtype != np.uint8 or weights.ndim != 3:
            raise NetworkError("Packed weights must be uint8 of 3 axes: members, neurons, bytes")
        members, neurons, width = weights.shape
        if thresholds.dtype != np.int32 or thresholds.shape != (neurons,):
            raise NetworkError(
                f"Thresholds must be int32 of shape ({neurons},), "
                f"not {thresholds.dtype} of shape {thresholds.shape}"
            )
        if self.fan_in < 1 or neurons < 1 or members < 1:
            raise NetworkError("A layer must have at least one input, one neuron and one member")
        if width != (self.fan_in + 7) // 8:
            raise NetworkError(
                f"Packed weights must have {(self.fan_in + 7) // 8} bytes a neuron for fan-in "
                f"{self.fan_in}, not {width}"
            )
        unused = 8 * width - self.fan_in
        if unused and (weights[..., -1] >> (8 - unused)).any():
            raise NetworkError("Unused bits of packed weights must be 0")
        if (self.dynamics is None) != (self.kind is NeuronKind.SINGLE_SPIKE):
            rule = "absent" if self.dynamics is not None else "given"
            raise NetworkError(f"Dynamics of kind {self.kind} must be {rule}")
        if self.dynamics is not None:
            self.dynamics.check(self.kind)
        if self.fires_repeatedly and thresholds.min() < 1:
            raise NetworkError(
                f"Thresholds of kind {self.kind} must be at least 1, not {thresholds.min()}"
            )
        if self.undecided is not None:
            mask = self.undecided
            if mask.dtype != np.uint8 or mask.shape != (neurons, width):
                raise NetworkError(
                    f"Mask of undecided weights must be uint8 of shape ({neurons}, {width}), "
                    f"not {mask.dtype} of shape {mask.shape}"
                )
            if members != 1 or (weights[0] & mask).any():
                raise NetworkError(
                    "Undecided weights must be 0 in the one weight set of their layer"
                )
            if unused and (mask[:, -1] >> (8 - unused)).any():
                raise NetworkError("Unused bits of the mask of undecided weights must be 0")

    @classmethod
    def from_signs(cls, signs: np.ndarray, thresholds: np.ndarray, **fields: Any) -> "Layer":
        """Make a layer from signs (neurons, fan_in) or (members, neurons, fan_in) of -1 and +1.

        Thresholds of single-spike neurons that no potential can reach, or that every potential
        reaches, are moved to the nearest value with the same effect on firing (``fan_in + 1`` and
        ``-fan_in``).
        """
        signs = np.asarray(signs)
        fan_in = signs.shape[-1]
        wanted = np.asarray(thresholds, dtype=np.int64)
        if NeuronKind(fields.get("kind", NeuronKind.SINGLE_SPIKE)) is NeuronKind.SINGLE_SPIKE:
            wanted = np.clip(wanted, -fan_in, fan_in + 1)
        packed = pack_signs(signs if signs.ndim == 3 else signs[None])
        return cls(weights=packed, thresholds=wanted.astype(np.int32), fan_in=fan_in, **fields)

    @property
    def members(self) -> int:
        """Number of weight sets."""
        return int(self.weights.shape[0])

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[1])

    @property
    def fires_repeatedly(self) -> bool:
        """Whether a neuron may spike in every step (LIF, spike response)."""
        return self.kind in (NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE)

    def signs(self, member: int = 0) -> np.ndarray:
        """Return the weights of a member as int8 (neurons, fan_in) of -1 and +1.

        Undecided weights are -1 here; `model.sampling` draws them.
        """
        packed = self.weights[member if self.members > 1 else 0]
        bits = np.unpackbits(packed, axis=1, count=self.fan_in, bitorder="little")
        return (2 * bits.astype(np.int8) - 1).astype(np.int8)

    def potential_range(self) -> tuple[int, int]:
        """Bounds of ``V - threshold`` over all neurons, all inputs and all partial sums."""
        positive = np.unpackbits(self.weights, axis=2, count=self.fan_in, bitorder="little").sum(
            axis=2, dtype=np.int64
        )
        low = (positive - self.fan_in) - self.thresholds
        high = positive - self.thresholds
        return int(min(low.min(), 0)), int(max(high.max(), 0))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A frozen integer network: encoding, layers, readout.

    Either all layers are single-spike, or all hidden layers are LIF or spike response and the
    last layer is an integrator whose final potential is read.

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
    inverse_temperature
        beta > 0: the probability of a class is softmax(beta * score), where the score of a
        committee is the mean over its members.
    metadata
        JSON-able facts: data set, recipe, seed, command, accuracies, licences.
    """

    encoding: Encoding
    layers: tuple[Layer, ...]
    readout: Readout = Readout.FIRST_SPIKE
    input_shape: tuple[int, ...] = ()
    inverse_temperature: float = 1.0
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
        if isinstance(self.encoding, EventEncoding) and self.encoding.features != self.features:
            raise NetworkError(
                f"Fan-in of layer 0 must equal the {self.encoding.features} inputs of the "
                f"encoding, not {self.features}"
            )
        if not 0 < float(self.inverse_temperature) < float("inf"):
            raise NetworkError(
                f"Inverse temperature must be positive, not {self.inverse_temperature!r}"
            )
        self._check_kinds()
        sets = {layer.members for layer in self.layers} - {1}
        if len(sets) > 1:
            raise NetworkError(f"Layers must have 1 weight set or as many as others, not {sets}")
        if sets and self.is_sampled:
            raise NetworkError("A committee must be stored or drawn, not both")

    def _check_kinds(self) -> None:
        kinds = [layer.kind for layer in self.layers]
        if set(kinds) == {NeuronKind.SINGLE_SPIKE}:
            if not isinstance(self.encoding, LatencyEncoding) or self.encoding.tail_steps:
                raise NetworkError(
                    "Encoding of single-spike layers must be latency without tail steps"
                )
            if self.members > 1 or self.is_sampled:
                raise NetworkError("Single-spike layers must have one weight set")
            return
        if kinds[-1] is not NeuronKind.INTEGRATOR:
            raise NetworkError(f"Kind of the last layer must be integrator, not {kinds[-1]}")
        for index, layer in enumerate(self.layers[:-1]):
            if not layer.fires_repeatedly:
                raise NetworkError(
                    f"Kind of layer {index} must be lif or spike-response before an integrator, "
                    f"not {layer.kind}"
                )
        if self.readout is not Readout.FINAL_POTENTIAL:
            raise NetworkError(
                f"Readout of an integrator must be {Readout.FINAL_POTENTIAL}, not {self.readout}"
            )

    @property
    def is_stepwise(self) -> bool:
        """Whether neurons have a state at every step (LIF, spike response, integrator)."""
        return self.layers[-1].kind is NeuronKind.INTEGRATOR

    @property
    def members(self) -> int:
        """Stored weight sets K; 1 for a single network, and where members are drawn."""
        return max(layer.members for layer in self.layers)

    @property
    def is_sampled(self) -> bool:
        """Whether members are drawn from a ternary posterior."""
        return any(layer.undecided is not None for layer in self.layers)

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
        head = f"({self.encoding.identity()}, {str(self.readout)!r}, {self.sizes!r})"
        crc = zlib.crc32(head.encode())
        for layer in self.layers:
            crc = zlib.crc32(str(layer.kind).encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(layer.weights).tobytes(), crc)
            crc = zlib.crc32(np.ascontiguousarray(layer.thresholds, dtype="<i4").tobytes(), crc)
            if layer.dynamics is not None:
                crc = zlib.crc32(repr(dataclasses.astuple(layer.dynamics)).encode(), crc)
            if layer.undecided is not None:
                crc = zlib.crc32(np.ascontiguousarray(layer.undecided).tobytes(), crc)
        return crc
