# SPDX-License-Identifier: Apache-2.0
"""verify: equal hardware passes; broken hardware is caught, named, and leaves a waveform."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import sim.bench_files
import sim.cases
import sim.verify
from hw.design.design import Design, Fold
from hw.export import export
from model.description import Layer, Network, Readout
from model.golden import run as run_golden
from sim.simulator import BenchError
from sim.verify import verify
from tests.sim.conftest import System, make_network
from tests.strategies import images_for


def broken(small: System, folder: Path, pattern: str, replacement: str) -> Path:
    """Export with probes, one text of the Verilog replaced."""
    path, _ = export(small.design, folder, probes=True)
    text, count = re.subn(pattern, replacement, path.read_text())
    assert count == 1
    path.write_text(text)
    return path


def test_hardware_equals_golden_model(small: System, cache: Path) -> None:
    said: list[str] = []
    result = verify(small.network, small.images, small.design, progress=said.append, cache=cache)
    assert result.ok
    assert (result.images, result.mismatches, result.divergences) == (5, 0, ())
    assert result.cycles_as_scheduled
    assert result.simulators == ("verilator",)
    assert result.waveform is None
    assert result.potentials > 1000
    assert said[-2:] == ["verilator, back to back", "verilator, random pauses"]
    trace = run_golden(small.network, small.images, record_potentials=True)
    for seen, golden in zip(result.rtl_potentials, trace.potentials, strict=True):
        assert np.array_equal(seen, golden.numpy())


@pytest.mark.parametrize("early_stop", [False, True])
def test_other_folds_and_readouts_through_verilator(early_stop: bool, cache: Path) -> None:
    readout = Readout.FIRST_SPIKE if early_stop else Readout.SUMMED_POTENTIAL
    network = make_network((11, 6, 5, 3), steps=33, readout=readout, seed=7)
    folds = [Fold(lanes=6, inputs_per_cycle=3, times_per_cycle=2), Fold(lanes=2), Fold(lanes=3)]
    design = Design.for_networks(
        [network],
        folds,
        pixels_per_cycle=3,
        early_stop=early_stop,
        sample_input="words" if early_stop else "pixels",
    )
    result = verify(network, images_for(network, count=6, seed=1), design, cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok


def test_broken_lane_is_named_and_leaves_a_waveform(
    small: System, cache: Path, tmp_path: Path
) -> None:
    # Layer 1, lane 2: the weight of every odd input sticks at 0.
    verilog = broken(
        small,
        tmp_path,
        r"(core\.layer1\.array\.lane2 +lane2 \(\s*\.bits\()(row_register\[\d+:\d+\])",
        r"\1\2 & 2'h1",
    )
    result = verify(
        small.network,
        small.images,
        small.design,
        verilog=verilog,
        folder=tmp_path / "left",
        cache=cache,
    )
    assert not result.ok
    assert result.mismatches > 0
    first = result.divergences[0]
    assert (first.layer, first.neuron % 3, first.quantity) == (1, 2, "potential")
    golden = run_golden(small.network, small.images, record_potentials=True)
    expected = golden.potentials[1][first.sample, first.step, first.neuron]
    assert first.expected == int(expected)
    assert str(first) == (
        f"sample {first.sample}, layer 1, neuron {first.neuron}, step {first.step}: "
        f"potential must be {first.expected}, not {first.found}"
    )
    assert result.waveform == tmp_path / "left" / f"sample{first.sample}.vcd"
    assert "$enddefinitions" in result.waveform.read_text()[:2_000_000]


def test_hardware_that_stops_answering_is_a_difference(
    small: System, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verilog = broken(
        small, tmp_path, r"\.o_record__valid\(m_axis_result_tvalid\)", ".o_record__valid()"
    )
    monkeypatch.setattr(sim.verify, "_waveform", lambda *_: None)
    result = verify(small.network, small.images, small.design, verilog=verilog, cache=cache)
    assert not result.ok
    said = [str(divergence) for divergence in result.divergences]
    assert "sample 0, layer 1: number of output records must be 35, not 0" in said


def test_flipped_weight_is_caught(
    small: System, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = list(small.network.layers)
    weights = layers[0].weights.copy()
    weights[0, 6, 1] ^= 1 << 2  # neuron 6, input 10
    layers[0] = dataclasses.replace(layers[0], weights=weights)
    other = dataclasses.replace(small.network, layers=tuple(layers))

    def golden(network: Network, images: np.ndarray, **fields: bool) -> object:
        return run_golden(other, images, **fields)

    monkeypatch.setattr(sim.cases, "run_single_spike", golden)
    monkeypatch.setattr(sim.verify, "_waveform", lambda *_: None)
    images = np.zeros((2, 24), np.uint8)
    images[1, 10] = 255  # nothing else spikes, and only in the second image
    result = verify(small.network, images, small.design, cache=cache)
    assert result.mismatches == 1
    assert {(one.sample, one.layer, one.neuron) for one in result.divergences} >= {(1, 0, 6)}
    first = result.divergences[0]
    assert (first.sample, first.layer, first.neuron, first.step) == (1, 0, 6, 0)
    assert abs(first.expected - first.found) == 2


def test_refused_network_is_an_error(
    small: System, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = bytearray(sim.bench_files.device_image(small.network, small.design))
    image[-1] ^= 1
    monkeypatch.setattr(sim.bench_files, "device_image", lambda *_: bytes(image))
    with pytest.raises(BenchError, match="network was refused, status register"):
        verify(small.network, small.images, small.design, cache=cache)


def test_arguments(small: System) -> None:
    with pytest.raises(ValueError, match="Images must number at least 1, not 0"):
        verify(small.network, small.images[:0], small.design)
    with pytest.raises(ValueError, match="Simulators must be at least one, not none"):
        verify(small.network, small.images, small.design, simulators=())
    with pytest.raises(ValueError, match="Simulator must be verilator or icarus, not 'xsim'"):
        verify(small.network, small.images, small.design, simulators=("xsim",))


def test_layer_of_another_network_is_refused(small: System) -> None:
    layer = Layer.from_signs(np.ones((7, 13), int), np.ones(7))
    first = Layer.from_signs(np.ones((13, 25), int), np.ones(13))
    larger = dataclasses.replace(small.network, layers=(first, layer), input_shape=())
    with pytest.raises(ValueError, match="Fan-in of layer 0 must be at most 24, not 25"):
        verify(larger, np.zeros((1, 25), np.uint8), small.design)
