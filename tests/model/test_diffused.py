# SPDX-License-Identifier: Apache-2.0
"""Quantisers with temporally diffused error: by hand, at their bounds, and their error."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.description import Dynamics, Layer, NeuronKind
from model.stepwise import Neurons, member_signs
from tests.model.stepwise_reading import neuron_step, start_state


def quantiser(
    *,
    fan_in: int = 1,
    threshold: int = 0,
    gain: int = 0,
    fraction_bits: int = 4,
    emission: tuple[int, bool] = (4, False),
    number: tuple[int, bool] = (9, True),
) -> Layer:
    """One quantiser that adds up its inputs."""
    dynamics = Dynamics.bounded(
        kind=NeuronKind.DIFFUSED,
        fan_in=fan_in,
        fraction_bits=fraction_bits,
        emission_bits=emission[0],
        emission_signed=emission[1],
    )
    return Layer.from_signs(
        np.ones((1, fan_in)),
        np.array([threshold]),
        kind=NeuronKind.DIFFUSED,
        dynamics=dynamics,
        gains=np.array([gain], np.uint8),
        input_bits=number[0],
        input_signed=number[1],
    )


def emitted(layer: Layer, inputs: list[list[int]]) -> tuple[list[int], list[int]]:
    """Integers and fractions of the first neuron, step by step."""
    neurons = Neurons(layer, member_signs(layer, 0), 1)
    found, history = neurons.advance(torch.tensor(inputs)[:, None].float(), record=True)
    return found[:, 0, 0].to(torch.int64).tolist(), history["membrane"][:, 0, 0].tolist()


def test_by_hand() -> None:
    # A quarter (4 of 16) a step from a half: whole after two steps, then after every fourth.
    assert emitted(quantiser(), [[4]] * 7) == ([0, 1, 0, 0, 0, 1, 0], [12, 0, 4, 8, 12, 0, 4])
    assert emitted(quantiser(gain=2), [[4]] * 2) == ([1, 1], [8, 8])
    assert emitted(quantiser(threshold=3, gain=1), [[5], [9]]) == ([0, 1], [12, 8])
    # Without a sign nothing negative enters; with one the emission rounds down.
    assert emitted(quantiser(), [[-20], [20]]) == ([0, 1], [8, 12])
    signed = quantiser(emission=(3, True))
    assert emitted(signed, [[-20], [-4], [255], [-256]]) == ([-1, 0, 3, -4], [4, 0, 0, 0])


@pytest.mark.parametrize(
    ("emission", "low", "high"), [((1, False), 0, 1), ((2, True), -2, 1), ((8, False), 0, 255)]
)
def test_emission_is_clamped_and_the_fraction_stays(
    emission: tuple[int, bool], low: int, high: int
) -> None:
    layer = quantiser(emission=emission, gain=7)
    numbers, fractions = emitted(layer, [[255], [255], [-256], [-256]])
    assert numbers == [high, high, low, low]
    assert fractions == [8] * 4


@pytest.mark.parametrize("threshold", [-(2**31), 2**31 - 1, 2**23, -(2**23) + 1])
@pytest.mark.parametrize("gain", [0, 7])
def test_large_thresholds_are_exact(threshold: int, gain: int) -> None:
    layer = quantiser(
        threshold=threshold, gain=gain, fraction_bits=12, emission=(8, True), fan_in=30
    )
    inputs = [[255] * 30, [-256] * 30, [0] * 30, [1] + [0] * 29]
    state = start_state(layer)
    wanted = [neuron_step(layer, 0, state, sum(row), step) for step, row in enumerate(inputs)]
    assert emitted(layer, inputs)[0] == wanted
    assert set(wanted) == ({127} if threshold < 0 else {-128})


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    gain=st.integers(0, 7),
    fraction_bits=st.integers(1, 12),
    bits=st.integers(1, 8),
    signed=st.booleans(),
)
def test_what_is_emitted_is_what_entered_but_for_half_a_unit(
    seed: int, gain: int, fraction_bits: int, bits: int, signed: bool
) -> None:
    rng = np.random.default_rng(seed)
    emission = max(bits, 1 + signed), signed
    layer = quantiser(
        fan_in=3,
        threshold=int(rng.integers(-40, 40)),
        gain=gain,
        fraction_bits=fraction_bits,
        emission=emission,
        number=(5, True),
    )
    inputs = rng.integers(-16, 16, (50, 3))
    numbers, fractions = emitted(layer, inputs.tolist())
    low, high = layer.dynamics.emission_range()
    assert low <= min(numbers) <= max(numbers) <= high
    unit = 1 << fraction_bits
    assert 0 <= min(fractions) <= max(fractions) < unit
    entered = (inputs.sum(axis=1) - int(layer.thresholds[0])) << gain
    entered = np.clip(entered, low * unit, high * unit)
    error = np.cumsum(np.array(numbers) * unit) - np.cumsum(entered)
    assert -unit // 2 < error.min()
    assert error.max() <= unit // 2
