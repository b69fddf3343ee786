# SPDX-License-Identifier: Apache-2.0
"""A design in the registers of its gateware, and rebuilt from them by a host."""

import dataclasses
from collections.abc import Callable
from typing import Any

from amaranth.lib import data

from hw.design.design import Design, Fold, LayerDesign
from hw.design.encoder_design import EncoderDesign
from hw.design.memory_design import MemoryDesign
from hw.formats.capacity_words import DynamicsWords, EventWords, LayerWords, MemoryWords
from hw.formats.image_layout import ENCODING_CODES
from hw.formats.register_map import (
    EVENT_BASE,
    LAYER_BASE,
    LAYER_END,
    LAYER_STRIDE,
    PROTOCOL_VERSION,
    REGISTER_MAGIC,
    CapacityWord,
    CommitteeWord,
    FoldWord,
    SizeWord,
    register_address,
)
from hw.formats.structures import size_of, to_bits, unpack
from model.description import Dynamics, EventEncoding, NeuronKind, Readout, Reset

__all__ = ["design_from_words", "design_words", "max_layers"]

_READOUT_CODES = {rule: code for code, rule in enumerate(Readout, start=1)}
_READOUTS = {code: rule for rule, code in _READOUT_CODES.items()}
_KINDS = list(NeuronKind)
_RESETS = list(Reset)
_ENCODINGS = {code: name for name, code in ENCODING_CODES.items()}
_INPUTS = ("pixels", "words", "events")
_MOST_MEMBERS = 255
_ENCODER_SHIFTS = ("shift_of_states", "shift_of_series", "shift_of_neurons")


def max_layers(design: Design) -> int:
    """Layers that the window can describe."""
    return (LAYER_END - LAYER_BASE) // _stride(design.is_stepwise)


def _stride(is_stepwise: bool) -> int:
    """Bytes of a layer."""
    return LAYER_STRIDE * (2 if is_stepwise else 1)


def _spread(base: int, value: int) -> dict[int, int]:
    """A wide value as words from an address on."""
    return {base + at: value >> 8 * at & 0xFFFFFFFF for at in range(0, LAYER_STRIDE, 4)}


def _words(read: Callable[[int], int], base: int, layout: type[data.Struct]) -> dict[str, int]:
    """Fields of a structure that stands in several words."""
    raw = b"".join(
        read(address).to_bytes(4, "little") for address in range(base, base + size_of(layout), 4)
    )
    return unpack(layout, raw)


def _dynamics(read: Callable[[int], int], base: int) -> Dynamics:
    fields: dict[str, Any] = _words(read, base, DynamicsWords)
    fields = {name: fields[name] for name in fields if not name.endswith("zero")}
    fields["emission_signed"] = bool(fields["emission_signed"])
    return Dynamics(**{**fields, "reset": _RESETS[fields["reset"]]})


def _encoder_fields(design: Design) -> dict[str, int]:
    """Fields of `MemoryWords` that say what encoder there is."""
    if design.encoder is None:
        return {}
    return {
        "is_recurrent": 1,
        "series_channels": design.encoder.series_channels,
        **dict(zip(_ENCODER_SHIFTS, design.encoder.shifts, strict=True)),
    }


def design_words(design: Design) -> dict[int, int]:
    """What the registers say about a design: byte address to value.

    Raises
    ------
    ValueError
        If the design has more layers than the window can describe.
    """
    most = max_layers(design)
    if len(design.layers) > most:
        raise ValueError(f"Layers must number at most {most}, not {len(design.layers)}")
    if design.members > _MOST_MEMBERS:
        raise ValueError(f"Members must be at most {_MOST_MEMBERS}, not {design.members}")
    words = {
        register_address("magic"): REGISTER_MAGIC,
        register_address("protocol"): PROTOCOL_VERSION,
        register_address("design_hash"): design.design_hash(),
        register_address("capacity"): to_bits(
            CapacityWord,
            layers=len(design.layers),
            words_input=design.sample_input == "words",
            early_stop=design.early_stop,
            two_banks=design.store_banks == 2,
            spram=design.weight_memory == "spram",
            encoding=ENCODING_CODES[design.encoding],
            events_input=design.sample_input == "events",
            step_results=design.step_results,
            steps=design.steps,
        ),
        register_address("size"): to_bits(
            SizeWord, sample_values=design.sample_values, classes=design.classes
        ),
        register_address("fold"): to_bits(
            FoldWord,
            pixels_per_cycle=design.pixels_per_cycle,
            readouts=[_READOUT_CODES[rule] for rule in design.readouts]
            + [0] * (4 - len(design.readouts)),
        ),
    }
    if design.is_stepwise:
        words[register_address("committee")] = to_bits(CommitteeWord, most=design.members)
    for index, layer in enumerate(design.layers):
        value = to_bits(
            LayerWords,
            fan_in=layer.fan_in,
            neurons=layer.neurons,
            lanes=layer.lanes,
            inputs_per_cycle=layer.inputs_per_cycle,
            times_per_cycle=layer.fold.times_per_cycle,
            potential_bits=layer.potential_bits,
            threshold_bits=layer.threshold_bits,
            kind=_KINDS.index(layer.kind),
            sets=layer.members,
            sampled=layer.sampled,
            spram=index == design.spram_layer,
            input_bits=layer.input_bits,
            input_signed=layer.input_signed,
        )
        base = LAYER_BASE + index * _stride(design.is_stepwise)
        words |= _spread(base, value)
        if layer.dynamics is not None:
            fields = dataclasses.asdict(layer.dynamics)
            fields["reset"] = _RESETS.index(layer.dynamics.reset)
            words |= _spread(base + LAYER_STRIDE, to_bits(DynamicsWords, **fields))
    if design.events is not None:
        fields = dataclasses.asdict(design.events)
        words |= _spread(EVENT_BASE, to_bits(EventWords, **fields))
    if design.memory is not None:
        fields = {**dataclasses.asdict(design.memory), **_encoder_fields(design)}
        words |= _spread(EVENT_BASE, to_bits(MemoryWords, **fields))
    return words


