# SPDX-License-Identifier: Apache-2.0
"""Legendre memories and their series in device images, and back."""

import numpy as np

from hw.design import Design
from hw.image_layout import ImageMemory
from hw.memory_design import MemoryDesign
from hw.structures import pack
from hw.write_target import WriteTarget
from model.description import LegendreMemory, Network
from model.encoding import SeriesEncoding

__all__ = ["memory_entry", "memory_from_image", "memory_rows", "series_from_image"]


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
    )


def memory_rows(network: Network, target: WriteTarget) -> np.ndarray:
    """Coefficients or emission shifts: uint8 (rows, row_bytes)."""
    memory = network.memory
    assert memory is not None  # the design has been asked
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


def series_from_image(entry: dict[str, int], values: int) -> SeriesEncoding:
    """The series of an image's entry, of samples of so many values."""
    return SeriesEncoding(
        steps=values // entry["channels"],
        channels=entry["channels"],
        zero=entry["zero"],
        bits=entry["series_bits"],
        shift=entry["series_shift"],
    )
