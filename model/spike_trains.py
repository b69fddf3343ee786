# SPDX-License-Identifier: Apache-2.0
"""Samples as spikes at every step, by the encodings of stepwise networks. Torch-free."""

from typing import Any

import numpy as np

from model.description import Network
from model.encoding import EventEncoding, LatencyEncoding, RateEncoding
from model.events import Events, rasterise

__all__ = ["check_images", "latency_trains", "rate_trains", "spike_trains"]


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


def spike_trains(network: Network, samples: Any) -> np.ndarray:
    """Turn samples into spikes.

    Parameters
    ----------
    network
        Gives the encoding and the number of inputs.
    samples
        uint8 (N, features) or (N, height, width) for a latency or rate encoding;
        `model.events.Events` of N samples for an event encoding.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, features) of 0 and 1.

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
