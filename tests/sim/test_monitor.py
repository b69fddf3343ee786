# SPDX-License-Identifier: Apache-2.0
"""Probes written down by the simulator: which there are, and how their files are read."""

from pathlib import Path

import numpy as np
import pytest

from sim.monitor import TOP, Probe, monitor_verilog, probes, read_probe
from tests.sim.conftest import System

PROBE = Probe("probe3", {"row": 3, "value": 70})


def test_every_layer_has_a_probe(small: System) -> None:
    found = probes(small.design)
    assert [probe.name for probe in found] == ["probe0", "probe1"]
    bits = small.design.layers[0].potential_bits
    assert found[0].fields["potentials"] == bits * small.design.layers[0].lanes
    assert "valid" not in found[0].fields
    text = monitor_verilog(small.design)
    assert f"module {TOP}(" in text
    assert text.count("$fopen") == 2


def test_lines_become_numbers(tmp_path: Path) -> None:
    wide = (1 << 69) | 5
    lines = [
        f"{cycle:08x}{row:x}{value:018x}\n" for cycle, row, value in ((7, 5, wide), (300, 2, 9))
    ]
    # A line that was cut off is none.
    (tmp_path / "probe3").write_text("".join(lines) + "0000")
    seen = read_probe(tmp_path, PROBE)
    assert seen.cycles.tolist() == [7, 300]
    assert seen.numbers("row").tolist() == [5, 2]
    bits = seen.bits["value"]
    assert bits.shape == (2, 70)
    assert np.flatnonzero(bits[0]).tolist() == [0, 2, 69]
    assert np.flatnonzero(bits[1]).tolist() == [0, 3]


def test_a_probe_that_never_showed_anything(tmp_path: Path) -> None:
    (tmp_path / "probe3").write_text("")
    seen = read_probe(tmp_path, PROBE)
    assert seen.cycles.shape == (0,)
    assert seen.bits["value"].shape == (0, 70)


def test_unknown_bits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "probe3").write_text(f"00000001x{0:018x}\n")
    with pytest.raises(ValueError, match="Probe probe3 must show 0 and 1 only, not unknown bits"):
        read_probe(tmp_path, PROBE)
