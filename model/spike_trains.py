# SPDX-License-Identifier: Apache-2.0
"""Samples as spikes, or small integers, at every step, by the encodings of stepwise networks.

Torch-free.
"""

from typing import Any

import numpy as np

from model.description import Network
from model.encoding import EventEncoding, LatencyEncoding, RateEncoding, SeriesEncoding
from model.events import Events, rasterise

__all__ = [
    "check_images",
    "check_series",
    "latency_trains",
    "rate_trains",
    "series_integers",
    "series_trains",
    "spike_trains",
]


def check_images(network: Network, samples: Any) -> np.ndarray:
    """Refuse what is not images for a network.

    Returns
    -------
    numpy.ndarray
        uint8 (N, features).

    Raises
    ------
    ValueError
        If the samples are events, not uint8, or have another number of features.
    """
    if isinstance(samples, Events):
        raise ValueError("Samples must be images for this network, not events")
    images = np.asarray(samples)
    if images.dtype != np.uint8:
        raise ValueError(f"Images must be uint8, not {images.dtype}")
    if images.ndim < 2:
        raise ValueError(f"Images must have a sample axis and pixels, not shape {images.shape}")
    found = int(np.prod(images.shape[1:]))
    if found != network.features:
        raise ValueError(
            f"Images must have {network.features} features for this network, not {found}"
        )
    return images.reshape(len(images), found)


def check_series(
    encoding: SeriesEncoding, samples: Any, *, window: int | None = None
) -> np.ndarray:
    """Refuse what is not series of an encoding, and fill those that are too short.

    Parameters
    ----------
    encoding
        What series are wanted.
    samples
        uint8 (N, T', channels), or (N, T' * channels) step by step, with T' from 1 to the T steps
        of the encoding.
    window
        Of the memory behind it, for the text of an error.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, channels); steps that were missing stand in front and are ``encoding.zero``.

    Raises
    ------
    ValueError
        If the samples are events, not uint8, of another number of channels, empty or too long.
    """
    if isinstance(samples, Events):
        raise ValueError("Samples must be series for this network, not events")
    series = np.asarray(samples)
    if series.dtype != np.uint8:
        raise ValueError(f"Series must be uint8, not {series.dtype}")
    if series.ndim not in (2, 3):
        raise ValueError(
            f"Series must be of shape (samples, steps, channels) or (samples, values), "
            f"not {series.shape}"
        )
    channels = encoding.channels
    if series.ndim == 3 and series.shape[2] != channels:
        raise ValueError(f"Series must have {channels} channels, not {series.shape[2]}")
    if series.shape[1] % channels and series.ndim == 2:
        raise ValueError(
            f"Values of a series must be a multiple of its {channels} channels, "
            f"not {series.shape[1]}"
        )
    steps = series.shape[1] // (1 if series.ndim == 3 else channels)
    if not 1 <= steps <= encoding.steps:
        memory = f" (window of the memory {window})" if window else ""
        raise ValueError(
            f"Series must have 1 to {encoding.steps} steps for this network{memory}, not {steps}"
        )
    whole = np.full((len(series), encoding.steps, channels), encoding.zero, dtype=np.uint8)
    whole[:, encoding.steps - steps :] = series.reshape(len(series), steps, channels)
    return whole


def spike_trains(network: Network, samples: Any) -> np.ndarray:
    """Turn samples into what an encoding sends.

    The first layer sees that, but behind a memory, see `model.memory_trains`.

    Parameters
    ----------
    network
        Gives the encoding and the number of inputs.
    samples
        uint8 (N, features) or (N, height, width) for a latency or rate encoding;
        `model.events.Events` of N samples for an event encoding; series as `check_series` takes
        them.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, features) of 0 and 1, or of a series int16 (N, T, channels).

    Raises
    ------
    ValueError
        If the samples are of the wrong kind, shape or type, or events lie outside the sensor.
    """
    encoding = network.encoding
    if isinstance(encoding, EventEncoding):
        if not isinstance(samples, Events):
            raise ValueError("Samples must be events for this network, not images")
        return rasterise(encoding, samples)
    if isinstance(encoding, SeriesEncoding):
        window = network.memory.window if network.memory is not None else None
        return series_trains(encoding, check_series(encoding, samples, window=window))
    images = check_images(network, samples)
    if isinstance(encoding, RateEncoding):
        return rate_trains(encoding, images)
    return latency_trains(encoding, images)


def latency_trains(encoding: LatencyEncoding, images: np.ndarray) -> np.ndarray:
    """Spikes of images under a latency code: uint8 (N, T, features), silent in the tail steps."""
    arrivals = encoding.table()[images]
    trains = np.zeros((images.shape[0], encoding.steps, images.shape[1]), dtype=np.uint8)
    for step in range(len(encoding.levels)):
        trains[:, step] = arrivals == step
    return trains


def rate_trains(encoding: RateEncoding, images: np.ndarray) -> np.ndarray:
    """Spikes of images under a rate code: uint8 (N, T, features)."""
    trains = np.zeros((images.shape[0], encoding.steps, images.shape[1]), dtype=np.uint8)
    accumulators = np.broadcast_to(encoding.start_values(images.shape[1]), images.shape)
    for step in range(encoding.steps):
        sums = accumulators + images  # uint8: modulo 256, so that a fall is an overflow
        trains[:, step] = sums < accumulators
        accumulators = sums
    return trains


def series_integers(encoding: SeriesEncoding, series: np.ndarray) -> np.ndarray:
    """The integers that the bytes of a series stand for: int16, ``value - zero``."""
    return series.astype(np.int16) - np.int16(encoding.zero)


def series_trains(encoding: SeriesEncoding, series: np.ndarray) -> np.ndarray:
    """What layers see of series: int16, ``(value - zero) >> shift``, clamped to ``bits`` bits."""
    limit = 1 << encoding.bits - 1
    shifted = series_integers(encoding, series) >> encoding.shift
    return np.clip(shifted, -limit, limit - 1).astype(np.int16)
