# SPDX-License-Identifier: Apache-2.0
"""The design: what a gateware can hold and how it is folded, with everything derived from it.

One frozen object, made from the networks that the gateware shall hold and from two counts a
layer (inputs a cycle S, lanes P). Gateware, schedule, loader, estimates and tests read widths,
depths and addresses here and nowhere else. Pure Python: no torch, no Amaranth.
"""

import dataclasses
import json
import zlib
from collections.abc import Sequence
from typing import Any

from model.description import Network, Readout

__all__ = [
    "CapacityError",
    "Design",
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
        ``inputs_per_cycle``; 1 for an output layer.
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
        Width of the signed potential ``V - threshold``.
    threshold_bits
        Width of the signed start value ``-threshold``.
    """

    fan_in: int
    neurons: int
    fold: Fold
    potential_bits: int
    threshold_bits: int

    @property
    def lanes(self) -> int:
        """P."""
        return self.fold.lanes

    @property
    def inputs_per_cycle(self) -> int:
        """S."""
        return self.fold.inputs_per_cycle

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
        return ceil_div(self.threshold_bits, self.inputs_per_cycle)

    @property
    def rows_per_block(self) -> int:
        """Memory rows of one block: start values first, then one row a group."""
        return self.planes + self.groups

    @property
    def rows(self) -> int:
        """Rows of the weight memory."""
        return self.blocks * self.rows_per_block

    @property
    def row_bits(self) -> int:
        """Bits of a row: lane p holds bits p*S to p*S+S-1."""
        return self.lanes * self.inputs_per_cycle

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in a device image."""
        return ceil_div(self.row_bits, 8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """Capacity and fold of a whole accelerator.

    Parameters
    ----------
    layers
        One entry a layer, first to last.
    steps
        Largest number of time steps T.
    pixels_per_cycle
        Pixels that enter a cycle (G), a multiple of the first layer's ``inputs_per_cycle``.
    sample_input
        ``"pixels"`` (encoded and sorted on chip) or ``"words"`` (spike words, sorted by step).
    readouts
        Readouts that can be chosen at run time.
    early_stop
        Leave out what follows the first output spike (first-spike readout, one output block);
        see ``model/golden.py``.
    store_banks
        1: a sample is collected after the one before has left the store; 2: while it leaves.
    weight_memory
        ``"portable"`` or ``"spram"`` (UP5K; first layer only, rows of a multiple of 16 bits).
    """

    layers: tuple[LayerDesign, ...]
    steps: int
    pixels_per_cycle: int = 1
    sample_input: str = "pixels"
    readouts: tuple[Readout, ...] = (Readout.FIRST_SPIKE,)
    early_stop: bool = False
    store_banks: int = 1
    weight_memory: str = "portable"

    def __post_init__(self) -> None:
        if self.sample_input not in ("pixels", "words"):
            raise ValueError(f"sample_input must be pixels or words, not {self.sample_input!r}")
        if self.weight_memory not in ("portable", "spram"):
            raise ValueError(f"weight_memory must be portable or spram, not {self.weight_memory!r}")
        if self.store_banks not in (1, 2):
            raise ValueError(f"store_banks must be 1 or 2, not {self.store_banks!r}")
        first = self.layers[0]
        if self.pixels_per_cycle % first.inputs_per_cycle:
            raise ValueError(
                f"pixels_per_cycle must be a multiple of the first layer's inputs_per_cycle "
                f"{first.inputs_per_cycle}, not {self.pixels_per_cycle}"
            )
        for index, (before, after) in enumerate(
            zip(self.layers, self.layers[1:], strict=False), start=1
        ):
            if before.fold.times_per_cycle % after.inputs_per_cycle:
                raise ValueError(
                    f"times_per_cycle of layer {index - 1} must be a multiple of "
                    f"inputs_per_cycle {after.inputs_per_cycle} of layer {index}, "
                    f"not {before.fold.times_per_cycle}"
                )
        one_layer_of_words = self.sample_input == "words" and len(self.layers) == 1
        if self.early_stop and (self.layers[-1].blocks > 1 or one_layer_of_words):
            raise ValueError(
                "early_stop must have all output neurons in one block of lanes, and a spike store "
                "before them"
            )
        if one_layer_of_words and Readout.SUMMED_POTENTIAL in self.readouts:
            raise ValueError(f"{Readout.SUMMED_POTENTIAL} must have a spike store before it")
        if self.weight_memory == "spram" and (first.row_bits % 16 or first.rows > 16384):
            raise ValueError(
                "weight_memory spram must have rows of a multiple of 16 bits and at most 16384 "
                f"rows, not {first.rows} rows of {first.row_bits} bits"
            )

    @classmethod
    def for_networks(
        cls, networks: Sequence[Network], folds: Sequence[Fold], **fields: Any
    ) -> "Design":
        """Smallest design that holds every one of the networks (same number of layers)."""
        if not networks or any(len(net.layers) != len(folds) for net in networks):
            raise ValueError(
                f"Networks must have as many layers as folds are given ({len(folds)}), not "
                f"{[len(net.layers) for net in networks]}"
            )
        layers = []
        for index, fold in enumerate(folds):
            group = [net.layers[index] for net in networks]
            ranges = [layer.potential_range() for layer in group]
            layers.append(
                LayerDesign(
                    fan_in=max(layer.fan_in for layer in group),
                    neurons=max(layer.neurons for layer in group),
                    fold=fold,
                    potential_bits=signed_bits(
                        min(low for low, _ in ranges), max(high for _, high in ranges)
                    ),
                    threshold_bits=signed_bits(
                        min(int(-layer.thresholds.max()) for layer in group),
                        max(int(-layer.thresholds.min()) for layer in group),
                    ),
                )
            )
        readouts = tuple(r for r in Readout if any(net.readout is r for net in networks))
        fields.setdefault("readouts", readouts)
        steps = max(net.steps for net in networks)
        return cls(layers=tuple(layers), steps=steps, **fields)

    @property
    def features(self) -> int:
        """Largest number of pixels of a sample."""
        return self.layers[0].fan_in

    @property
    def classes(self) -> int:
        """Largest number of output neurons."""
        return self.layers[-1].neurons

    @property
    def step_bits(self) -> int:
        """Bits of a time step."""
        return index_bits(self.steps)

    @property
    def beats(self) -> int:
        """Input beats of a full-size sample of pixels."""
        return ceil_div(self.features, self.pixels_per_cycle)

    @property
    def score_bits(self) -> int:
        """Width of the signed score of an output neuron."""
        bits = self.layers[-1].potential_bits
        if Readout.SUMMED_POTENTIAL in self.readouts:
            bits += index_bits(self.steps)
        return bits

    def times_per_cycle(self, layer: int) -> int:
        """Spike times that enter the spike store of a layer in one cycle."""
        if layer == 0:
            return self.pixels_per_cycle
        return self.layers[layer - 1].fold.times_per_cycle

    def max_words(self, layer: int) -> int:
        """Most spike words that one sample can send into a layer."""
        this = self.layers[layer]
        return this.groups * min(this.inputs_per_cycle, self.steps)

    def check(self, network: Network) -> None:
        """Refuse a network that this gateware cannot hold.

        Raises
        ------
        CapacityError
            Naming the first field that does not fit.
        """
        if len(network.layers) != len(self.layers):
            raise CapacityError(
                f"Number of layers must be {len(self.layers)}, not {len(network.layers)}"
            )
        if network.steps > self.steps:
            raise CapacityError(f"Steps must be at most {self.steps}, not {network.steps}")
        if network.readout not in self.readouts:
            known = ", ".join(self.readouts)
            raise CapacityError(f"Readout must be one of {known}, not {network.readout}")
        for index, (layer, room) in enumerate(zip(network.layers, self.layers, strict=True)):
            low, high = layer.potential_range()
            start = signed_bits(int(-layer.thresholds.max()), int(-layer.thresholds.min()))
            for noun, value, limit in (
                ("Fan-in", layer.fan_in, room.fan_in),
                ("Neurons", layer.neurons, room.neurons),
                ("Potential bits", signed_bits(low, high), room.potential_bits),
                ("Threshold bits", start, room.threshold_bits),
            ):
                if value > limit:
                    raise CapacityError(
                        f"{noun} of layer {index} must be at most {limit}, not {value}"
                    )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the side file of an exported design."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Design":
        """Inverse of `to_json`."""
        fields = dict(fields)
        layers = tuple(
            LayerDesign(**{**layer, "fold": Fold(**layer["fold"])})
            for layer in fields.pop("layers")
        )
        readouts = tuple(Readout(readout) for readout in fields.pop("readouts"))
        return cls(layers=layers, readouts=readouts, **fields)

    def design_hash(self) -> int:
        """CRC-32 that tells one gateware from another."""
        return zlib.crc32(json.dumps(self.to_json(), sort_keys=True).encode())
