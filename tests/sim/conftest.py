# SPDX-License-Identifier: Apache-2.0
"""One folder of compiled simulators for all tests, and one small system for most of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hw.design.design import Design, Fold
from model.description import LatencyEncoding, Layer, Network, Readout
from tests.strategies import images_for


@dataclasses.dataclass(frozen=True)
class System:
    """A network, a design that holds it, and images."""

    network: Network
    design: Design
    images: np.ndarray


@pytest.fixture(scope="session")
def cache() -> Path:
    """Compiled simulators; kept between runs, since their keys hold all that decides them."""
    return Path(__file__).resolve().parents[2] / "build" / "test-simulators"


def make_network(sizes: tuple[int, ...], *, steps: int, readout: Readout, seed: int) -> Network:
    """A network with random weights and thresholds within reach."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (after, before)), rng.integers(1, 4, after))
        for before, after in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(int(level) for level in np.linspace(250, 30, steps))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers), readout=readout)


@pytest.fixture(scope="session")
def small() -> System:
    """24-13-7: no size is a multiple of its lanes, several blocks in both layers."""
    network = make_network((24, 13, 7), steps=12, readout=Readout.FIRST_SPIKE, seed=5)
    folds = [
        Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2),
        Fold(lanes=3, inputs_per_cycle=2),
    ]
    design = Design.for_networks([network], folds, pixels_per_cycle=4, store_banks=2)
    return System(network, design, images_for(network, count=5, seed=3))
