# SPDX-License-Identifier: Apache-2.0
"""The network description: derived values and every refusal."""

import dataclasses

import numpy as np
import pytest

from model.description import (
    MAX_STEPS,
    Dynamics,
    EventEncoding,
    LatencyEncoding,
    Layer,
    Network,
    NetworkError,
    NeuronKind,
    RateEncoding,
    Readout,
    Reset,
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
        "Neuron kind must be one of single-spike-if, lif, spike-response, diffused-quantiser, "
        "integrator, not 'izh'",
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


DYNAMICS = Dynamics(membrane_bits=9, membrane_shift=3, reset=Reset.SUBTRACT)
SCORES = Dynamics(membrane_bits=9)


def hidden(neurons: int, fan_in: int, *, members: int = 1, **fields: object) -> Layer:
    signs = np.ones((members, neurons, fan_in), int)
    made = Layer.from_signs(signs, np.ones(neurons), kind="lif", dynamics=DYNAMICS)
    return dataclasses.replace(made, **fields)


def scores(neurons: int, fan_in: int, *, members: int = 1) -> Layer:
    signs = np.ones((members, neurons, fan_in), int)
    return Layer.from_signs(signs, np.zeros(neurons), kind="integrator", dynamics=SCORES)


def undecided(layer: Layer, *places: tuple[int, int]) -> Layer:
    """The layer with some weights left to be drawn."""
    bits = np.zeros((layer.neurons, layer.fan_in), np.uint8)
    for place in places:
        bits[place] = 1
    mask = np.packbits(bits, axis=1, bitorder="little")
    return dataclasses.replace(layer, weights=layer.weights & ~mask, undecided=mask)


def stepwise(*layers: Layer, **fields: object) -> Network:
    settings = {"encoding": RateEncoding(steps=9), "readout": "final-potential"} | fields
    return Network(layers=layers, **settings)


def test_members_have_weights_of_their_own() -> None:
    rng = np.random.default_rng(2)
    signs = rng.choice([-1, 1], (3, 4, 11))
    made = Layer.from_signs(signs, np.ones(4), kind="lif", dynamics=DYNAMICS)
    assert made.members == 3
    assert made.weights.shape == (3, 4, 2)
    for member in range(3):
        assert np.array_equal(made.signs(member), signs[member])
    single = hidden(2, 5)
    assert np.array_equal(single.signs(7), single.signs())  # one set serves all members


def test_stepwise_sizes() -> None:
    network = stepwise(hidden(4, 6, members=3), hidden(5, 4), scores(2, 5, members=3))
    assert (network.is_stepwise, network.members, network.is_sampled) == (True, 3, False)
    assert (network.sizes, network.steps) == ((6, 4, 5, 2), 9)
    drawn = stepwise(undecided(hidden(4, 6), (1, 5)), scores(2, 4))
    assert (drawn.members, drawn.is_sampled) == (1, True)
    assert drawn.layers[0].signs()[1].tolist() == [1, 1, 1, 1, 1, -1]


def test_layers_with_a_state_are_checked() -> None:
    refuses("Dynamics of kind lif must be given", hidden, 2, 5, dynamics=None)
    refuses("Dynamics of kind single-spike-if must be absent", hidden, 2, 5, kind="single-spike-if")
    refuses("Membrane shift of kind lif must be at least 1, not 0", hidden, 2, 5, dynamics=SCORES)
    refuses(
        "Thresholds of kind lif must be at least 1, not 0",
        hidden,
        2,
        5,
        thresholds=np.array([3, 0], np.int32),
    )


def test_masks_that_contradict_are_refused() -> None:
    once = "Undecided weights must be 0 in the one weight set of their layer"
    mask = np.zeros((2, 2), np.uint8)
    mask[1, 0] = 4
    refuses(once, hidden, 2, 11, undecided=mask)  # the sign bits are 1
    drawn = undecided(hidden(2, 11), (1, 2))
    refuses(once, dataclasses.replace, drawn, weights=np.repeat(drawn.weights, 2, axis=0))
    shape = "Mask of undecided weights must be uint8 of shape (2, 2), not"
    refuses(f"{shape} uint8 of shape (2, 1)", hidden, 2, 11, undecided=mask[:, :1])
    refuses(f"{shape} int8 of shape (2, 2)", hidden, 2, 11, undecided=mask.astype(np.int8))
    mask = np.array([[0, 0], [0, 8]], np.uint8)
    refuses("Unused bits of the mask of undecided weights must be 0", hidden, 2, 11, undecided=mask)


def test_networks_with_a_state_are_checked() -> None:
    first = "Kind of the last layer must be integrator, not"
    refuses(f"{first} lif", stepwise, hidden(4, 6), hidden(2, 4))
    refuses(f"{first} single-spike-if", stepwise, hidden(10, 6), layer())
    before = "must be lif, spike-response or diffused-quantiser before an integrator, not"
    refuses(f"Kind of layer 0 {before} integrator", stepwise, scores(4, 6), scores(2, 4))
    refuses(
        "Readout of an integrator must be final-potential, not first-spike",
        stepwise,
        scores(2, 6),
        readout="first-spike",
    )
    refuses(
        "Layers must have 1 weight set or as many as others, not {2, 3}",
        stepwise,
        hidden(4, 6, members=2),
        scores(2, 4, members=3),
    )
    refuses(
        "A committee must be stored or drawn, not both",
        stepwise,
        undecided(hidden(4, 6), (0, 0)),
        scores(2, 4, members=3),
    )
    for beta in (0.0, -1.0, float("inf"), float("nan")):
        text = f"Inverse temperature must be positive, not {beta!r}"
        refuses(text, stepwise, scores(2, 6), inverse_temperature=beta)
    camera = EventEncoding(width=3, height=3, crop_width=3, crop_height=3, bin_us=9, steps=4)
    refuses(
        "Fan-in of layer 0 must equal the 18 inputs of the encoding, not 6",
        stepwise,
        scores(2, 6),
        encoding=camera,
    )


def test_single_spike_networks_have_a_latency_code_and_one_weight_set() -> None:
    text = "Encoding of single-spike layers must be latency without tail steps"
    for encoding in (RateEncoding(steps=4), LatencyEncoding(levels=(9,), tail_steps=1)):
        refuses(text, Network, encoding=encoding, layers=[layer()])
    latency = LatencyEncoding(levels=(9,))
    several = Layer.from_signs(np.ones((2, 4, 3), int), np.ones(4))
    text = "Single-spike layers must have one weight set"
    refuses(text, Network, encoding=latency, layers=[layer(3, 10), several])
    drawn = undecided(Layer.from_signs(np.ones((4, 3), int), np.ones(4)), (0, 1))
    refuses(text, Network, encoding=latency, layers=[drawn])


def test_fingerprint_of_stepwise_networks_changes_with_all_that_decides() -> None:
    base = stepwise(hidden(4, 6), scores(2, 4))
    burn_in = dataclasses.replace(SCORES, burn_in=2)
    others = [
        dataclasses.replace(base, encoding=RateEncoding(steps=9, phase=1)),
        stepwise(hidden(4, 6, members=2), scores(2, 4)),
        stepwise(undecided(hidden(4, 6), (1, 1)), scores(2, 4)),
        stepwise(hidden(4, 6), dataclasses.replace(scores(2, 4), dynamics=burn_in)),
        stepwise(hidden(4, 6, dynamics=dataclasses.replace(DYNAMICS, reset="zero")), scores(2, 4)),
    ]
    assert len({network.fingerprint() for network in (base, *others)}) == 6
    cooler = dataclasses.replace(base, inverse_temperature=0.5)
    assert cooler.fingerprint() == base.fingerprint()  # no class, no score depends on it
