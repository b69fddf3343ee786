# SPDX-License-Identifier: Apache-2.0
"""Images as beats: pixels in order, words by step."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.design.design import Design, Fold
from hw.parts.spike_word import spike_word
from model.golden import encode
from sim.samples import sample_beats
from tests.sim.conftest import System
from tests.strategies import images_for, networks


def test_pixels_are_packed_lowest_first_and_padded(small: System) -> None:
    image = np.arange(1, 25, dtype=np.uint8)[None]
    (sample,) = sample_beats(small.design, small.network, image)
    assert (sample.width, len(sample.beats)) == (32, 6)
    assert sample.beats[0] == 0x04030201
    assert sample.to_bytes() == bytes(range(1, 25))
    wide = dataclasses.replace(small.design, pixels_per_cycle=10)
    (sample,) = sample_beats(wide, small.network, image)
    assert sample.to_bytes() == bytes(range(1, 25)) + bytes(6)


@settings(max_examples=30, deadline=None)
@given(network=networks(max_layers=1), width=st.integers(1, 4), seed=st.integers(0, 99))
def test_words_hold_every_spike_once_in_order(network, width: int, seed: int) -> None:
    network = dataclasses.replace(network, readout="first-spike")
    design = Design.for_networks(
        [network],
        [Fold(lanes=2, inputs_per_cycle=width)],
        pixels_per_cycle=width,
        sample_input="words",
    )
    images = images_for(network, count=5, seed=seed)
    layout = spike_word(design, 0)
    for sample, expected in zip(
        sample_beats(design, network, images), encode(network, images).tolist(), strict=True
    ):
        assert sample.width == layout.size - 1
        words = [layout.from_bits(beat) for beat in sample.beats]
        steps = [word.step for word in words]
        assert steps == sorted(steps)
        assert steps[0] == 0
        ends = [word.end_of_step for word in words]
        assert ends == [a != b for a, b in zip(steps, [*steps[1:], None], strict=True)]
        found = [network.steps] * network.features
        for word in words:
            assert word.spikes or (word.step == 0 and word.group == 0)
            for k in range(width):
                if word.spikes >> k & 1:
                    assert found[word.group * width + k] == network.steps
                    found[word.group * width + k] = word.step
        assert found == expected


def test_other_images_are_refused(small: System) -> None:
    with pytest.raises(
        ValueError, match="Images must be uint8 with 24 features, not int64 with 24"
    ):
        sample_beats(small.design, small.network, np.zeros((1, 24), np.int64))
    with pytest.raises(ValueError, match="Images must be uint8 with 24 features, not uint8 with 9"):
        sample_beats(small.design, small.network, np.zeros((1, 3, 3), np.uint8))
