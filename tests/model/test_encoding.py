# SPDX-License-Identifier: Apache-2.0
"""Encodings: spikes of samples, files, refusals."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.encoding import (
    MAX_STEPS,
    Encoding,
    EventEncoding,
    LatencyEncoding,
    NetworkError,
    RateEncoding,
    SeriesEncoding,
    encoding_from_json,
)
from model.spike_trains import latency_trains, rate_trains, series_trains

CAMERA = EventEncoding(width=34, height=34, crop_width=34, crop_height=34, bin_us=5000, steps=60)
EXAMPLES: tuple[Encoding, ...] = (
    LatencyEncoding(levels=(200, 100)),
    LatencyEncoding(levels=(200, 100), tail_steps=9),
    RateEncoding(steps=16),
    RateEncoding(steps=16, phase=3),
    CAMERA,
    dataclasses.replace(CAMERA, shift=1, left=2, crop_width=31, merge_polarity=True),
    SeriesEncoding(steps=784),
    SeriesEncoding(steps=30, channels=12, zero=128, bits=4, shift=4),
)


def refuses(message: str, call: Any, *args: Any, **fields: Any) -> None:
    with pytest.raises(NetworkError) as caught:
        call(*args, **fields)
    assert str(caught.value) == message


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(1, 300), phase=st.integers(0, 255), seed=st.integers(0, 999))
def test_rate_of_a_pixel_is_its_value(steps: int, phase: int, seed: int) -> None:
    encoding = RateEncoding(steps=steps, phase=phase)
    images = np.random.default_rng(seed).integers(0, 256, (3, 20), dtype=np.uint8)
    trains = rate_trains(encoding, images)
    counts = trains.sum(axis=1)
    start = phase * np.arange(20) % 256
    assert np.array_equal(counts, (start + images.astype(int) * steps) // 256)
    assert np.array_equal(start, encoding.start_values(20))
    # Evenly spaced: so are the counts of every beginning.
    half = trains[:, : steps // 2].sum(axis=1)
    assert np.array_equal(half, (start + images.astype(int) * (steps // 2)) // 256)


def test_tail_steps_are_silent() -> None:
    encoding = LatencyEncoding(levels=(200, 200, 7), tail_steps=2)
    assert (encoding.steps, encoding.table()[6]) == (5, 5)
    trains = latency_trains(encoding, np.array([[255, 200, 199, 7, 6]], np.uint8))
    assert trains[0].tolist() == [[1, 1, 0, 0, 0], [0] * 5, [0, 0, 1, 1, 0], [0] * 5, [0] * 5]


def test_layers_see_shifted_and_clamped_integers() -> None:
    encoding = SeriesEncoding(steps=6, zero=100, bits=4, shift=3)
    series = np.array([[[0], [99], [100], [108], [255], [163]]], np.uint8)
    trains = series_trains(encoding, series)
    assert trains.dtype == np.int16
    assert trains[0, :, 0].tolist() == [-8, -1, 0, 1, 7, 7]  # -13 and 19 are clamped
    whole = SeriesEncoding(steps=6, zero=100)
    assert series_trains(whole, series)[0, :, 0].tolist() == [-100, -1, 0, 8, 155, 63]


def test_inputs_of_a_camera() -> None:
    assert (CAMERA.shape, CAMERA.features) == ((2, 34, 34), 2312)
    halved = dataclasses.replace(CAMERA, shift=1, crop_width=31, left=3, merge_polarity=True)
    assert (halved.shape, halved.features) == ((1, 17, 16), 272)


@pytest.mark.parametrize("encoding", EXAMPLES)
def test_what_is_written_is_read(encoding: Encoding) -> None:
    assert encoding_from_json(encoding.to_json()) == encoding


def test_encodings_tell_themselves_apart() -> None:
    assert len({encoding.identity() for encoding in EXAMPLES}) == len(EXAMPLES)


def test_refusals() -> None:
    refuses("Steps must lie in 1..65535, not 0", RateEncoding, steps=0)
    refuses("Steps must be an integer, not 2.0", RateEncoding, steps=2.0)
    refuses("Phase must lie in 0..255, not 256", RateEncoding, steps=4, phase=256)
    most = MAX_STEPS - 2
    refuses(
        f"Tail steps must lie in 0..{most}, not {MAX_STEPS}",
        LatencyEncoding,
        levels=(9, 8),
        tail_steps=MAX_STEPS,
    )
    for change, message in (
        ({"bin_us": 0}, "Bin us must lie in 1..1073741824, not 0"),
        ({"shift": 9}, "Shift must lie in 0..8, not 9"),
        ({"left": 1}, "Crop must end at column 34 of the sensor or before, not at 35"),
        ({"top": 4}, "Crop must end at row 34 of the sensor or before, not at 38"),
        ({"width": True}, "Width must be an integer, not True"),
    ):
        refuses(message, dataclasses.replace, CAMERA, **change)
    refuses(
        "Encoding must be one of latency, rate, events, series, not 'phase'",
        encoding_from_json,
        {"kind": "phase"},
    )
    with pytest.raises(NetworkError, match="Encoding rate has fields that do not belong to it"):
        encoding_from_json({"kind": "rate", "steps": 4, "levels": [3]})
