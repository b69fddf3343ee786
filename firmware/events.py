# SPDX-License-Identifier: Apache-2.0
"""Samples of event cameras in the bytes that a board takes."""

import numpy as np

from hw.link.packets import EventEntry
from hw.structures import pack, size_of
from model.description import EventEncoding
from model.events import Events

__all__ = ["event_bodies"]

# `EventEntry`, whose coordinates and flags share a word.
_ENTRY = np.dtype([("time", "<u4"), ("place", "<u4")])
_X_BITS = _Y_BITS = 14


def event_bodies(samples: Events, encoding: EventEncoding) -> list[bytes]:
    """Entries of each sample, one after another; a sample without events has one that says so.

    Parameters
    ----------
    samples
        Events in order of time.
    encoding
        Of the gateware.

    Raises
    ------
    ValueError
        If an event lies outside the sensor, or its time does not fit.
    """
    assert _ENTRY.itemsize == size_of(EventEntry)
    for noun, values, limit in (
        ("Column", samples.x, encoding.width),
        ("Row", samples.y, encoding.height),
        ("Time", samples.t, 1 << 32),
    ):
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if wrong.size:
            event = int(wrong[0])
            raise ValueError(f"{noun} of event {event} must be below {limit}, not {values[event]}")
    entries = np.zeros(len(samples.t), dtype=_ENTRY)
    entries["time"] = samples.t
    polarity = samples.p.astype(np.int64) << _X_BITS + _Y_BITS
    present = 1 << _X_BITS + _Y_BITS + 1
    entries["place"] = samples.x.astype(np.int64) | samples.y.astype(np.int64) << _X_BITS
    entries["place"] |= (polarity | present).astype(np.uint32)
    nothing = pack(EventEntry)
    return [
        entries[start:stop].tobytes() or nothing
        for start, stop in zip(samples.offsets, samples.offsets[1:], strict=False)
    ]
