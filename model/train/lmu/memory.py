# SPDX-License-Identifier: Apache-2.0
"""What the memory leaves of training samples: computed once and kept beside the run.

The layers behind the memory see only its states after the last step, so that the memory, which is
fixed, is run once for every sample, whatever is trained behind it.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from model.description import LegendreMemory, SeriesEncoding
from model.legendre_step import final_states, float_states, float_system
from model.spike_trains import check_series, series_integers
from model.train.lmu.config import LmuConfig
from model.whole_file import whole_file

__all__ = [
    "emission_shifts",
    "float_memory",
    "input_peak",
    "memory_of",
    "memory_states",
    "order_of",
    "series",
]

# Samples that run side by side: a message after each such part.
_PART = 4096
# States over all channels where a recipe leaves it open.
_STATES = 256


def series(samples: np.ndarray, encoding: SeriesEncoding) -> np.ndarray:
    """Integers int16 (N, T, channels) of samples, as `model.spike_trains.check_series` takes them.

    Raises
    ------
    ValueError
        If the samples are no series of the encoding.
    """
    return series_integers(encoding, check_series(encoding, samples))


def input_peak(config: LmuConfig, encoding: SeriesEncoding) -> int:
    """Input that counts as 1: the recipe's, or one beyond all inputs."""
    return config.memory.input_peak or max(encoding.zero, 256 - encoding.zero)


def order_of(config: LmuConfig, encoding: SeriesEncoding) -> int:
    """States of a channel: the recipe's, or as many as suit the series."""
    window = config.memory.window or encoding.steps
    return config.memory.order or max(2, min(_STATES // encoding.channels, window // 2))


def memory_of(config: LmuConfig, encoding: SeriesEncoding) -> LegendreMemory:
    """The memory of a recipe, with the shifts that it has before samples were seen."""
    table = config.memory
    return LegendreMemory.for_window(
        order=order_of(config, encoding),
        window=table.window or encoding.steps,
        input_peak=input_peak(config, encoding),
        coefficient_bits=table.coefficient_bits,
        fraction_bits=table.fraction_bits,
        guard_bits=table.guard_bits,
        channels=encoding.channels,
        emission_bits=table.emission_bits,
        reads=table.reads,
    )


def emission_shifts(memory: LegendreMemory, states: np.ndarray, spread: float) -> np.ndarray:
    """Shifts uint8 (states,) with which ``spread`` root mean squares reach the bound of emissions.

    Parameters
    ----------
    memory
        Gives the bits of an emission.
    states
        Integers (N, states) of training samples.
    spread
        Recipe's.
    """
    power = np.mean(states.astype(np.float32) ** 2, axis=0)
    steps = spread * np.sqrt(np.maximum(power, 1)) / (1 << memory.emission_bits - 1)
    return np.clip(np.rint(np.log2(steps)), 0, memory.state_bits - 1).astype(np.uint8)


def memory_states(
    memory: LegendreMemory,
    values: np.ndarray,
    *,
    directory: Path | None = None,
    on_message: Callable[[str], None] | None = None,
) -> np.ndarray:
    """States after whole series, from ``directory`` where they were computed before.

    Parameters
    ----------
    memory
        The memory; what it sends does not matter.
    values
        int16 (N, T, channels).
    directory
        Gets ``states-<checksum>.safetensors``; nothing is written without it.
    on_message
        Called with a line of text as work goes on.

    Returns
    -------
    numpy.ndarray
        int16 (N, states), or int32 where states are wider.
    """
    arithmetic = {
        name: value
        for name, value in memory.to_json().items()
        if name not in ("emission_bits", "reads")
    }
    checksum = zlib.crc32(f"{arithmetic}{values.shape}".encode())
    checksum = zlib.crc32(memory.coefficients.tobytes(), checksum)
    checksum = zlib.crc32(np.ascontiguousarray(values).tobytes(), checksum)
    path = None if directory is None else directory / f"states-{checksum:08x}.safetensors"
    if path is not None and path.exists():
        try:
            return load_file(path)["states"]
        except (SafetensorError, KeyError, OSError):
            pass  # damaged: computed again
    kind = np.int16 if memory.state_bits <= 16 else np.int32
    states = np.empty((len(values), memory.states), dtype=kind)
    for start in range(0, len(values), _PART):
        part = values[start : start + _PART]
        states[start : start + _PART] = final_states(memory, part).numpy()
        if on_message is not None:
            on_message(f"memory: {start + len(part)} of {len(values)} samples")
    if path is not None:
        with whole_file(path) as temporary:
            save_file({"states": states}, temporary)
    return states


def float_memory(order: int, window: int, values: np.ndarray, peak: int) -> Tensor:
    """States float32 (N, channels * order) of the zero-order hold, of series int16 (N, T, C)."""
    system = float_system(order, window, zero_order_hold=True)
    parts = [
        torch.from_numpy(float_states(system, part.astype(np.float64) / peak)).float()
        for part in np.array_split(values, max(1, len(values) // _PART))
    ]
    return torch.cat(parts)
