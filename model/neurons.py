# SPDX-License-Identifier: Apache-2.0
"""Neuron kinds and their integer parameters. Torch-free."""

import dataclasses
import enum
from typing import Any

from model.encoding import MAX_STEPS, NetworkError

__all__ = ["Dynamics", "NeuronKind", "Reset", "signed_bounds"]


class NeuronKind(enum.StrEnum):
    """Neuron kinds; the semantics stand in ``model/single_spike.py`` and ``model/stepwise.py``."""

    SINGLE_SPIKE = "single-spike-if"
    LIF = "lif"
    SPIKE_RESPONSE = "spike-response"
    #: Quantiser with temporally diffused error: emits the integer part of what it accumulates.
    DIFFUSED = "diffused-quantiser"
    #: Accumulates without leak and never fires: the readout of networks of the three kinds above.
    INTEGRATOR = "integrator"


class Reset(enum.StrEnum):
    """What a spike does to the membrane that fired it."""

    NONE = "none"
    SUBTRACT = "subtract"
    ZERO = "zero"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dynamics:
    """Integer parameters of neurons that have a state at every step; see ``model/stepwise.py``.

    Leaks are arithmetic shifts: a state loses ``state >> shift`` a step. Every state saturates at
    its width; `bounded` gives widths at which a finite input cannot reach the bounds.

    Parameters
    ----------
    fraction_bits
        F: a synaptic sum x enters as ``x << F``; of a diffused quantiser, 1 to 12: bits of the
        fraction that stays. 0 for an integrator.
    membrane_shift
        Leak of the membrane, 1..15; 0: none (integrator, diffused quantiser).
    synapse_shift
        Leak of the synaptic trace, 1..15 (spike response); 0 for other kinds.
    refractory_shift, refractory_jump
        Leak (1..15) and jump (0 or more, in units of the membrane) of the refractory trace (spike
        response); 0 for other kinds.
    reset
        What a spike does to the membrane (LIF); ``none`` for other kinds.
    burn_in
        Steps at the start of a sample whose input is ignored (integrator); 0 for other kinds.
    membrane_bits, synapse_bits, refractory_bits
        Widths: membrane and synaptic trace signed, refractory trace unsigned; 0 where the kind has
        no such state. The membrane of a diffused quantiser is its fraction: unsigned, F bits.
    emission_bits
        b, 1..8: bits of the integer that a diffused quantiser emits; 0 for other kinds, which
        emit a spike or none.
    emission_signed
        That integer has a sign (b at least 2): -2^(b-1) to 2^(b-1) - 1 instead of 0 to 2^b - 1.
    """

    fraction_bits: int = 0
    membrane_shift: int = 0
    synapse_shift: int = 0
    refractory_shift: int = 0
    refractory_jump: int = 0
    reset: Reset = Reset.NONE
    burn_in: int = 0
    membrane_bits: int
    synapse_bits: int = 0
    refractory_bits: int = 0
    emission_bits: int = 0
    emission_signed: bool = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "reset":
                try:
                    object.__setattr__(self, "reset", Reset(value))
                except ValueError:
                    known = ", ".join(Reset)
                    raise NetworkError(f"Reset must be one of {known}, not {value!r}") from None
                continue
            if field.name == "emission_signed":
                object.__setattr__(self, "emission_signed", bool(value))
                continue
            limit = _DYNAMICS_LIMITS[field.name]
            noun = field.name.replace("_", " ").capitalize()
            if not isinstance(value, int) or not 0 <= value <= limit:
                raise NetworkError(f"{noun} must be an integer in 0..{limit}, not {value!r}")

    @classmethod
    def bounded(cls, *, kind: NeuronKind, fan_in: int, steps: int = 0, **fields: Any) -> "Dynamics":
        """Parameters with widths that no sequence of spikes can saturate.

        Parameters
        ----------
        kind
            Of the layer.
        fan_in
            Of the layer, times the largest magnitude of an input.
        steps
            Steps of a sample: bounds an integrator.
        fields
            The other parameters.
        """
        scale = fan_in << int(fields.get("fraction_bits", 0))
        if kind is NeuronKind.INTEGRATOR:
            return cls(membrane_bits=_signed_width(fan_in * max(1, steps)), **fields)
        if kind is NeuronKind.DIFFUSED:
            return cls(membrane_bits=int(fields["fraction_bits"]), **fields)
        # A state s that gains at most g a step and loses s >> k stays within g * 2**k + g.
        shift = int(fields["membrane_shift"])
        if kind is NeuronKind.LIF:
            return cls(membrane_bits=_signed_width((scale << shift) + scale), **fields)
        synapse = (scale << int(fields["synapse_shift"])) + scale
        jump, refractory_shift = int(fields["refractory_jump"]), int(fields["refractory_shift"])
        return cls(
            membrane_bits=_signed_width((synapse << shift) + synapse),
            synapse_bits=_signed_width(synapse),
            refractory_bits=max(1, ((jump << refractory_shift) + jump).bit_length()),
            **fields,
        )

    def check(self, kind: NeuronKind) -> None:
        """Refuse parameters that do not belong to a neuron kind.

        Raises
        ------
        NetworkError
            Naming the parameter.
        """
        wanted = _DYNAMICS_OF[kind]
        for noun in _DYNAMICS_LIMITS:
            value = getattr(self, noun)
            text = noun.replace("_", " ").capitalize()
            if noun in wanted and not value:
                raise NetworkError(f"{text} of kind {kind} must be at least 1, not 0")
            if noun not in wanted and noun not in _DYNAMICS_FREE[kind] and value:
                raise NetworkError(f"{text} of kind {kind} must be 0, not {value}")
        if (self.reset is not Reset.NONE) != (kind is NeuronKind.LIF):
            allowed = "subtract or zero" if kind is NeuronKind.LIF else "none"
            raise NetworkError(f"Reset of kind {kind} must be {allowed}, not {self.reset}")
        if kind is NeuronKind.DIFFUSED and self.membrane_bits != self.fraction_bits:
            raise NetworkError(
                f"Membrane bits of kind {kind} must equal the {self.fraction_bits} fraction bits, "
                f"not {self.membrane_bits}"
            )
        if self.emission_signed and self.emission_bits < 2:
            raise NetworkError(
                f"Emission bits must be at least 2 with a sign, not {self.emission_bits}"
            )

    def emission_range(self) -> tuple[int, int]:
        """Least and largest integer that a neuron emits in a step: 0 and 1 for a spike."""
        bits = max(1, self.emission_bits)
        return signed_bounds(bits) if self.emission_signed else (0, (1 << bits) - 1)


