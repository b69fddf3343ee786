# SPDX-License-Identifier: Apache-2.0
"""The network description: derived values and every refusal."""

import dataclasses

import numpy as np
import pytest

from model.description import (
    MAX_STEPS,
    LatencyEncoding,
    Layer,
    Network,
    NetworkError,
    NeuronKind,
    Readout,
    pack_signs,
)


def layer(neurons: int = 3, fan_in: int = 10, *, seed: int = 0) -> Layer:
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], (neurons, fan_in))
    return Layer.from_signs(signs, rng.integers(1, 5, neurons))


def refuses(message: str, make: object, *args: object, **fields: object) -> None:
    with pytest.raises(NetworkError) as caught:
        make(*args, **fields)  # type: ignore[operator]
    assert str(caught.value) == message


def test_pack_signs_puts_input_0_in_the_lowest_bit() -> None:
    signs = np.full((1, 10), -1)
    signs[0, [0, 9]] = 1
    assert pack_signs(signs).tolist() == [[1, 2]]


@pytest.mark.parametrize("signs", [[[0, 1]], [[2, 1]], [1, -1]])
def test_pack_signs_refuses_what_is_not_a_sign(signs: list) -> None:
    refuses("Weights must be a matrix of -1 and +1", pack_signs, np.array(signs))


def test_layer_signs_invert_packing() -> None:
    rng = np.random.default_rng(1)
    for fan_in in (1, 7, 8, 9, 31):
        signs = rng.choice([-1, 1], (4, fan_in))
        made = Layer.from_signs(signs, np.ones(4))
        assert np.array_equal(made.signs(), signs)
        assert (made.neurons, made.kind) == (4, NeuronKind.SINGLE_SPIKE)


def test_out_of_reach_thresholds_are_moved_without_effect() -> None:
    made = Layer.from_signs(np.ones((3, 5), int), np.array([-99, 3, 99]))
    assert made.thresholds.tolist() == [-5, 3, 6]
    assert made.potential_range() == (-6, 10)


def test_potential_range_includes_the_start() -> None:
    made = Layer.from_signs(np.array([[1, 1, -1]]), np.array([2]))
    assert made.potential_range() == (-3, 0)
    made = Layer.from_signs(np.array([[-1, -1]]), np.array([-2]))
    assert made.potential_range() == (0, 2)


def test_layer_refusals() -> None:
    good = layer()
    fields = {"weights": good.weights, "thresholds": good.thresholds, "fan_in": 10}
    axes = "Packed weights must be uint8 of 3 axes: members, neurons, bytes"
    refuses(axes, Layer, **fields | {"weights": good.weights[0]})
    refuses(axes, Layer, **fields | {"weights": good.weights.astype(np.int8)})
    refuses(
        "Thresholds must be int32 of shape (3,), not int64 of shape (3,)",
        Layer,
        **fields | {"thresholds": good.thresholds.astype(np.int64)},
    )
    refuses(
        "Thresholds must be int32 of shape (3,), not int32 of shape (2,)",
        Layer,
        **fields | {"thresholds": good.thresholds[:2]},
    )
    refuses(
        "Packed weights must have 3 bytes a neuron for fan-in 17, not 2",
        Layer,
        **fields | {"fan_in": 17},
    )
    least = "A layer must have at least one input, one neuron and one member"
    refuses(least, Layer, **fields | {"fan_in": 0})
    refuses(least, Layer, **fields | {"weights": good.weights[:0]})
    stray = good.weights.copy()
    stray[0, 1, 1] |= 0x80
    refuses("Unused bits of packed weights must be 0", Layer, **fields | {"weights": stray})
    refuses(
        "Neuron kind must be one of single-spike-if, lif, spike-response, integrator, not 'izh'",
        Layer,
        **fields | {"kind": "izh"},
    )


def test_encoding_table() -> None:
    table = LatencyEncoding(levels=(200, 200, 100, 3)).table()
    assert table[[255, 200, 199, 100, 99, 3, 2, 0]].tolist() == [0, 0, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ((), "Levels must number 1 to 256, not 0"),
        ((1,) * 257, "Levels must number 1 to 256, not 257"),
        ((5, 0), "Levels must lie in 1..255, not (5, 0)"),
        ((256, 1), "Levels must lie in 1..255, not (256, 1)"),
        ((5, 6), "Levels must never rise from step to step, not (5, 6)"),
    ],
)
def test_encoding_refusals(levels: tuple[int, ...], message: str) -> None:
    refuses(message, LatencyEncoding, levels=levels)


def test_network_sizes() -> None:
    network = Network(
        encoding=LatencyEncoding(levels=(9, 3)),
        layers=[layer(4, 6), layer(2, 4)],
        readout="summed-potential",
        input_shape=(2, 3),
    )
    assert network.sizes == (6, 4, 2)
    assert (network.steps, network.features, network.classes) == (2, 6, 2)
    assert network.readout is Readout.SUMMED_POTENTIAL
    assert dataclasses.replace(network, input_shape=()).input_shape == (6,)
    assert MAX_STEPS == 65535


def test_network_refusals() -> None:
    encoding = LatencyEncoding(levels=(9,))
    known = "first-spike, final-potential, summed-potential"
    refuses("A network must have at least one layer", Network, encoding=encoding, layers=[])
    refuses(
        "Fan-in of layer 1 must equal the 4 neurons before it, not 5",
        Network,
        encoding=encoding,
        layers=[layer(4, 6), layer(2, 5)],
    )
    refuses(
        f"Readout must be one of {known}, not 'vote'",
        Network,
        encoding=encoding,
        layers=[layer()],
        readout="vote",
    )
    refuses(
        "Input shape must have 10 features, not (3, 3)",
        Network,
        encoding=encoding,
        layers=[layer()],
        input_shape=(3, 3),
    )


def test_fingerprint_changes_with_all_that_decides_and_with_nothing_else() -> None:
    base = Network(encoding=LatencyEncoding(levels=(9, 3)), layers=[layer()])
    flipped, raised = layer().weights.copy(), layer().thresholds.copy()
    flipped[0, 0, 0] ^= 1
    raised[0] += 1
    others = [
        dataclasses.replace(base, encoding=LatencyEncoding(levels=(9, 2))),
        dataclasses.replace(base, readout=Readout.FINAL_POTENTIAL),
        dataclasses.replace(base, layers=(dataclasses.replace(layer(), weights=flipped),)),
        dataclasses.replace(base, layers=(dataclasses.replace(layer(), thresholds=raised),)),
    ]
    assert len({network.fingerprint() for network in (base, *others)}) == 5
    assert dataclasses.replace(base, metadata={"a": 1}).fingerprint() == base.fingerprint()
