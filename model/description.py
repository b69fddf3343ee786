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
    SeriesEncoding,
    checked_integer,
)
from model.layer import MAX_GAIN, Layer, pack_signs
from model.legendre import LegendreMemory, MemoryWidths
from model.neurons import Dynamics, NeuronKind, Reset

__all__ = [
    "MAX_GAIN",
    "MAX_STEPS",
    "Dynamics",
    "EventEncoding",
    "LatencyEncoding",
    "Layer",
    "LegendreMemory",
    "MemoryWidths",
    "Network",
    "NetworkError",
    "NeuronKind",
    "RateEncoding",
    "Readout",
    "Reset",
    "SeriesEncoding",
    "pack_signs",
]


class Readout(enum.StrEnum):
    """How a class is read from the output neurons; ties go to the lower class index."""

    FIRST_SPIKE = "first-spike"
    FINAL_POTENTIAL = "final-potential"
    SUMMED_POTENTIAL = "summed-potential"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A frozen integer network: encoding, memory, layers, readout.

    Either all layers are single-spike, or all hidden layers are LIF, spike response or diffused
    quantisers and the last layer is an integrator whose final potential is read.

    Series of integers take one of three ways. Without a memory, the first layer sees every step.
    With a memory alone (the parallel form of the LMU), the series goes into the memory, one
    channel each, and the first layer sees the states at the end of the series, once for every
    read. With a memory and an encoder (the recurrent hybrid LMU), every step is seen by the
    layers: see ``model/stepwise.py``.

    Parameters
    ----------
    encoding
        Input encoding, which also sets the number of steps.
    layers
        One or more layers; each fan-in equals the neurons of the layer before.
    memory
        Legendre memory behind a series; None for other encodings.
    encoder
        Of the recurrent form: the binary weights that make the memory's inputs, one neuron a
        channel, from the inputs of the first layer; kind integrator, without a threshold.
    encoder_shifts
        Of the recurrent form: left shifts (0 to 7) of what states, series and hidden neurons add
        to the memory's input; otherwise empty.
    readout
        Decision rule on the last layer.
    input_shape
        Shape of one sample, for pictures; its product is `sample_values` (of events: the inputs of
        the first layer).
    inverse_temperature
        beta > 0: the probability of a class is softmax(beta * score), where the score of a
        committee is the mean over its members.
    metadata
        JSON-able facts: data set, recipe, seed, command, accuracies, licences.
    """

    encoding: Encoding
    layers: tuple[Layer, ...]
    memory: LegendreMemory | None = None
    encoder: Layer | None = None
    encoder_shifts: tuple[int, ...] = ()
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
            if (after.input_bits, after.input_signed) != (before.output_bits, before.output_signed):
                raise NetworkError(
                    f"Inputs of layer {index} must be what layer {index - 1} emits, "
                    f"{_number_text(before.output_bits, before.output_signed)}, "
                    f"not {_number_text(after.input_bits, after.input_signed)}"
                )
        self._check_input()
        shape = tuple(int(size) for size in self.input_shape) or (self.sample_values,)
        object.__setattr__(self, "input_shape", shape)
        if int(np.prod(shape)) != self.sample_values:
            raise NetworkError(
                f"Input shape must have {self.sample_values} features, not {shape!r}"
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

    def _check_input(self) -> None:
        """What the first layer sees must be what encoding and memory give."""
        encoding, memory, first = self.encoding, self.memory, self.layers[0]
        number, given = (1, False), self.features
        if isinstance(encoding, EventEncoding):
            given = encoding.features
        if isinstance(encoding, SeriesEncoding):
            number, given = (encoding.bits, True), encoding.channels
            if memory is not None:
                number, given = (memory.emission_bits, True), memory.states
                self._check_memory(encoding, memory)
                if self.is_recurrent:
                    given += encoding.channels + first.neurons
        elif memory is not None:
            raise NetworkError("Encoding before a memory must be a series")
        if memory is None and (self.encoder is not None or self.encoder_shifts):
            raise NetworkError("An encoder must have a memory behind it")
        if given != self.features:
            raise NetworkError(
                f"Fan-in of layer 0 must equal the {given} inputs of the encoding, "
                f"not {self.features}"
            )
        if (first.input_bits, first.input_signed) != number:
            raise NetworkError(
                f"Inputs of layer 0 must be {_number_text(*number)}, "
                f"not {_number_text(first.input_bits, first.input_signed)}"
            )

    def _check_memory(self, encoding: SeriesEncoding, memory: LegendreMemory) -> None:
        """Rules of a memory, without and with an encoder before it."""
        if self.encoder is not None:
            self._check_encoder(encoding, memory, self.encoder)
            return
        if self.encoder_shifts:
            raise NetworkError("Encoder shifts must have an encoder")
        if memory.channels != encoding.channels:
            raise NetworkError(
                f"Channels of the memory must be the {encoding.channels} of the series, "
                f"not {memory.channels}"
            )
        if encoding.steps > memory.window:
            raise NetworkError(
                f"Steps of the series must be at most the window {memory.window} of the memory, "
                f"not {encoding.steps}"
            )

    def _check_encoder(
        self, encoding: SeriesEncoding, memory: LegendreMemory, encoder: Layer
    ) -> None:
        """Rules of the recurrent form."""
        first = self.layers[0]
        number = (memory.emission_bits, True)
        if len(self.layers) != 2 or first.kind is not NeuronKind.DIFFUSED:
            raise NetworkError(
                "Layers behind an encoder must be one of diffused quantisers and an integrator"
            )
        if (first.output_bits, first.output_signed) != number or encoding.bits != number[0]:
            raise NetworkError(
                f"Hidden neurons and series must be {_number_text(*number)}, as what the memory "
                "sends"
            )
        if memory.reads != 1 or self.members > 1 or self.is_sampled:
            raise NetworkError("A recurrent network must have one weight set and one read")
        found = (encoder.kind, encoder.neurons, encoder.fan_in)
        if found != (NeuronKind.INTEGRATOR, memory.channels, first.fan_in):
            raise NetworkError(
                f"Encoder must be {memory.channels} integrators of fan-in {first.fan_in}, "
                f"not {encoder.neurons} of kind {encoder.kind} and fan-in {encoder.fan_in}"
            )
        if (encoder.input_bits, encoder.input_signed) != number or encoder.thresholds.any():
            raise NetworkError(f"Encoder must have inputs of {number[0]} bits and no thresholds")
        shifts = tuple(checked_integer("Encoder shift", s, 0, 7) for s in self.encoder_shifts)
        if len(shifts) != 3:
            raise NetworkError(f"Encoder shifts must be 3, not {len(shifts)}")
        object.__setattr__(self, "encoder_shifts", shifts)

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
            if not layer.fires_repeatedly and layer.kind is not NeuronKind.DIFFUSED:
                raise NetworkError(
                    f"Kind of layer {index} must be lif, spike-response or diffused-quantiser "
                    f"before an integrator, not {layer.kind}"
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
    def weight_bits(self) -> int:
        """Bits of all weights that are stored; a weight that may be drawn takes two."""
        return sum(
            layer.fan_in * layer.neurons * layer.members * (1 + (layer.undecided is not None))
            for layer in self.layers
        )

    @property
    def is_sampled(self) -> bool:
        """Whether members are drawn from a ternary posterior."""
        return any(layer.undecided is not None for layer in self.layers)

    @property
    def steps(self) -> int:
        """Number of time steps T of the layers."""
        if self.memory is not None and self.encoder is None:
            return self.memory.reads
        return self.encoding.steps

    @property
    def features(self) -> int:
        """Number of inputs of the first layer."""
        return self.layers[0].fan_in

    @property
    def sample_values(self) -> int:
        """Bytes of a sample: its pixels, or T * channels of a series."""
        if isinstance(self.encoding, SeriesEncoding):
            return self.encoding.steps * self.encoding.channels
        return self.features

    @property
    def is_recurrent(self) -> bool:
        """Whether hidden neurons and memory feed back (the recurrent hybrid LMU)."""
        return self.encoder is not None

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
        if self.memory is not None:
            crc = zlib.crc32(f"{self.memory.identity()}{self.encoder_shifts}".encode(), crc)
        for layer in (*self.layers, *([self.encoder] if self.encoder else [])):
            crc = zlib.crc32(str(layer.kind).encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(layer.weights).tobytes(), crc)
            crc = zlib.crc32(np.ascontiguousarray(layer.thresholds, dtype="<i4").tobytes(), crc)
            if layer.dynamics is not None:
                crc = zlib.crc32(repr(dataclasses.astuple(layer.dynamics)).encode(), crc)
            if layer.undecided is not None:
                crc = zlib.crc32(np.ascontiguousarray(layer.undecided).tobytes(), crc)
            if layer.gains is not None:
                crc = zlib.crc32(np.ascontiguousarray(layer.gains).tobytes(), crc)
        return crc


def _number_text(bits: int, signed: bool) -> str:
    return f"integers of {bits} bits with{'' if signed else 'out'} a sign"
