# SPDX-License-Identifier: Apache-2.0
"""Capacity and fold of one layer, with the widths, rows and addresses that follow from it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from model.description import MAX_GAIN, Dynamics, Layer, NeuronKind

__all__ = [
    "CapacityError",
    "Fold",
    "LayerDesign",
    "ceil_div",
    "index_bits",
    "signed_bits",
]


class CapacityError(ValueError):
    """A network that a gateware cannot hold; the text names the field, the limit and the value."""


def ceil_div(value: int, divisor: int) -> int:
    """Quotient rounded up."""
    return -(-value // divisor)


def index_bits(count: int) -> int:
    """Bits of an index 0..count-1, at least 1."""
    return max(1, (count - 1).bit_length())


def signed_bits(low: int, high: int) -> int:
    """Bits of a two's complement number that holds low..high."""
    return 1 + max((-low - 1).bit_length() if low < 0 else 0, max(high, 0).bit_length())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fold:
    """How one layer is folded.

    Parameters
    ----------
    lanes
        Neurons worked on at a time (P), a multiple of ``times_per_cycle``.
    inputs_per_cycle
        Inputs that one spike word carries (S).
    times_per_cycle
        Spike times that leave a hidden layer a cycle, a multiple of the next layer's
        ``inputs_per_cycle``; 1 for an output layer. In a stepwise layer: neurons whose state is
        updated in a cycle (U), equal to the next layer's ``inputs_per_cycle``.
    """

    lanes: int
    inputs_per_cycle: int = 1
    times_per_cycle: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or value < 1:
                raise TypeError(f"{field.name} must be a positive integer, not {value!r}")
        if self.lanes % self.times_per_cycle:
            raise ValueError(
                f"lanes must be a multiple of times_per_cycle {self.times_per_cycle}, "
                f"not {self.lanes}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerDesign:
    """Capacity and fold of one layer.

    Parameters
    ----------
    fan_in, neurons
        Largest sizes.
    fold
        Lanes and inputs a cycle.
    potential_bits
        Width of the signed potential ``V - threshold`` that a lane keeps; in a stepwise layer of
        the signed sum of one step.
    threshold_bits
        Width of the signed start value ``-threshold``; in a stepwise layer of the signed
        threshold.
    kind
        Neuron kind.
    dynamics
        Parameters of neurons with a state at every step, fixed in the gateware; None for the
        single-spike kind.
    members
        Most weight sets that the weight memory holds.
    sampled
        Weights may be undecided, and are drawn for each member: a memory row has two bits for
        each weight.
    input_bits, input_signed
        What an input is: 1 bit for spikes, or an integer that comes bit plane by bit plane.
    """

    fan_in: int
    neurons: int
    fold: Fold
    potential_bits: int
    threshold_bits: int
    kind: NeuronKind = NeuronKind.SINGLE_SPIKE
    dynamics: Dynamics | None = None
    members: int = 1
    sampled: bool = False
    input_bits: int = 1
    input_signed: bool = False

    def __post_init__(self) -> None:
        if (self.dynamics is None) != (self.kind is NeuronKind.SINGLE_SPIKE):
            rule = "absent" if self.dynamics is not None else "given"
            raise ValueError(f"dynamics of kind {self.kind} must be {rule}")
        if self.dynamics is not None:
            self.dynamics.check(self.kind)
        if not isinstance(self.members, int) or self.members < 1:
            raise TypeError(f"members must be a positive integer, not {self.members!r}")
        low = 2 if self.input_signed else 1
        if not isinstance(self.input_bits, int) or not low <= self.input_bits <= 16:
            raise TypeError(f"input_bits must be an integer in {low}..16, not {self.input_bits!r}")
        if not self.is_stepwise and self.input_bits > 1:
            raise ValueError(f"input_bits of a single-spike layer must be 1, not {self.input_bits}")
        if not self.is_stepwise and (self.members > 1 or self.sampled):
            raise ValueError("A single-spike layer must have one weight set")
        if self.sampled and (self.members > 1 or 16 % self.inputs_per_cycle):
            raise ValueError(
                "A sampled layer must have one weight set and inputs_per_cycle that divide 16, "
                f"not {self.members} and {self.inputs_per_cycle}"
            )

    @classmethod
    def for_layers(cls, group: Sequence[Layer], fold: Fold) -> "LayerDesign":
        """Smallest design that holds each of the layers, all of one kind and dynamics, and with
        the same integers as inputs."""
        kind, dynamics = group[0].kind, group[0].dynamics
        if any((layer.kind, layer.dynamics) != (kind, dynamics) for layer in group):
            raise ValueError("Layers of one gateware must have the same neuron kind and dynamics")
        inputs = {(layer.input_bits, layer.input_signed) for layer in group}
        if len(inputs) > 1:
            raise ValueError(
                f"Layers of one gateware must have the same input bits and sign, not {inputs}"
            )
        potentials = list(zip(*map(potential_range, group), strict=True))
        starts = list(zip(*map(start_range, group), strict=True))
        return cls(
            fan_in=max(layer.fan_in for layer in group),
            neurons=max(layer.neurons for layer in group),
            fold=fold,
            potential_bits=signed_bits(min(potentials[0]), max(potentials[1])),
            threshold_bits=signed_bits(min(starts[0]), max(starts[1])),
            kind=kind,
            dynamics=dynamics,
            members=max(layer.members for layer in group),
            sampled=any(layer.undecided is not None for layer in group),
            input_bits=group[0].input_bits,
            input_signed=group[0].input_signed,
        )

    @property
    def is_stepwise(self) -> bool:
        """Whether the neurons have a state at every step."""
        return self.kind is not NeuronKind.SINGLE_SPIKE

    @property
    def lanes(self) -> int:
        """P."""
        return self.fold.lanes

    @property
    def inputs_per_cycle(self) -> int:
        """S."""
        return self.fold.inputs_per_cycle

    @property
    def updates_per_cycle(self) -> int:
        """U: neurons of a stepwise layer whose state is updated in a cycle."""
        return self.fold.times_per_cycle

    @property
    def output_bits(self) -> int:
        """b: bits of what a neuron emits in a step, 1 for a spike."""
        return max(1, self.dynamics.emission_bits) if self.dynamics is not None else 1

    @property
    def output_signed(self) -> bool:
        """Whether what a neuron emits has a sign."""
        return self.dynamics is not None and self.dynamics.emission_signed

    @property
    def gain_bits(self) -> int:
        """Bits of the gain beside each threshold; 0 for kinds without."""
        return MAX_GAIN.bit_length() if self.kind is NeuronKind.DIFFUSED else 0

    @property
    def groups(self) -> int:
        """Groups of S inputs."""
        return ceil_div(self.fan_in, self.inputs_per_cycle)

    @property
    def blocks(self) -> int:
        """Blocks of P neurons."""
        return ceil_div(self.neurons, self.lanes)

    @property
    def planes(self) -> int:
        """Memory rows that hold the start values of one block, S bits a lane each."""
        return 0 if self.is_stepwise else ceil_div(self.threshold_bits, self.inputs_per_cycle)

    @property
    def rows_per_block(self) -> int:
        """Memory rows of one block: start values first, then one row a group."""
        return self.planes + self.groups

    @property
    def rows_per_member(self) -> int:
        """Memory rows of one weight set."""
        return self.blocks * self.rows_per_block

    @property
    def rows(self) -> int:
        """Rows of the weight memory."""
        return self.members * self.rows_per_member

    @property
    def sign_bits(self) -> int:
        """Bits of a row that are signs: lane p holds bits p*S to p*S+S-1."""
        return self.lanes * self.inputs_per_cycle

    @property
    def row_bits(self) -> int:
        """Bits of a row: the signs, and where weights are drawn the undecided ones above them."""
        return self.sign_bits * (2 if self.sampled else 1)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in a device image."""
        return ceil_div(self.row_bits, 8)

    @property
    def beats(self) -> int:
        """Beats of U neurons in a block."""
        return self.lanes // self.updates_per_cycle

    @property
    def state_rows(self) -> int:
        """Rows of U neurons in the state memory and in the threshold memory."""
        return self.blocks * self.beats

    @property
    def threshold_row_bits(self) -> int:
        """Bits of a row of the threshold memory, first neuron lowest, gains above thresholds."""
        return self.updates_per_cycle * (self.threshold_bits + self.gain_bits)

    def check(self, layer: Layer, index: int) -> None:
        """Refuse a layer that does not fit; ``index`` is for the text.

        Raises
        ------
        CapacityError
            Naming the first field that does not fit.
        """

        def must(noun: str, rule: Any, value: Any) -> None:
            raise CapacityError(f"{noun} of layer {index} must be {rule}, not {value}")

        if layer.kind is not self.kind:
            must("Neuron kind", self.kind, layer.kind)
        if layer.dynamics is not None and self.dynamics is not None:
            for field in dataclasses.fields(Dynamics):
                wanted, found = (getattr(d, field.name) for d in (self.dynamics, layer.dynamics))
                if wanted != found:
                    must(field.name.replace("_", " ").capitalize(), wanted, found)
        if layer.undecided is not None and not self.sampled:
            must("Undecided weights", "absent", "given")
        if layer.undecided is not None and ceil_div(layer.fan_in, 32) != ceil_div(self.fan_in, 32):
            # The generator gives 32 bits at a time.
            most = 32 * ceil_div(self.fan_in, 32)
            must("Fan-in", f"in {most - 31}..{self.fan_in} where weights are drawn", layer.fan_in)
        for noun, value, limit in (
            ("Input bits", layer.input_bits, self.input_bits),
            ("Input signed", layer.input_signed, self.input_signed),
        ):
            if value != limit:
                must(noun, limit, value)
        for noun, value, limit in (
            ("Fan-in", layer.fan_in, self.fan_in),
            ("Neurons", layer.neurons, self.neurons),
            ("Members", layer.members, self.members),
            ("Potential bits", signed_bits(*potential_range(layer)), self.potential_bits),
            ("Threshold bits", signed_bits(*start_range(layer)), self.threshold_bits),
        ):
            if value > limit:
                must(noun, f"at most {limit}", value)


def potential_range(layer: Layer) -> tuple[int, int]:
    """Bounds of what a lane adds up: potentials, or in a stepwise layer the sum of a step."""
    if layer.dynamics is not None:
        most = layer.fan_in * layer.input_peak
        return -most, most
    return layer.potential_range()


def start_range(layer: Layer) -> tuple[int, int]:
    """Bounds of what is stored of thresholds: ``-threshold``, or in a stepwise layer itself."""
    low, high = int(layer.thresholds.min()), int(layer.thresholds.max())
    return (low, high) if layer.dynamics is not None else (-high, -low)