def signed_bounds(bits: int) -> tuple[int, int]:
    """Least and largest integer in two's complement of a width."""
    return -(1 << bits - 1), (1 << bits - 1) - 1


def _signed_width(magnitude: int) -> int:
    return magnitude.bit_length() + 1


_DYNAMICS_LIMITS = {
    "fraction_bits": 12,
    "membrane_shift": 15,
    "synapse_shift": 15,
    "refractory_shift": 15,
    "refractory_jump": (1 << 24) - 1,
    "burn_in": MAX_STEPS,
    "membrane_bits": 32,
    "synapse_bits": 32,
    "refractory_bits": 31,
    "emission_bits": 8,
}
# Parameters that a kind must have, and those that it may have.
_DYNAMICS_OF: dict[NeuronKind, tuple[str, ...]] = {
    NeuronKind.LIF: ("membrane_shift", "membrane_bits"),
    NeuronKind.SPIKE_RESPONSE: (
        "membrane_shift",
        "synapse_shift",
        "refractory_shift",
        "membrane_bits",
        "synapse_bits",
        "refractory_bits",
    ),
    NeuronKind.DIFFUSED: ("fraction_bits", "membrane_bits", "emission_bits"),
    NeuronKind.INTEGRATOR: ("membrane_bits",),
}
_DYNAMICS_FREE: dict[NeuronKind, tuple[str, ...]] = {
    NeuronKind.LIF: ("fraction_bits",),
    NeuronKind.SPIKE_RESPONSE: ("fraction_bits", "refractory_jump"),
    NeuronKind.DIFFUSED: (),
    NeuronKind.INTEGRATOR: ("burn_in",),
}
