# SPDX-License-Identifier: Apache-2.0
"""Pictures are written, and are pictures."""

from pathlib import Path

import pytest

from model.golden import run as run_golden
from sim.plots import plot_network, plot_verification
from sim.verify import Verification
from tests.sim.conftest import System

PNG = b"\x89PNG\r\n\x1a\n"


def test_plot_of_a_verification(small: System, tmp_path: Path) -> None:
    trace = run_golden(small.network, small.images, record_potentials=True)
    result = Verification(
        images=5,
        mismatches=0,
        divergences=(),
        cycles_as_scheduled=True,
        cycles_per_image=1.0,
        potentials=1,
        simulators=("verilator",),
        waveform=None,
        seconds=0.0,
        trace=trace,
        rtl_potentials=[layer.numpy() for layer in trace.potentials],
    )
    path = plot_verification(small.network, result, tmp_path / "new" / "a.png", image=3)
    assert path.read_bytes().startswith(PNG)
    with pytest.raises(ValueError, match="Image must be below 5, not 5"):
        plot_verification(small.network, result, path, image=5)


def test_plot_of_a_board_run(small: System, tmp_path: Path) -> None:
    plain = plot_network(small.network, small.images[0], tmp_path / "a.png")
    answered = plot_network(
        small.network, small.images[0], tmp_path / "b.png", output_steps=[12] * 6 + [3]
    )
    assert plain.read_bytes().startswith(PNG)
    assert answered.read_bytes() != plain.read_bytes()
