# SPDX-License-Identifier: Apache-2.0
"""Events: what is refused and with which words; rasterisation against a slow reading of it."""

import random
from typing import Any

import numpy as np
import pytest

from model.encoding import EventEncoding
from model.events import EventError, Events, rasterise

ENCODING = EventEncoding(
    width=9, height=7, left=1, top=2, crop_width=6, crop_height=5, shift=1, bin_us=10, steps=4
)


def some_events(seed: int = 1, samples: int = 5, width: int = 9, height: int = 7) -> Events:
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 40, samples)
    total = int(counts.sum())
    times = [np.sort(draw.integers(0, 60, count)) for count in counts]
    return Events(
        t=np.concatenate(times),
        x=draw.integers(0, width, total),
        y=draw.integers(0, height, total),
        p=draw.integers(0, 2, total),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )


def two_samples(**changed: Any) -> Events:
    fields = {
        "t": [0, 5, 5, 0],
        "x": [1, 2, 3, 4],
        "y": [0, 0, 1, 1],
        "p": [0, 1, 0, 1],
        "offsets": [0, 3, 4],
        "width": 5,
        "height": 2,
    }
    return Events(**{**fields, **changed})


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_rasterisation_equals_a_slow_reading(shift: int, merge: bool) -> None:
    seed = 10 * shift + merge
    draw = random.Random(seed)
    events = some_events(seed)
    left, top = draw.randrange(4), draw.randrange(4)
    encoding = EventEncoding(
        width=9, height=7, left=left, top=top, crop_width=9 - left, crop_height=7 - top - 1,
        shift=shift, merge_polarity=merge, bin_us=draw.randrange(1, 15), steps=4,
    )  # fmt: skip
    channels, rows, columns = encoding.shape
    expected = np.zeros((len(events), 4, channels, rows, columns), dtype=np.uint8)
    for n in range(len(events)):
        for i in range(events.offsets[n], events.offsets[n + 1]):
            x, y, step = events.x[i] - left, events.y[i] - top, events.t[i] // encoding.bin_us
            if 0 <= x < encoding.crop_width and 0 <= y < encoding.crop_height and step < 4:
                channel = 0 if merge else events.p[i]
                expected[n, step, channel, y // 2**shift, x // 2**shift] = 1
    found = rasterise(encoding, events)
    assert found.dtype == np.uint8
    assert (found == expected.reshape(len(events), 4, -1)).all(), f"seed {seed}"


def test_samples_are_taken_like_those_of_an_array() -> None:
    events = some_events()
    raster = rasterise(ENCODING, events)
    keys = [2, -1, slice(1, 4), slice(None, None, 2), np.array([4, 0, 0]), np.arange(5) % 2 == 1]
    for key in keys:
        wanted = raster[key] if not isinstance(key, int) else raster[key][None]
        assert (rasterise(ENCODING, events[key]) == wanted).all()
    assert len(events[:0]) == 0
    assert rasterise(ENCODING, events[:0]).shape == (0, 4, ENCODING.features)
    with pytest.raises(IndexError):
        events[5]


def test_join_is_the_inverse_of_slicing() -> None:
    events = some_events()
    joined = Events.join([events[:2], events[2:2], events[2:]])
    assert all((getattr(joined, name) == getattr(events, name)).all() for name in "txyp")
    assert (joined.offsets == events.offsets).all()


def test_a_later_sample_may_begin_earlier_and_an_empty_one_is_fine() -> None:
    assert len(two_samples()) == 2
    events = two_samples(offsets=[0, 0, 3, 3, 4, 4])
    assert len(events) == 5
    assert not rasterise(ENCODING, events[0]).any()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"t": [0, 5, 4, 0]}, r"Time of event 2 of sample 0 must be at least the 5 us of the "
         r"event before it, not 4 us"),
        ({"t": [-3, 5, 5, 0]}, r"Time of event 0 of sample 0 must be at least 0, not -3"),
        ({"x": [1, 2, 3, 5]}, r"Column of event 0 of sample 1 must lie in 0\.\.4, not 5"),
        ({"x": [1, -2, 3, 4]}, r"Column of event 1 of sample 0 must lie in 0\.\.4, not -2"),
        ({"y": [0, 2, 0, 0]}, r"Row of event 1 of sample 0 must lie in 0\.\.1, not 2"),
        ({"y": [0, 0, -1, 0], "height": 0}, r"Row of event 2 of sample 0 must be at least 0, "
         r"not -1"),
        ({"p": [0, 2, 0, 1]}, r"Polarity of event 1 of sample 0 must lie in 0\.\.1, not 2"),
        ({"p": [0, -1, 0, 1]}, r"p must lie in 0\.\.255, not -1"),
        ({"offsets": [1, 3, 4]}, r"Offsets of events must begin with 0, not 1"),
        ({"offsets": np.zeros(0, int)}, r"Offsets of events must begin with 0, not nothing"),
        ({"offsets": [0, 5, 4]}, r"Offset of the end of sample 1 must be at least 5, not 4"),
        ({"offsets": [0, 3]}, r"t must have the 3 values that the last offset tells, not 4"),
        ({"p": [0, 1]}, r"p must have the 4 values that the last offset tells, not 2"),
        ({"t": [0.0, 5.0, 5.0, 0.0]}, r"t must be integers of one dimension, not float64 of shape "
         r"\(4,\)"),
        ({"x": [[1, 2, 3, 4]]}, r"x must be integers of one dimension, not int64 of shape "
         r"\(1, 4\)"),
    ],
)  # fmt: skip
def test_refuses(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(EventError, match=f"^{text}$"):
        two_samples(**changed)


def test_rasterisation_refuses_events_outside_its_sensor() -> None:
    events = two_samples(width=0, height=0, y=[0, 0, 1, 7])
    with pytest.raises(EventError, match=r"^Row of event 0 of sample 1 must lie in 0\.\.6, not 7$"):
        rasterise(ENCODING, events)
