# SPDX-License-Identifier: Apache-2.0
"""A whole test set through compiled RTL: equal, or every difference counted."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import sim.judges
import sim.test_set
from hw.design.design import Design, Fold
from model.description import Network
from model.golden import run as run_golden
from sim.choice import Choice
from sim.test_set import SimulationError, run_test_set
from tests.sim.conftest import System
from tests.stepwise import make_network
from tests.strategies import images_for


def test_equal_on_two_processes(small: System, cache: Path) -> None:
    images = images_for(small.network, count=301, seed=8)
    progress: list[int] = []
    result = run_test_set(
        small.network, images, small.design, processes=2, progress=progress.append, cache=cache
    )
    assert (result.images, result.mismatches, result.divergences) == (301, 0, ())
    assert result.cycles_as_scheduled
    assert np.array_equal(result.winners, run_golden(small.network, images).winners.numpy())
    assert progress[-1] == 301
    assert progress == sorted(progress)
    assert result.cycles > 301 * result.cycles_per_image * 0.9


def test_one_image(small: System, cache: Path) -> None:
    result = run_test_set(small.network, small.images[:1], small.design, cache=cache)
    assert (result.images, result.mismatches) == (1, 0)
    assert result.cycles_as_scheduled
    assert result.cycles_per_image == result.cycles


def test_differences_are_counted_by_image(
    small: System, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {2, 5}

    def golden(network: Network, images: np.ndarray, **fields: bool) -> object:
        trace = run_golden(network, images, **fields)
        scores = trace.scores.clone()
        for index in range(len(images)):
            scores[index, 3] += int(images[index, 0]) in wrong
        return dataclasses.replace(trace, scores=scores)

    images = images_for(small.network, count=8, seed=2)
    images[:, 0] = np.arange(8)
    monkeypatch.setattr(sim.judges, "run_single_spike", golden)
    result = run_test_set(small.network, images, small.design, processes=3, cache=cache)
    assert result.mismatches == 2
    assert [(one.sample, one.neuron, one.quantity) for one in result.divergences] == [
        (2, 3, "score"),
        (5, 3, "score"),
    ]
    assert result.cycles_as_scheduled


def test_late_result_is_not_as_scheduled(
    small: System, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = sim.judges.schedule

    def late(*arguments: object) -> object:
        made = plan(*arguments)
        last = made.samples[-1]
        moved = dataclasses.replace(last, result=last.result + 1)
        return dataclasses.replace(made, samples=(*made.samples[:-1], moved))

    monkeypatch.setattr(sim.judges, "schedule", late)
    result = run_test_set(small.network, small.images, small.design, processes=1, cache=cache)
    assert (result.mismatches, result.cycles_as_scheduled) == (0, False)
    found = result.divergences[0]
    assert (found.sample, found.expected - found.found) == (4, 1)
    assert str(found) == (
        f"sample 4: cycle of the last record must be {found.expected}, not {found.found}"
    )


def test_refused_network_is_an_error(
    small: System, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = bytearray(sim.test_set.device_image(small.network, small.design))
    image[100] ^= 1
    monkeypatch.setattr(sim.test_set, "device_image", lambda *_: bytes(image))
    with pytest.raises(SimulationError, match="code 1: network was refused, status register"):
        run_test_set(small.network, small.images, small.design, cache=cache)


def test_a_committee_through_compiled_rtl(cache: Path) -> None:
    network = make_network((9, 6, 3), seed=11, kind="spike-response", members=3)
    folds = [
        Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2),
        Fold(lanes=3, inputs_per_cycle=2),
    ]
    design = Design.for_networks([network], folds, pixels_per_cycle=2, step_results=True)
    images = np.random.default_rng(1).integers(0, 256, (61, 9), dtype=np.uint8)
    for choice in (
        Choice(),
        Choice(members=2),
        Choice(members=1, step_results=True),
    ):
        result = run_test_set(network, images, design, choice=choice, processes=1, cache=cache)
        assert [str(divergence) for divergence in result.divergences] == []
        assert (result.images, result.mismatches) == (61, 0)
        assert result.cycles_as_scheduled
        trace = run_golden(network, images, members=choice.members)
        assert np.array_equal(result.winners, trace.winners.numpy())


def test_no_images(small: System) -> None:
    with pytest.raises(ValueError, match="Images must number at least 1, not 0"):
        run_test_set(small.network, small.images[:0], small.design)
