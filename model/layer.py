# SPDX-License-Identifier: Apache-2.0
"""One fully connected layer of a network description: packed signs, thresholds, neuron kind."""

import dataclasses
from typing import Any

import numpy as np

from model.encoding import NetworkError, checked_integer
from model.neurons import Dynamics, NeuronKind, signed_bounds

__all__ = ["MAX_GAIN", "Layer", "pack_signs"]

#: Largest shift by which a synaptic sum enters a diffused quantiser.
MAX_GAIN = 7


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
    input_bits, input_signed
        What an input is: 0 or 1 (a spike, 1 bit), or a small integer of 1 to 9 bits, with a sign
        or without.
    gains
        uint8 (neurons,), 0 to 7, of a diffused quantiser: ``x - threshold`` enters as
        ``(x - threshold) << gain``, in units of 2^-fraction_bits. None for other kinds.
    """

    weights: np.ndarray
    thresholds: np.ndarray
    fan_in: int
    kind: NeuronKind = NeuronKind.SINGLE_SPIKE
    dynamics: Dynamics | None = None
    undecided: np.ndarray | None = None
    input_bits: int = 1
    input_signed: bool = False
    gains: np.ndarray | None = None

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
        self._check_integers(neurons)

    def _check_integers(self, neurons: int) -> None:
        """Rules of inputs and emissions that are more than spikes."""
        low = 2 if self.input_signed else 1
        object.__setattr__(
            self, "input_bits", checked_integer("Input bits", self.input_bits, low, 9)
        )
        object.__setattr__(self, "input_signed", bool(self.input_signed))
        if self.kind is NeuronKind.SINGLE_SPIKE and self.input_bits > 1:
            raise NetworkError(f"Input bits of kind {self.kind} must be 1, not {self.input_bits}")
        if (self.gains is None) != (self.kind is not NeuronKind.DIFFUSED):
            rule = "absent" if self.gains is not None else "given"
            raise NetworkError(f"Gains of kind {self.kind} must be {rule}")
        if self.gains is None:
            return
        if self.gains.dtype != np.uint8 or self.gains.shape != (neurons,):
            raise NetworkError(
                f"Gains must be uint8 of shape ({neurons},), "
                f"not {self.gains.dtype} of shape {self.gains.shape}"
            )
        if self.gains.max() > MAX_GAIN:
            raise NetworkError(f"Gains must lie in 0..{MAX_GAIN}, not {self.gains.max()}")

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

    @property
    def input_range(self) -> tuple[int, int]:
        """Least and largest value of an input: 0 and 1 for spikes."""
        bits = self.input_bits
        return signed_bounds(bits) if self.input_signed else (0, (1 << bits) - 1)

    @property
    def input_peak(self) -> int:
        """Largest magnitude of an input: 1 for spikes."""
        return max(-self.input_range[0], self.input_range[1])

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

    @property
    def output_bits(self) -> int:
        """Bits of what a neuron emits in a step: 1 for a spike."""
        return max(1, self.dynamics.emission_bits) if self.dynamics is not None else 1

    @property
    def output_signed(self) -> bool:
        """Whether what a neuron emits has a sign."""
        return self.dynamics is not None and self.dynamics.emission_signed
