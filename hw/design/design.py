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

from hw.design.encoder_design import EncoderDesign
from hw.design.layer_design import (
    CapacityError,
    Fold,
    LayerDesign,
    ceil_div,
    index_bits,
    signed_bits,
)
from hw.design.memory_design import MemoryDesign
from hw.design.step_rules import check_stepwise
from model.description import Dynamics, EventEncoding, Network, NeuronKind, Readout
from model.encoding import Encoding

__all__ = [
    "CapacityError",
    "SPRAM_ROWS",
    "Design",
    "Fold",
    "LayerDesign",
    "ceil_div",
    "encoding_kind",
    "index_bits",
    "signed_bits",
]

#: Words of 16 bits of an SPRAM block (UP5K).
SPRAM_ROWS = 16384

_INPUTS = ("pixels", "words", "events")
_ENCODINGS = ("latency", "rate", "events", "series")


def encoding_kind(encoding: Encoding) -> str:
    """``"latency"``, ``"rate"``, ``"events"`` or ``"series"``."""
    return str(encoding.to_json()["kind"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """Capacity and fold of a whole accelerator.

    Parameters
    ----------
    layers
        One entry a layer, first to last: all single-spike, or LIF and spike-response layers with
        an integrator behind them (a stepwise design).
    steps
        Largest number of time steps T, the tail steps of a latency code included.
    pixels_per_cycle
        Pixels that enter a cycle (G), a multiple of the first layer's ``inputs_per_cycle``, and
        equal to it with rate encoding.
    sample_input
        ``"pixels"`` (encoded and sorted on chip; the values of a series), ``"words"`` (spike words,
        sorted by step) or ``"events"`` (of an event camera, rasterised on chip).
    readouts
        Readouts that can be chosen at run time.
    early_stop
        Leave out what follows the first output spike (first-spike readout, one output block);
        see ``model/golden.py``.
    store_banks
        1: a sample is collected after the one before has left the store; 2: while it leaves.
    weight_memory
        ``"portable"`` or ``"spram"`` (UP5K; one layer, at most 16384 rows).
    spram_layer
        The layer whose weights are in SPRAM, if any are.
    encoding
        ``"latency"``, ``"rate"``, ``"events"`` or ``"series"``: how samples become spikes; with
        words it has been done outside.
    events
        Rasterisation of events, fixed in the gateware; None without them.
    memory
        Legendre memory that a series goes through; None without one.
    members
        Most members of a committee that answer a sample (K), stored or drawn.
    encoder
        Of recurrent networks: what makes the inputs of the memory; None without one.
    step_results
        A sample of a single member may be answered after every step; with a memory, after every n
        input steps.
    """

    layers: tuple[LayerDesign, ...]
    steps: int
    pixels_per_cycle: int = 1
    sample_input: str = "pixels"
    readouts: tuple[Readout, ...] = (Readout.FIRST_SPIKE,)
    early_stop: bool = False
    store_banks: int = 1
    weight_memory: str = "portable"
    spram_layer: int = 0
    encoding: str = "latency"
    events: EventEncoding | None = None
    memory: MemoryDesign | None = None
    encoder: EncoderDesign | None = None
    members: int = 1
    step_results: bool = False

    def __post_init__(self) -> None:
        for noun, allowed in (
            ("sample_input", _INPUTS if self.is_stepwise else _INPUTS[:2]),
            ("encoding", _ENCODINGS if self.is_stepwise else _ENCODINGS[:1]),
            ("weight_memory", ("portable", "spram")),
            ("store_banks", (1, 2)),
            ("spram_layer", tuple(range(len(self.layers)))),
        ):
            value = getattr(self, noun)
            if value not in allowed:
                raise ValueError(f"{noun} must be {_either(allowed)}, not {value!r}")
        first = self.layers[0]
        if self.memory is None and self.pixels_per_cycle % first.inputs_per_cycle:
            raise ValueError(
                f"pixels_per_cycle must be a multiple of the first layer's inputs_per_cycle "
                f"{first.inputs_per_cycle}, not {self.pixels_per_cycle}"
            )
        for index, (before, after) in enumerate(
            zip(self.layers, self.layers[1:], strict=False), start=1
        ):
            times, width = before.fold.times_per_cycle, after.inputs_per_cycle
            if times % width or (self.is_stepwise and times != width):
                rule = "equal" if self.is_stepwise else "be a multiple of"
                raise ValueError(
                    f"times_per_cycle of layer {index - 1} must {rule} "
                    f"inputs_per_cycle {width} of layer {index}, not {times}"
                )
        spram = self.layers[self.spram_layer]
        if self.weight_memory == "spram" and spram.rows > SPRAM_ROWS:
            raise ValueError(
                f"weight_memory spram must have at most {SPRAM_ROWS} rows, not {spram.rows} rows"
            )
        if self.is_stepwise:
            check_stepwise(self)
        else:
            self._check_single_spike()

    def _check_single_spike(self) -> None:
        if any(layer.is_stepwise for layer in self.layers) or self.members > 1:
            raise ValueError("Single-spike layers must stand alone, and have one member")
        if self.step_results:
            raise ValueError("step_results must be of a stepwise design")
        one_layer_of_words = self.sample_input == "words" and len(self.layers) == 1
        if self.early_stop and (self.layers[-1].blocks > 1 or one_layer_of_words):
            raise ValueError(
                "early_stop must have all output neurons in one block of lanes, and a spike store "
                "before them"
            )
        if one_layer_of_words and Readout.SUMMED_POTENTIAL in self.readouts:
            raise ValueError(f"{Readout.SUMMED_POTENTIAL} must have a spike store before it")

    @classmethod
    def for_networks(
        cls, networks: Sequence[Network], folds: Sequence[Fold], **fields: Any
    ) -> "Design":
        """Smallest design that holds every one of the networks (same number of layers).

        Of networks that draw their members, ``members`` must say how many (1 if left out).
        """
        if not networks or any(len(net.layers) != len(folds) for net in networks):
            raise ValueError(
                f"Networks must have as many layers as folds are given ({len(folds)}), not "
                f"{[len(net.layers) for net in networks]}"
            )
        layers = tuple(
            LayerDesign.for_layers([net.layers[index] for net in networks], fold)
            for index, fold in enumerate(folds)
        )
        readouts = tuple(r for r in Readout if any(net.readout is r for net in networks))
        fields.setdefault("readouts", readouts)
        encoding = networks[0].encoding
        if any(encoding_kind(net.encoding) != encoding_kind(encoding) for net in networks):
            raise ValueError("Networks of one gateware must have the same kind of encoding")
        if isinstance(encoding, EventEncoding):
            fields.setdefault("events", encoding)
        fields.setdefault("encoding", encoding_kind(encoding))
        memories = [network.memory for network in networks if network.memory is not None]
        if memories and fields.get("sample_input", "pixels") == "pixels":
            values = max(network.sample_values for network in networks)
            bits = {}
            if any(network.is_recurrent for network in networks):
                fields.setdefault("encoder", EncoderDesign.for_networks(networks))
                bits = {"input_bits": fields["encoder"].sum_bits}
            memory = MemoryDesign.for_memories(memories, values=values, **bits)
            fields.setdefault("memory", memory)
            fields["pixels_per_cycle"] = 1
        fields.setdefault("members", max(layer.members for layer in layers))
        steps = max(net.steps for net in networks)
        return cls(layers=layers, steps=steps, **fields)

    @property
    def is_stepwise(self) -> bool:
        """Whether neurons have a state at every step."""
        return self.layers[-1].is_stepwise

    @property
    def sampled(self) -> bool:
        """Whether members can be drawn."""
        return any(layer.sampled for layer in self.layers)

    @property
    def encodes_rates(self) -> bool:
        """Whether pixels become rates on chip."""
        return self.sample_input == "pixels" and self.encoding == "rate"

    @property
    def has_table(self) -> bool:
        """Whether there is an intensity table."""
        return self.sample_input == "pixels" and self.encoding == "latency"

    @property
    def evaluates(self) -> bool:
        """Whether samples are series behind a memory, evaluated at their end and now and then."""
        return self.memory is not None and self.encoder is None

    @property
    def features(self) -> int:
        """Largest number of inputs of the first layer."""
        return self.layers[0].fan_in

    @property
    def sample_values(self) -> int:
        """Most bytes of a sample: its pixels, or the values of a series."""
        return self.features if self.memory is None else self.memory.values

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
        return ceil_div(self.sample_values, self.pixels_per_cycle)

    @property
    def score_bits(self) -> int:
        """Width of the signed score of an output neuron, or of its sum over the members."""
        last = self.layers[-1]
        if last.dynamics is not None:
            bits = max(last.dynamics.membrane_bits, last.threshold_bits) + 1
            return bits + (self.members - 1).bit_length()
        bits = last.potential_bits
        if Readout.SUMMED_POTENTIAL in self.readouts:
            bits += index_bits(self.steps)
        return bits

    def times_per_cycle(self, layer: int) -> int:
        """Spike times that enter the spike store of a layer in one cycle."""
        if layer == 0:
            return self.pixels_per_cycle
        return self.layers[layer - 1].fold.times_per_cycle

    def max_words(self, layer: int) -> int:
        """Most spike words that one sample of spike times can send into a layer."""
        this = self.layers[layer]
        return this.groups * min(this.inputs_per_cycle, self.steps)

    @property
    def sample_words(self) -> int:
        """Most words of a sample that enter a stepwise design, ends of silent steps included, the
        bit planes of a group counted as one."""
        if self.has_table:
            return self.max_words(0) + self.steps
        return self.layers[0].groups * self.steps

    def is_spram(self, layer: int) -> bool:
        """Whether the weights of a layer are in SPRAM."""
        return self.weight_memory == "spram" and layer == self.spram_layer

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
        found = encoding_kind(network.encoding)
        if found != self.encoding and self.sample_input != "words":
            raise CapacityError(f"Encoding must be {self.encoding}, not {found}")
        if self.memory is not None:
            self._check_series(self.memory, network)
        if self.events is not None and self.sample_input == "events":
            for field in dataclasses.fields(EventEncoding):
                limit, value = (getattr(e, field.name) for e in (self.events, network.encoding))
                if field.name != "steps" and value != limit:
                    noun = field.name.replace("_", " ").capitalize()
                    raise CapacityError(f"{noun} of the encoding must be {limit}, not {value}")
        for index, (layer, room) in enumerate(zip(network.layers, self.layers, strict=True)):
            room.check(layer, index)

    def _check_series(self, room: MemoryDesign, network: Network) -> None:
        if network.memory is None:
            raise CapacityError("Network must have a memory")
        if self.encoder is not None:
            self.encoder.check(network)
        elif network.is_recurrent:
            raise CapacityError("Network must have no encoder")
        room.check(network.memory)
        if network.sample_values > room.values:
            raise CapacityError(
                f"Values of a series must number at most {room.values}, not {network.sample_values}"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the side file of an exported design."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Design":
        """Inverse of `to_json`."""
        fields = dict(fields)
        layers = []
        for layer in fields.pop("layers"):
            layer = {**layer, "fold": Fold(**layer["fold"]), "kind": NeuronKind(layer["kind"])}
            if layer["dynamics"] is not None:
                layer["dynamics"] = Dynamics(**layer["dynamics"])
            layers.append(LayerDesign(**layer))
        readouts = tuple(Readout(readout) for readout in fields.pop("readouts"))
        if fields["events"] is not None:
            fields["events"] = EventEncoding(**fields["events"])
        if fields["memory"] is not None:
            fields["memory"] = MemoryDesign(**fields["memory"])
        if fields["encoder"] is not None:
            shifts = tuple(fields["encoder"]["shifts"])
            fields["encoder"] = EncoderDesign(**{**fields["encoder"], "shifts": shifts})
        return cls(layers=tuple(layers), readouts=readouts, **fields)

    def design_hash(self) -> int:
        """CRC-32 that tells one gateware from another."""
        return zlib.crc32(json.dumps(self.to_json(), sort_keys=True).encode())


def _either(allowed: Sequence[Any]) -> str:
    """The values as words, ``a, b or c``."""
    *before, last = map(str, allowed)
    return f"{', '.join(before)} or {last}" if before else last
