# SPDX-License-Identifier: Apache-2.0
"""`popspike bench`; what it measures is tested in tests/sim/test_host_driver.py."""

from pathlib import Path

import numpy as np
import pytest

import sim.throughput
from model.golden import run
from model.network_file import load_network
from sim.throughput import LinkFigures
from tests.popspike.conftest import Command


@pytest.fixture
def measured(monkeypatch, files):
    """What the measurement was asked; it answers as the golden model does, or wrongly."""
    asked = []

    def measure(network, samples, design, **pace):
        asked.append(pace)
        winners = run(network, samples).winners.numpy() ^ measure.wrong
        return LinkFigures(
            samples=len(samples),
            sample_bytes=20.0,
            divisor=12,
            turnaround=12000,
            cycles=240_000,
            to_board=0.5,
            from_board=0.95,
            payload=0.4,
            repeated=2,
            winners=winners,
        )

    measure.wrong = 0
    monkeypatch.setattr(sim.throughput, "measure_link", measure)
    return measure, asked


def test_bench(popspike: Command, files: tuple[Path, Path], measured) -> None:
    measure, asked = measured
    options = (files[0], "-d", files[1], "--images", 30, "--clock-mhz", 24, "--baud", 2_000_000)
    [facts] = popspike("bench", *options, "--json").json()
    assert asked[0]["clock_hz"] == 24_000_000
    assert asked[0]["turnaround"] == 24_000
    assert asked[0]["baud"] == 2_000_000
    assert (facts["line"], facts["samples_per_s"], facts["mismatches"]) == (0.95, 3000.0, 0)
    assert facts["samples"] == min(30, len(np.load(files[1])["y"]))
    answer = popspike("bench", *options)
    assert answer.code == 0
    assert "95.0 %" in answer.out
    measure.wrong = 1
    answer = popspike("bench", *options)
    assert answer.code == 1
    assert "the board differs from the golden model" in answer.error()
    assert load_network(files[0]).sample_values == 20
