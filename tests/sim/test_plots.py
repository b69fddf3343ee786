# SPDX-License-Identifier: Apache-2.0
"""Pictures are written, and are pictures."""

from pathlib import Path

import numpy as np
import pytest

from model.committee import run_stepwise
from model.golden import Trace
from model.golden import run as run_golden
from model.step_trace import StepwiseTrace
from sim.plots import plot_network, plot_verification
from sim.verify import Verification
from tests.sim.conftest import System
from tests.stepwise import make_network

PNG = b"\x89PNG\r\n\x1a\n"


def verification(trace: Trace | StepwiseTrace, seen: list[np.ndarray]) -> Verification:
    """One in which everything was equal."""
    return Verification(
        images=len(trace.winners),
        mismatches=0,
        divergences=(),
        cycles_as_scheduled=True,
        cycles_per_image=1.0,
        potentials=1,
        simulators=("verilator",),
        waveform=None,
        seconds=0.0,
        trace=trace,
        rtl_potentials=seen,
    )


def test_plot_of_a_verification(small: System, tmp_path: Path) -> None:
    trace = run_golden(small.network, small.images, record_potentials=True)
    result = verification(trace, [layer.numpy() for layer in trace.potentials])
    path = plot_verification(small.network, result, tmp_path / "new" / "a.png", image=3)
    assert path.read_bytes().startswith(PNG)
    with pytest.raises(ValueError, match="Image must be below 5, not 5"):
        plot_verification(small.network, result, path, image=5)


def test_plot_of_a_verified_committee(tmp_path: Path) -> None:
    network = make_network((9, 6, 3), seed=1, members=2)
    samples = np.random.default_rng(2).integers(0, 256, (2, 9), dtype=np.uint8)
    trace = run_stepwise(network, samples, record_states=True)
    membranes = [states["membrane"][0].numpy() for states in trace.states]
    pictures = []
    for seen in (membranes, [membranes[0], membranes[1] + 1]):
        result = verification(trace, seen)
        pictures.append(plot_verification(network, result, tmp_path / "a.png").read_bytes())
    assert pictures[0].startswith(PNG)
    assert pictures[1] != pictures[0]  # what the hardware did is drawn over the model


def test_plot_of_a_board_run(small: System, tmp_path: Path) -> None:
    plain = plot_network(small.network, small.images[0], tmp_path / "a.png")
    answered = plot_network(
        small.network, small.images[0], tmp_path / "b.png", output_steps=[12] * 6 + [3]
    )
    assert plain.read_bytes().startswith(PNG)
    assert answered.read_bytes() != plain.read_bytes()
