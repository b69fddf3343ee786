# SPDX-License-Identifier: Apache-2.0
"""Descriptions of networks on series: what contradicts itself is refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from model.description import (
    Dynamics,
    Layer,
    LegendreMemory,
    Network,
    NetworkError,
    NeuronKind,
    RateEncoding,
    Reset,
    SeriesEncoding,
)
from model.legendre import solve_coefficients
from tests.series import (
    make_parallel,
    make_recurrent,
    make_series,
)

PARALLEL = make_parallel(seed=1, channels=2, reads=4, hidden=(5,))
RECURRENT = make_recurrent(seed=2, channels=2, memory_channels=2)
SERIES = make_series(seed=3)
MEMORY = PARALLEL.memory
HIDDEN = PARALLEL.layers[0]


def refuses(message: str, call: Any, *args: Any, **fields: Any) -> None:
    with pytest.raises(NetworkError) as caught:
        call(*args, **fields)
    assert str(caught.value) == message


def refuses_change(message: str, base: Any, **fields: Any) -> None:
    refuses(message, dataclasses.replace, base, **fields)


def with_layer(network: Network, index: int, **fields: Any) -> dict[str, Any]:
    """The layers of a network with one of them changed."""
    layers = list(network.layers)
    layers[index] = dataclasses.replace(layers[index], **fields)
    return {"layers": tuple(layers)}


# Parts


def test_series_encoding() -> None:
    for change, message in (
        ({"steps": 0}, "Steps must lie in 1..65535, not 0"),
        ({"channels": 1025}, "Channels must lie in 1..1024, not 1025"),
        ({"zero": -1}, "Zero must lie in 0..255, not -1"),
        ({"bits": 1}, "Bits must lie in 2..9, not 1"),
        ({"shift": 9}, "Shift must lie in 0..8, not 9"),
        ({"steps": 2.0}, "Steps must be an integer, not 2.0"),
    ):
        refuses_change(message, SERIES.encoding, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": 1}, "Order of the memory must lie in 2..1024, not 1"),
        ({"channels": 0}, "Channels of the memory must lie in 1..1024, not 0"),
        ({"window": 1}, "Window of the memory must lie in 2..65535, not 1"),
        ({"coefficient_bits": 16}, "Coefficient bits of the memory must lie in 4..15, not 16"),
        ({"fraction_bits": 3}, "Fraction bits of the memory must lie in 4..20, not 3"),
        ({"guard_bits": 9}, "Guard bits of the memory must lie in 0..8, not 9"),
        ({"input_scale": 65536}, "Input scale of the memory must lie in 1..65535, not 65536"),
        ({"input_shift": 0}, "Input shift of the memory must lie in 1..24, not 0"),
        ({"emission_bits": 9}, "Emission bits of the memory must lie in 2..8, not 9"),
        ({"reads": 65}, "Reads of the memory must lie in 1..64, not 65"),
        ({"reads": 6}, "Reads of the memory must be a power of two, not 6"),
        (
            {"order": 7},
            "Coefficients of the memory must be uint16 of shape (7,), not uint16 of shape (6,)",
        ),
        (
            {"channels": 1},
            "Emission shifts of the memory must be uint8 of shape (6,), not uint8 of shape (12,)",
        ),
    ],
)
def test_memory(change: dict[str, int], message: str) -> None:
    refuses_change(message, MEMORY, **change)


def test_integers_of_a_memory() -> None:
    scale = 2 << MEMORY.coefficient_bits
    for values, text in (
        (np.zeros(6, np.uint16), f"must lie in 1..{scale - 1}, not 0..0"),
        (np.full(6, scale, np.uint16), f"must lie in 1..{scale - 1}, not {scale}..{scale}"),
        (np.ones(6, np.int32), "must be uint16 of shape (6,), not int32 of shape (6,)"),
    ):
        refuses_change(f"Coefficients of the memory {text}", MEMORY, coefficients=values)
    beyond = np.full(12, MEMORY.state_bits, np.uint8)
    text = f"must lie in 0..{MEMORY.state_bits - 1}, not {MEMORY.state_bits}..{MEMORY.state_bits}"
    refuses_change(f"Emission shifts of the memory {text}", MEMORY, emission_shifts=beyond)


@pytest.mark.parametrize(("order", "window"), [(2, 2), (6, 12), (256, 784), (468, 784), (9, 1000)])
def test_coefficients_solve_the_bilinear_step(order: int, window: int) -> None:
    factors = solve_coefficients(order, window)
    assert 0 < factors.min() <= factors.max() < 2
    # The matrix that the factors belong to, made from the system itself: M^-1 A-part and unit.
    row, column = np.arange(order)[:, None], np.arange(order)[None]
    pattern = np.where(row < column, -1.0, (-1.0) ** (row - column + 1))
    weights = np.diag(2.0 * np.arange(order) + 1)
    # (I - A / 2) m = ... with A = D M / theta, in terms of r = -M m, times D^-1:
    matrix = -np.linalg.inv(pattern) + weights / (2 * window)
    lower, upper = np.diag(matrix, -1), np.diag(matrix, 1)
    assert np.allclose(matrix, np.diag(np.diag(matrix)) + np.diag(lower, -1) + np.diag(upper, 1))
    pivot = matrix[0, 0]
    for index in range(order):
        if index:
            pivot = matrix[index, index] - lower[index - 1] * upper[index - 1] / pivot
        assert factors[index] == pytest.approx(1 / pivot)


def test_integers_of_a_layer() -> None:
    given = "Gains of kind {} must be {}"
    refuses_change(given.format("diffused-quantiser", "given"), HIDDEN, gains=None)
    scores = PARALLEL.layers[1]
    text = given.format("integrator", "absent")
    refuses_change(text, scores, gains=np.zeros(3, np.uint8))
    refuses_change("Gains must lie in 0..7, not 8", HIDDEN, gains=np.full(5, 8, np.uint8))
    for gains in (np.zeros(4, np.uint8), np.zeros(5, np.int8)):
        text = f"Gains must be uint8 of shape (5,), not {gains.dtype} of shape {gains.shape}"
        refuses_change(text, HIDDEN, gains=gains)
    refuses_change("Input bits must lie in 2..9, not 1", HIDDEN, input_bits=1)
    refuses_change("Input bits must lie in 1..9, not 10", scores, input_bits=10, input_signed=False)
    single = Layer.from_signs(np.ones((2, 3)), np.ones(2))
    refuses_change("Input bits of kind single-spike-if must be 1, not 2", single, input_bits=2)


def test_dynamics_of_a_quantiser() -> None:
    base = {"fraction_bits": 4, "membrane_bits": 4, "emission_bits": 2}
    kind = "of kind diffused-quantiser must be"
    for change, message in (
        ({"fraction_bits": 0}, f"Fraction bits {kind} at least 1, not 0"),
        ({"emission_bits": 0}, f"Emission bits {kind} at least 1, not 0"),
        ({"membrane_shift": 2}, f"Membrane shift {kind} 0, not 2"),
        ({"burn_in": 2}, f"Burn in {kind} 0, not 2"),
        ({"reset": Reset.ZERO}, "Reset of kind diffused-quantiser must be none, not zero"),
        (
            {"membrane_bits": 5},
            "Membrane bits of kind diffused-quantiser must equal the 4 fraction bits, not 5",
        ),
        (
            {"emission_bits": 1, "emission_signed": True},
            "Emission bits must be at least 2 with a sign, not 1",
        ),
    ):
        refuses(message, Dynamics(**base | change).check, NeuronKind.DIFFUSED)
    text = "Emission bits of kind lif must be 0, not 2"
    lif = Dynamics(membrane_shift=2, membrane_bits=9, emission_bits=2, reset=Reset.ZERO)
    refuses(text, lif.check, NeuronKind.LIF)
    refuses(
        "Emission bits must be an integer in 0..8, not 9", Dynamics, **base | {"emission_bits": 9}
    )


# Networks


def test_what_a_layer_sees_is_what_the_one_before_emits() -> None:
    bits = PARALLEL.layers[0].output_bits
    sign = "with" if PARALLEL.layers[0].output_signed else "without"
    refuses_change(
        f"Inputs of layer 1 must be what layer 0 emits, integers of {bits} bits {sign} a sign, "
        "not integers of 9 bits with a sign",
        PARALLEL,
        **with_layer(PARALLEL, 1, input_bits=9, input_signed=True),
    )
    for network, number in ((PARALLEL, 4), (SERIES, SERIES.encoding.bits), (RECURRENT, 3)):
        refuses_change(
            f"Inputs of layer 0 must be integers of {number} bits with a sign, "
            "not integers of 1 bits without a sign",
            network,
            **with_layer(network, 0, input_bits=1, input_signed=False),
        )


def test_memory_and_series_fit() -> None:
    refuses_change(
        "Encoding before a memory must be a series", PARALLEL, encoding=RateEncoding(steps=4)
    )
    encoding = PARALLEL.encoding
    refuses_change(
        "Channels of the memory must be the 3 of the series, not 2",
        PARALLEL,
        encoding=dataclasses.replace(encoding, channels=3),
    )
    refuses_change(
        "Steps of the series must be at most the window 12 of the memory, not 13",
        PARALLEL,
        encoding=dataclasses.replace(encoding, steps=13),
    )
    smaller = make_parallel(seed=1, channels=2, order=5).memory
    refuses_change(
        "Fan-in of layer 0 must equal the 10 inputs of the encoding, not 12",
        PARALLEL,
        memory=smaller,
    )
    refuses_change(
        "Fan-in of layer 0 must equal the 4 inputs of the encoding, not 3",
        SERIES,
        encoding=dataclasses.replace(SERIES.encoding, channels=4),
    )
    refuses_change("Input shape must have 24 features, not (12, 3)", PARALLEL, input_shape=(12, 3))
    text = "An encoder must have a memory behind it"
    refuses_change(text, RECURRENT, memory=None, layers=SERIES.layers)
    refuses_change(text, SERIES, encoder_shifts=(1, 1, 1))
    refuses_change("Encoder shifts must have an encoder", PARALLEL, encoder_shifts=(1, 2, 3))


def test_encoder_fits() -> None:
    encoder, hidden = RECURRENT.encoder, RECURRENT.layers[0]
    shape = f"Encoder must be 2 integrators of fan-in {hidden.fan_in}, not"
    one = Layer.from_signs(
        np.ones((1, hidden.fan_in)),
        np.zeros(1),
        kind=encoder.kind,
        dynamics=encoder.dynamics,
        input_bits=3,
        input_signed=True,
    )
    kind = f"of kind integrator and fan-in {hidden.fan_in}"
    refuses_change(f"{shape} 1 {kind}", RECURRENT, encoder=one)
    text = "Encoder must have inputs of 3 bits and no thresholds"
    for change in ({"thresholds": np.ones(2, np.int32)}, {"input_bits": 4}):
        changed = dataclasses.replace(encoder, **change)
        refuses_change(text, RECURRENT, encoder=changed)
    refuses_change("Encoder shifts must be 3, not 2", RECURRENT, encoder_shifts=(1, 2))
    text = "Encoder shift must lie in 0..7, not 8"
    refuses_change(text, RECURRENT, encoder_shifts=(1, 8, 2))
    text = "Layers behind an encoder must be one of diffused quantisers and an integrator"
    second = dataclasses.replace(hidden, weights=hidden.weights[..., :1] & 15, fan_in=4)
    refuses_change(text, RECURRENT, layers=(hidden, second, RECURRENT.layers[1]))
    alone = "A recurrent network must have one weight set and one read"
    reading = dataclasses.replace(RECURRENT.memory, reads=2)
    refuses_change(alone, RECURRENT, memory=reading)
    twice = np.repeat(hidden.weights, 2, axis=0)
    refuses_change(alone, RECURRENT, **with_layer(RECURRENT, 0, weights=twice))
    same = (
        "Hidden neurons and series must be integers of 3 bits with a sign, as what the memory sends"
    )
    wider = dataclasses.replace(RECURRENT.encoding, bits=4)
    refuses_change(same, RECURRENT, encoding=wider)
    dynamics = dataclasses.replace(hidden.dynamics, emission_signed=False)
    output = dataclasses.replace(RECURRENT.layers[1], input_signed=False)
    layers = (dataclasses.replace(hidden, dynamics=dynamics), output)
    refuses_change(same, RECURRENT, layers=layers)


def test_sizes_of_the_three_ways() -> None:
    assert (PARALLEL.steps, PARALLEL.features, PARALLEL.sample_values) == (4, 12, 24)
    assert PARALLEL.sizes == (12, 5, 3)
    assert (RECURRENT.steps, RECURRENT.features, RECURRENT.sample_values) == (12, 16, 24)
    assert (SERIES.steps, SERIES.features, SERIES.sample_values) == (10, 3, 30)
    assert [each.is_recurrent for each in (PARALLEL, RECURRENT, SERIES)] == [False, True, False]
    assert PARALLEL.input_shape == (24,)


def test_fingerprint_changes_with_all_that_decides() -> None:
    memory, encoder = RECURRENT.memory, RECURRENT.encoder
    flipped = encoder.weights.copy()
    flipped[0, 0, 0] ^= 1
    coefficients = memory.coefficients.copy()
    coefficients[1] -= 1
    gains = RECURRENT.layers[0].gains ^ 1
    changes = [
        {"encoder_shifts": tuple(7 - each for each in RECURRENT.encoder_shifts)},
        {"encoder": dataclasses.replace(encoder, weights=flipped)},
        {"memory": dataclasses.replace(memory, coefficients=coefficients)},
        {"memory": dataclasses.replace(memory, emission_shifts=memory.emission_shifts ^ 1)},
        {"memory": dataclasses.replace(memory, input_scale=memory.input_scale ^ 1)},
        {"encoding": dataclasses.replace(RECURRENT.encoding, zero=RECURRENT.encoding.zero ^ 1)},
        {"encoding": dataclasses.replace(RECURRENT.encoding, shift=RECURRENT.encoding.shift ^ 1)},
        with_layer(RECURRENT, 0, gains=gains),
    ]
    networks = [RECURRENT, *(dataclasses.replace(RECURRENT, **change) for change in changes)]
    assert len({network.fingerprint() for network in networks}) == len(changes) + 1


def test_default_precision_of_a_memory() -> None:
    memory = LegendreMemory.for_window(order=256, window=784)
    assert (memory.state_bits, memory.multiplicand_bits, memory.forward_bits) == (12, 16, 17)
    unit = memory.input_scale / (1 << memory.input_shift)
    assert unit == pytest.approx((1 << 12) / (256 * 784), rel=2**-15)
    assert memory.emission_shifts.tolist() == [7] * 256
    assert SeriesEncoding(steps=784).bits == 9
