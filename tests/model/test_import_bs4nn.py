# SPDX-License-Identifier: Apache-2.0
"""The authors' form, against a literal reading of their forward pass on random arrays."""

import math
from pathlib import Path

import numpy as np
import pytest

from model.description import LatencyEncoding, Layer, Network
from model.evaluate import evaluate
from model.golden import run
from model.import_bs4nn import STEPS, PublishedFormError, import_bs4nn

T_MAX = 256


def published_forward(pixels, hidden, output, alphas, threshold):
    """Firing times and potentials of one image, step by step, delays and fake spikes included."""
    times = [255 - int(pixel) for pixel in pixels]
    for weights, alpha in ((hidden, alphas[0]), (output, alphas[1])):
        potentials = []
        for row in weights:
            voltage, trace = 0.0, []
            for step in range(T_MAX + 1):
                voltage += sum(
                    math.copysign(1, w) for w, t in zip(row, times, strict=True) if t == step
                )
                trace.append(voltage)
            trace[T_MAX] = threshold / alpha + 1
            potentials.append(trace)
        times = [
            min(next(t for t, v in enumerate(trace) if v > threshold / alpha) + 1, T_MAX)
            for trace in potentials
        ]
    return times, potentials


@pytest.mark.parametrize("seed", range(4))
def test_imported_network_fires_as_published(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(-3, 5, (12, 20))
    output = rng.uniform(-8, 20, (4, 12, 1))
    # Quotients of 4 (an integer: the strict comparison shows) and 2.2.
    alphas, threshold = (2.5, 4.5), 10.0
    network = import_bs4nn(hidden, output, alphas=alphas, threshold=threshold)
    images = rng.integers(0, 256, (20, 20)).astype(np.uint8)
    images[rng.random(images.shape) < 0.5] = 0
    images[:10] //= 3  # late or silent ones, too
    trace = run(network, images)
    silent = 0
    for index, image in enumerate(images):
        times, potentials = published_forward(image, hidden, output[:, :, 0], alphas, threshold)
        ours = [int(t) + 2 if t < STEPS else T_MAX for t in trace.spike_steps[-1][index]]
        assert ours == [t if t < STEPS + 2 else T_MAX for t in times]
        if min(times) == T_MAX:
            silent += 1
            after_last = [v[T_MAX - 3] for v in potentials]
            assert trace.winners[index] == after_last.index(max(after_last))
    assert 0 < silent < 20


def test_files_and_metadata(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    for name, shape in (("W0", (6, 16, 1)), ("W1", (3, 6, 1))):
        np.save(tmp_path / f"{name}.npy", rng.uniform(0.1, 1, shape))
    network = import_bs4nn(
        tmp_path / "W0.npy", tmp_path / "W1.npy", alphas=(4.03707844, 9.06516109), threshold=100
    )
    assert network.sizes == (16, 6, 3)
    assert network.input_shape == (4, 4)
    assert network.steps == 253
    assert network.encoding.levels[-1] == 3
    # floor(100 / alpha) + 1 is 25 and 12; 25 of 16 inputs can never be reached: fan-in + 1.
    assert set(network.layers[0].thresholds.tolist()) == {17}
    assert set(network.layers[1].thresholds.tolist()) == {7}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hidden": np.ones((3, 4), int)}, "hidden layer must be floats"),
        ({"hidden": np.zeros((3, 4))}, "hidden layer must be finite and nowhere 0"),
        ({"output": np.ones((2, 5))}, "must have 3 inputs, one for each hidden neuron, not 5"),
        ({"alphas": (1.0, -2.0)}, "Alpha of the output layer must be a positive number, not -2.0"),
        ({"threshold": float("nan")}, "Threshold must be a positive number, not nan"),
        ({"output": "nowhere.npy"}, "output layer must be a whole .npy file: nowhere.npy"),
    ],
)
def test_other_forms_are_refused(change: dict, text: str) -> None:
    arguments = {"hidden": np.ones((3, 4)), "output": np.ones((2, 3)), "alphas": (1.0, 1.0)}
    with pytest.raises(PublishedFormError, match=text):
        import_bs4nn(**(arguments | change))


def test_truncated_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "W0.npy"
    np.save(path, np.ones((3, 4)))
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(PublishedFormError, match="hidden layer must be a whole .npy file"):
        import_bs4nn(path, np.ones((2, 3)), alphas=(1.0, 1.0))


def test_three_ways_to_score_ties() -> None:
    # Two outputs fire in the same step with potentials 0 and 1; the class with 0 comes first.
    network = Network(
        encoding=LatencyEncoding(levels=(200, 100)),
        layers=(Layer.from_signs(np.array([[1, -1], [1, 1]]), np.array([1, 0])),),
    )
    image = np.array([[255, 0], [255, 0]], dtype=np.uint8)
    scores = evaluate(network, image, np.array([0, 1]))
    assert (scores.accuracy_paper_rule, scores.accuracy, scores.accuracy_lowest_class) == (
        1,
        0.5,
        0.5,
    )
    scores = evaluate(network, image, np.array([1, 1]))
    assert (scores.accuracy_paper_rule, scores.accuracy, scores.accuracy_lowest_class) == (1, 1, 0)
