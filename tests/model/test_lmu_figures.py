# SPDX-License-Identifier: Apache-2.0
"""Activity and costs of the parallel LMU, against counts by hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from model import zoo
from model.committee import run_trains
from model.figures import draw_gains
from model.lmu_activity import activity
from model.lmu_costs import dense_lmu, gru, lstm, neurips_lmu, parallel_lmu


def test_activity_is_what_a_loop_counts() -> None:
    network = zoo.load("lmu-fsdd")
    assert network.memory is not None
    chance = np.random.default_rng(0)
    sent = chance.integers(-16, 16, (20, network.memory.reads, network.memory.states))
    sent[..., 0] = 0
    sent[..., 1] = -1
    memory, hidden = activity(network, torch.from_numpy(sent.astype(np.int8)))
    trace = run_trains(network, torch.from_numpy(sent.astype(np.int16)))
    ones = sum(bin(value & 31).count("1") for value in sent.ravel().tolist())
    assert memory.set_bits == pytest.approx(ones / 20)
    assert memory.set_bits == pytest.approx(float(trace.input_counts.float().mean()))
    assert hidden.set_bits == pytest.approx(float(trace.spike_counts[0].float().mean()))
    assert memory.synaptic_operations == pytest.approx(512 * ones / 20)
    assert hidden.synaptic_operations == pytest.approx(10 * hidden.set_bits)
    assert memory.significant_bits == pytest.approx(ones / sent.size)
    assert memory.active_share == pytest.approx((sent != 0).mean())
    entropies, ranges = [], []
    for neuron in range(sent.shape[2]):
        values, counts = np.unique(sent[..., neuron], return_counts=True)
        shares = counts / counts.sum()
        entropies.append(-(shares * np.log2(shares)).sum())
        low, high = int(values.min()), int(values.max())
        bits = max(high, -1 - low, 0).bit_length()
        ranges.append(bits + (low < 0))
    assert memory.activity_bits == pytest.approx(np.mean(entropies))
    assert memory.range_bits == pytest.approx(np.mean(ranges))
    assert 0 < hidden.activity_bits < 4


def test_costs_by_hand() -> None:
    network = zoo.load("lmu-psmnist-256")
    cost = parallel_lmu(network, input_bits=784.0, hidden_bits=78.4)
    assert cost.multiplications == 513
    assert cost.additions == 6 * 256 + 1024 + 1
    assert cost.weight_bits == 256 * 1024 + 1024 * 10
    assert cost.coefficient_bits == 256 * 9
    assert cost.state_bits == 256 * 12
    dense = dense_lmu(order=256, channels=1, hidden=1024, classes=10, steps=784)
    assert dense.multiplications == pytest.approx(256 * 257 + (256 + 10) * 1024 / 784)
    # The published model: 102,027 trained parameters with its biases, 65,792 fixed ones.
    paper = neurips_lmu()
    assert paper.multiplications == 165_689
    assert paper.weight_bits == 32 * (102_027 - 10)
    assert paper.coefficient_bits == 32 * 65_792
    assert lstm(hidden=3, inputs=2).multiplications == 4 * 3 * 5 + 9
    assert lstm(hidden=3, inputs=2).additions == 4 * 3 * 5 + 15
    assert gru(hidden=3, inputs=2).weight_bits == 32 * (3 * 3 * 5 + 30)


def test_gain_curve_is_drawn(tmp_path: Path) -> None:
    network = zoo.load("lmu-fsdd")
    sent = torch.zeros((2, 4, 192), dtype=torch.int8)
    layers = [dataclasses.asdict(each) for each in activity(network, sent)]
    layers[-1]["significant_bits"] = 1.0
    runs = [{"gain": gain, "validation_accuracy": 0.9, "layers": layers} for gain in (0.5, 1.0)]
    study = {"recipe": "lmu-fsdd", "hidden": 5, "runs": runs}
    paths = draw_gains(tmp_path / "curve", study)
    assert [path.suffix for path in paths] == [".png", ".svg"]
    assert all(path.stat().st_size > 1000 for path in paths)
