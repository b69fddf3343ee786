# SPDX-License-Identifier: Apache-2.0
"""Legendre memories and their series in device images, and back."""

import numpy as np

from hw.design.design import Design
from hw.design.encoder_design import EncoderDesign
from hw.design.memory_design import MemoryDesign
from hw.formats.image_layout import ImageMemory
from hw.formats.structures import pack
from hw.formats.write_target import ENCODER_TARGET, WriteTarget
from model.description import Dynamics, Layer, LegendreMemory, Network, NeuronKind
from model.encoding import SeriesEncoding

__all__ = [
    "encoder_from_image",
    "memory_entry",
    "memory_from_image",
    "memory_rows",
    "series_from_image",
]


def memory_entry(network: Network, design: Design) -> bytes:
    """What an image says of a Legendre memory; nothing if the gateware has none."""
    memory, encoding, room = network.memory, network.encoding, design.memory
    if room is None:
        return b""
    # The design has been asked.
    assert memory is not None
    assert isinstance(encoding, SeriesEncoding)
    return pack(
        ImageMemory,
        order=memory.order,
        channels=memory.channels,
        window=memory.window,
        input_shift=memory.input_shift,
        zero=encoding.zero,
        input_scale=room.scale(memory),
        reads=memory.reads,
        series_bits=encoding.bits,
        series_shift=encoding.shift,
        states=memory.states,
        series_channels=encoding.channels,
        encoder_bits=_encoder_bits(network),
    )


def _encoder_bits(network: Network) -> int:
    """Membrane bits of an encoder; 0 without one."""
    if network.encoder is None or network.encoder.dynamics is None:
        return 0
    return network.encoder.dynamics.membrane_bits


def memory_rows(network: Network, target: WriteTarget) -> np.ndarray:
    """Coefficients, emission shifts or weights of an encoder: uint8 (rows, row_bytes)."""
    memory, encoder = network.memory, network.encoder
    assert memory is not None  # the design has been asked
    if target.name == ENCODER_TARGET:
        assert encoder is not None
        bits = np.zeros((encoder.fan_in, target.row_bits), dtype=np.uint8)
        bits[:, : encoder.neurons] = encoder.signs(0).T > 0
        return np.packbits(bits, axis=1, bitorder="little")
    values = memory.coefficients if target.name == "coefficients" else memory.emission_shifts
    return values.astype("<u2").view(np.uint8).reshape(-1, 2)[:, : target.row_bytes]


def memory_from_image(
    entry: dict[str, int], room: MemoryDesign, memories: dict[str, np.ndarray]
) -> LegendreMemory:
    """Inverse of `memory_entry` and `memory_rows`.

    Parameters
    ----------
    entry
        Fields of the entry.
    room
        Of the gateware.
    memories
        Rows by name: uint8 (rows, row_bytes).
    """
    wide = np.zeros((entry["order"], 2), dtype=np.uint8)
    wide[:, : memories["coefficients"].shape[1]] = memories["coefficients"]
    return LegendreMemory(
        order=entry["order"],
        channels=entry["channels"],
        window=entry["window"],
        coefficients=wide.view("<u2").ravel().astype(np.uint16),
        coefficient_bits=room.coefficient_bits,
        fraction_bits=room.fraction_bits,
        guard_bits=room.guard_bits,
        input_scale=entry["input_scale"] >> max(0, room.input_shift - entry["input_shift"]),
        input_shift=entry["input_shift"],
        emission_bits=room.emission_bits,
        emission_shifts=memories["emission shifts"][:, 0],
        reads=entry["reads"],
    )


def encoder_from_image(
    entry: dict[str, int], room: EncoderDesign, features: int, rows: np.ndarray
) -> Layer:
    """Encoder of so many inputs from its rows; see `memory_from_image`."""
    bits = np.unpackbits(rows, axis=1, count=room.channels, bitorder="little")
    signs = 2 * bits[:, : entry["channels"]].T.astype(np.int8) - 1
    return Layer.from_signs(
        signs.reshape(entry["channels"], features),
        np.zeros(entry["channels"]),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=entry["encoder_bits"]),
        input_bits=room.input_bits,
        input_signed=True,
    )


def series_from_image(entry: dict[str, int], values: int) -> SeriesEncoding:
    """The series of an image's entry, of samples of so many values."""
    return SeriesEncoding(
        steps=values // entry["series_channels"],
        channels=entry["series_channels"],
        zero=entry["zero"],
        bits=entry["series_bits"],
        shift=entry["series_shift"],
    )
