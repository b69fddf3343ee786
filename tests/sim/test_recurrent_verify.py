# SPDX-License-Identifier: Apache-2.0
"""verify on recurrent networks: memory, words, hidden integers, scores and cycles."""

from pathlib import Path

import numpy as np
import pytest

from hw.design.design import Design, Fold
from sim.choice import Choice
from sim.plots import plot_verification
from sim.test_set import run_test_set
from sim.verify import verify
from tests.series import make_recurrent, series_for

NETWORK = make_recurrent(seed=3, order=4, memory_channels=2, channels=2, steps=9, hidden=5)
DESIGN = Design.for_networks([NETWORK], [Fold(lanes=4), Fold(lanes=3)], step_results=True)
SERIES = series_for(NETWORK, count=3, seed=2)


@pytest.mark.parametrize("every", [0, 1])
def test_the_loop_is_equal(every: int, cache: Path, tmp_path: Path) -> None:
    result = verify(NETWORK, SERIES, DESIGN, choice=Choice(step_results=every), cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok
    # Two runs: 9 steps of 8 states, 5 hidden neurons and 3 outputs.
    assert result.potentials >= 2 * 3 * 9 * (8 + 5 + 3)
    seen = result.rtl_series
    assert seen is not None
    assert np.array_equal(seen.memory, result.trace.memory_states.numpy())
    assert np.array_equal(seen.emitted[0], result.trace.spikes[0][0].numpy())
    path = plot_verification(NETWORK, result, tmp_path / "a.png", image=1)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_set_through_compiled_rtl(cache: Path) -> None:
    series = series_for(NETWORK, count=41, seed=4)
    result = run_test_set(NETWORK, series, DESIGN, processes=2, cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert (result.images, result.mismatches) == (41, 0)
    assert result.cycles_as_scheduled


def test_answers_come_after_every_step_or_at_the_end() -> None:
    with pytest.raises(
        ValueError, match=r"^Steps from answer to answer must lie in 0..1 for this network, not 2$"
    ):
        verify(NETWORK, SERIES, DESIGN, choice=Choice(step_results=2))
