# SPDX-License-Identifier: Apache-2.0
"""Pictures are drawn in both forms, and are the same every time."""

from pathlib import Path

import numpy as np
import pytest

from model.calibration import reliability
from model.data import open_dataset
from model.encoding import RateEncoding
from model.figures import draw_raster, draw_reliability, draw_surface
from tests.stepwise import make_network


def check(paths: list[Path]) -> None:
    assert [path.suffix for path in paths] == [".png", ".svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in paths[1].read_bytes()[:1000]


def test_reliability(tmp_path: Path) -> None:
    shares = np.random.default_rng(1).dirichlet((1, 1, 1), 50)
    curve = reliability(shares, np.arange(50) % 3)
    names = [
        draw_reliability(tmp_path / folder / "one", {"a": (curve, 0.1)}, title="t")
        for folder in ("first", "second")
    ]
    check(names[0])
    for first, second in zip(*names, strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("sampled", [False, True])
def test_raster(tmp_path: Path, sampled: bool) -> None:
    network = make_network((20, 8, 6, 2), seed=1, encoding=RateEncoding(steps=9), sampled=sampled)
    images = open_dataset("moons").part().images[:1]
    check(draw_raster(tmp_path / "r", network, images, seed=3 if sampled else None, title="t"))


@pytest.mark.parametrize("members", [1, 3])
def test_surface(tmp_path: Path, members: int) -> None:
    network = make_network((20, 6, 2), seed=1, encoding=RateEncoding(steps=4), members=members)
    samples = open_dataset("moons").part().head(20)
    assert samples.coordinates is not None
    drawn = draw_surface(
        tmp_path / "s",
        network,
        samples.coordinates,
        samples.labels,
        members=None,
        seed=None,
        title="t",
    )
    check(drawn)


def test_surface_is_of_two_classes(tmp_path: Path) -> None:
    network = make_network((20, 3), seed=1, encoding=RateEncoding(steps=2))
    points, labels = np.zeros((1, 2)), np.zeros(1, int)
    text = "Network must have 2 classes for a decision surface, not 3"
    with pytest.raises(ValueError, match=f"^{text}$"):
        draw_surface(tmp_path / "s", network, points, labels, members=None, seed=None, title="t")
