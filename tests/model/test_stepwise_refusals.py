# SPDX-License-Identifier: Apache-2.0
"""Samples, members, seeds and options that do not fit a network."""

import dataclasses

import numpy as np
import pytest

from model.description import EventEncoding, LatencyEncoding, Layer, Network
from model.events import Events
from model.golden import run
from tests.stepwise import make_network

EVENTS = EventEncoding(
    width=9, height=7, left=1, top=2, crop_width=7, crop_height=5, shift=1, bin_us=100, steps=6
)


def refuses(message: str, network: Network, samples: object, **fields: object) -> None:
    with pytest.raises(ValueError) as caught:
        run(network, samples, **fields)
    assert str(caught.value) == message


def test_what_does_not_fit_is_refused() -> None:
    pixels = make_network((63, 4, 3), seed=1, members=3)
    images = np.zeros((2, 63), np.uint8)
    events = Events(t=[0], x=[2], y=[3], p=[1], offsets=[0, 1])
    refuses(
        "Members must be at most the 3 that the network stores, not 4", pixels, images, members=4
    )
    for members in (0, -1, 1.5, True):
        text = f"Members must be an integer of at least 1, not {members!r}"
        refuses(text, pixels, images, members=members)
    text = "Seed must be absent for a network whose members are not drawn, not 3"
    refuses(text, pixels, images, seed=3)
    refuses("Samples must be images for this network, not events", pixels, events)
    refuses("Images must be uint8, not int64", pixels, images.astype(np.int64))
    text = "Images must have 63 features for this network, not 62"
    refuses(text, pixels, images[:, :62])
    text = "Potentials and early stop are of single-spike networks only"
    refuses(text, pixels, images, early_stop=True)

    camera = make_network((EVENTS.features, 4, 3), seed=1, encoding=EVENTS)
    refuses(
        "Samples must be events for this network, not images",
        camera,
        np.zeros((1, EVENTS.features), np.uint8),
    )
    outside = dataclasses.replace(events, x=[9])
    refuses("Column of event 0 of sample 0 must lie in 0..8, not 9", camera, outside)

    drawn = make_network((63, 4, 3), seed=1, sampled=True)
    refuses("Members must be given for a network whose members are drawn", drawn, images, seed=1)
    for seed in (None, 0):
        refuses(
            "Seed must be given, 1 to 4294967295, for a network whose members are drawn; it is "
            "missing",
            drawn,
            images,
            members=2,
            seed=seed,
        )
    for seed in (-1, 2**32, 1.0, True):
        text = f"Seed must be an integer in 1..4294967295, not {seed!r}"
        refuses(text, drawn, images, members=2, seed=seed)


def test_options_of_the_other_kind_are_refused() -> None:
    layer = Layer.from_signs(np.ones((2, 3)), np.ones(2))
    network = Network(encoding=LatencyEncoding(levels=(9,)), layers=(layer,))
    text = "States, members and seed are of networks with a state at every step only"
    for fields in ({"members": 2}, {"seed": 1}, {"record_states": True}):
        refuses(text, network, np.zeros((1, 3), np.uint8), **fields)
    events = Events(t=[0], x=[0], y=[0], p=[0], offsets=[0, 1])
    refuses("Samples must be images for this network, not events", network, events)