def design_from_words(read: Callable[[int], int]) -> Design:
    """Rebuild a design from the registers of its gateware.

    Parameters
    ----------
    read
        Gives the value of the register at a byte address.

    Raises
    ------
    ValueError
        If the registers are not those of a popspike gateware, of another protocol version, or
        describe a design that this version does not know.
    """
    magic, protocol = read(register_address("magic")), read(register_address("protocol"))
    if magic != REGISTER_MAGIC:
        raise ValueError(f"Register magic must be {REGISTER_MAGIC:#010x}, not {magic:#010x}")
    if protocol != PROTOCOL_VERSION:
        raise ValueError(f"Protocol version must be {PROTOCOL_VERSION}, not {protocol}")
    capacity = CapacityWord.from_bits(read(register_address("capacity")))
    fold_word = FoldWord.from_bits(read(register_address("fold")))
    is_stepwise = _words(read, LAYER_BASE, LayerWords)["kind"] > 0
    layers, spram_layer = [], 0
    for index in range(capacity.layers):
        base = LAYER_BASE + index * _stride(is_stepwise)
        words = _words(read, base, LayerWords)
        spram_layer = index if words["spram"] else spram_layer
        layers.append(
            LayerDesign(
                fan_in=words["fan_in"],
                neurons=words["neurons"],
                fold=Fold(
                    lanes=words["lanes"],
                    inputs_per_cycle=words["inputs_per_cycle"],
                    times_per_cycle=words["times_per_cycle"],
                ),
                potential_bits=words["potential_bits"],
                threshold_bits=words["threshold_bits"],
                kind=_KINDS[words["kind"]],
                dynamics=_dynamics(read, base + LAYER_STRIDE) if is_stepwise else None,
                members=words["sets"],
                sampled=bool(words["sampled"]),
                input_bits=words["input_bits"],
                input_signed=bool(words["input_signed"]),
            )
        )
    events = None
    if _ENCODINGS[capacity.encoding] == "events":
        fields = _words(read, EVENT_BASE, EventWords)
        events = EventEncoding(**{**fields, "merge_polarity": bool(fields["merge_polarity"])})
    memory, encoder = None, None
    if _ENCODINGS[capacity.encoding] == "series" and not capacity.words_input:
        fields = _words(read, EVENT_BASE, MemoryWords)
        names = [field.name for field in dataclasses.fields(MemoryDesign)]
        memory = MemoryDesign(**{name: fields[name] for name in names})
        if fields["is_recurrent"]:
            encoder = EncoderDesign(
                features=layers[0].fan_in,
                channels=memory.channels,
                series_channels=fields["series_channels"],
                input_bits=memory.emission_bits,
                shifts=tuple(fields[name] for name in _ENCODER_SHIFTS),
                sum_bits=memory.input_bits,
            )
    committee = CommitteeWord.from_bits(read(register_address("committee")))
    design = Design(
        layers=tuple(layers),
        steps=capacity.steps,
        pixels_per_cycle=fold_word.pixels_per_cycle,
        sample_input=_INPUTS[capacity.words_input + 2 * capacity.events_input],
        readouts=tuple(_READOUTS[code] for code in fold_word.readouts if code in _READOUTS),
        early_stop=bool(capacity.early_stop),
        store_banks=2 if capacity.two_banks else 1,
        weight_memory="spram" if capacity.spram else "portable",
        spram_layer=spram_layer,
        encoding=_ENCODINGS[capacity.encoding],
        events=events,
        memory=memory,
        encoder=encoder,
        members=committee.most if is_stepwise else 1,
        step_results=bool(capacity.step_results),
    )
    found = read(register_address("design_hash"))
    if found != design.design_hash():
        raise ValueError(
            f"Design hash must be {design.design_hash():#010x}, not {found:#010x}: "
            "this gateware was made by another version of popspike"
        )
    return design
