# SPDX-License-Identifier: Apache-2.0
"""The head of a device image, field by field, compared with what the gateware can hold."""

from collections.abc import Callable
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value

from hw.design.design import Design
from hw.formats.image_layout import (
    ENCODING_CODES,
    IMAGE_MAGIC,
    IMAGE_VERSION,
    ImageHeader,
    ImageLayer,
    ImageMemory,
    LoadError,
    head_bytes,
)
from hw.formats.structures import byte_span, size_of

__all__ = ["add_header_reader"]


def add_header_reader(
    m: Module,
    *,
    loader: Any,
    design: Design,
    take: Signal,
    place: Signal,
    layer: Signal,
    fault: Signal,
    features: Signal,
) -> None:
    """Keep the header's bytes, and find what is wrong with the one at ``place``.

    ``fault`` is right two cycles after a byte was taken.

    Parameters
    ----------
    m
        The loader's module.
    loader
        The `hw.loading.loader.Loader`; its outputs are set.
    design
        Capacity to compare with.
    take
        A byte is taken.
    place, layer
        Where it stands: in the head, or behind it in the entry of a layer.
    fault
        Gets what is wrong.
    features
        Gets the number of inputs of the first layer.
    """
    config = loader.config
    value = Signal(16)  # the last two bytes
    byte = value[8:]
    limit = Signal(16)  # of the number that ends at this place
    too_large = Signal()
    with m.If(take):
        m.d.sync += value.eq(Cat(byte, loader.i.p.data))
    m.d.sync += limit.eq(0)
    m.d.comb += too_large.eq((value == 0) | (value > limit))

    def refuse(condition: Value, error: LoadError) -> None:
        with m.If(condition):
            m.d.sync += fault.eq(error)

    def number(target: Signal, largest: int, error: LoadError) -> None:
        """Keep a number that must lie in 1..largest."""
        m.d.sync += limit.eq(largest)
        # What is cut off is refused as too large.
        m.d.sync += target.eq(value[: largest.bit_length()])
        refuse(too_large, error)

    def end_of(field: str) -> int:
        return byte_span(ImageHeader, field)[-1]

    m.d.sync += fault.eq(LoadError.NONE)
    with m.Switch(place):
        for at, expected in zip(byte_span(ImageHeader, "magic"), IMAGE_MAGIC, strict=True):
            with m.Case(at):
                refuse(byte != expected, LoadError.MAGIC)
        with m.Case(end_of("version")):
            refuse(byte != IMAGE_VERSION, LoadError.VERSION)
        with m.Case(end_of("readout")):
            m.d.sync += config.readout.eq(byte)
            refuse(byte >= len(design.readouts), LoadError.READOUT)
        with m.Case(end_of("steps")):
            number(config.steps, design.steps, LoadError.STEPS)
        with m.Case(end_of("features")):
            number(features, design.features, LoadError.FEATURES)
        with m.Case(end_of("sample_values")):
            number(loader.sample_values, design.sample_values, LoadError.FEATURES)
        with m.Case(end_of("classes")):
            # Compared with the entry of the last layer when that comes.
            number(config.layers[-1].neurons, design.classes, LoadError.CLASSES)
        with m.Case(end_of("layers")):
            refuse(byte != len(design.layers), LoadError.LAYERS)
        with m.Case(end_of("members")):
            m.d.sync += loader.members.eq(byte)
            most = max(this.members for this in design.layers)
            refuse(byte > most, LoadError.MEMBERS)
            if not design.sampled:
                refuse(byte == 0, LoadError.MEMBERS)
        with m.Case(end_of("encoding")):
            if design.sample_input != "words":
                refuse(byte != ENCODING_CODES[design.encoding], LoadError.ENCODING)
        with m.Case(head_bytes(design) + byte_span(ImageLayer, "neurons")[-1]):
            for index, this in enumerate(config.layers):
                with m.If(layer == index):
                    if index == len(design.layers) - 1:
                        refuse(value != this.neurons, LoadError.CLASSES)
                    else:
                        room = min(design.layers[index].neurons, design.layers[index + 1].fan_in)
                        number(this.neurons, room, LoadError.NEURONS)
        with m.Case(end_of("phase")):
            if design.encodes_rates:
                m.d.sync += config.phase.eq(byte)
        if design.memory is not None:
            _read_memory(m, loader, design, value, number, refuse)
    if design.is_stepwise:
        m.d.comb += config.members.eq(Mux(loader.members == 0, 1, loader.members))
    with m.If(take):
        with m.Switch(place):
            with m.Case(*byte_span(ImageHeader, "fingerprint")):
                m.d.sync += loader.fingerprint.eq(Cat(loader.fingerprint[8:], loader.i.p.data))


def _read_memory(
    m: Module,
    loader: Any,
    design: Design,
    value: Signal,
    number: Callable[[Signal, int, LoadError], None],
    refuse: Callable[[Value, LoadError], None],
) -> None:
    """Keep what is said of a Legendre memory; within the switch over places."""
    room, config = design.memory, loader.config.memory
    byte = value[8:]
    begin = size_of(ImageHeader)

    def places(field: str) -> list[int]:
        return [begin + place for place in byte_span(ImageMemory, field)]

    numbers = [
        ("order", config.order, room.order),
        ("channels", config.channels, room.channels),
        ("states", config.states, room.states),
    ]
    encoder = design.encoder
    if encoder is not None:
        series = loader.config.series
        numbers.append(("series_channels", series.channels, encoder.series_channels))
        with m.Case(*places("series_shift")):
            m.d.sync += series.shift.eq(byte[4:])
    for field, target, largest in numbers:
        with m.Case(places(field)[-1]):
            number(target, largest, LoadError.MEMORY)
            if field == "order":
                refuse(value == 1, LoadError.MEMORY)
    with m.Case(*places("zero")):
        m.d.sync += config.zero.eq(byte)
    with m.Case(*places("reads")):
        m.d.sync += config.reads.eq(byte)
        refuse((byte == 0) | (byte > room.reads) | (byte & (byte - 1)).any(), LoadError.MEMORY)
    scale = places("input_scale")
    for half, place in enumerate((scale[1], scale[3])):
        with m.Case(place):
            part = config.input_scale[16 * half : 16 * (half + 1)]
            if len(part):
                m.d.sync += part.eq(value)
            refuse(value[len(part) :].any(), LoadError.MEMORY)
