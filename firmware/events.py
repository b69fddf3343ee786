# SPDX-License-Identifier: Apache-2.0
"""Samples of event cameras in the bytes that a board takes."""

import numpy as np
from amaranth.lib import data

from hw.formats.structures import pack, size_of
from hw.link.packets import EventEntry
from model.description import EventEncoding
from model.events import Events

__all__ = ["event_bodies"]

# Lowest bit of each field of an entry, which is a number of 64 bits.
_PLACES = {name: field.offset for name, field in data.Layout.cast(EventEntry)}


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
    assert size_of(EventEntry) == 8
    for noun, values, limit in (
        ("Column", samples.x, encoding.width),
        ("Row", samples.y, encoding.height),
        ("Time", samples.t, 1 << 32),
    ):
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if wrong.size:
            event = int(wrong[0])
            raise ValueError(f"{noun} of event {event} must be below {limit}, not {values[event]}")
    fields = {"time": samples.t, "x": samples.x, "y": samples.y, "polarity": samples.p}
    entries = np.full(len(samples.t), 1 << _PLACES["present"], dtype="<u8")
    for name, values in fields.items():
        entries |= values.astype(np.uint64) << np.uint64(_PLACES[name])
    nothing = pack(EventEntry)
    return [
        entries[start:stop].tobytes() or nothing
        for start, stop in zip(samples.offsets, samples.offsets[1:], strict=False)
    ]
