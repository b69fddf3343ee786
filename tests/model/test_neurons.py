# SPDX-License-Identifier: Apache-2.0
"""Parameters of neuron kinds: widths that suffice, and every refusal."""

from typing import Any

import pytest

from model.encoding import NetworkError
from model.neurons import Dynamics, NeuronKind, Reset

LIF: dict[str, Any] = {"membrane_shift": 3, "membrane_bits": 12, "reset": "subtract"}
RESPONSE: dict[str, Any] = {
    "membrane_shift": 3,
    "synapse_shift": 2,
    "refractory_shift": 1,
    "membrane_bits": 12,
    "synapse_bits": 10,
    "refractory_bits": 8,
}


def refuses(message: str, call: Any, *args: Any, **fields: Any) -> None:
    with pytest.raises(NetworkError) as caught:
        call(*args, **fields)
    assert str(caught.value) == message


def test_widths_that_hold_any_input() -> None:
    made = Dynamics.bounded(kind=NeuronKind.INTEGRATOR, fan_in=10, steps=20, burn_in=3)
    assert (made.membrane_bits, made.burn_in) == (9, 3)  # +-200
    made = Dynamics.bounded(
        kind=NeuronKind.LIF, fan_in=10, fraction_bits=2, membrane_shift=3, reset=Reset.ZERO
    )
    assert made.membrane_bits == 10  # 40 * 8 + 40
    made = Dynamics.bounded(
        kind=NeuronKind.SPIKE_RESPONSE,
        fan_in=10,
        membrane_shift=3,
        synapse_shift=2,
        refractory_shift=1,
        refractory_jump=7,
    )
    assert (made.membrane_bits, made.synapse_bits, made.refractory_bits) == (10, 7, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraction_bits": 13}, "Fraction bits must be an integer in 0..12, not 13"),
        ({"membrane_shift": -1}, "Membrane shift must be an integer in 0..15, not -1"),
        ({"membrane_shift": 1.0}, "Membrane shift must be an integer in 0..15, not 1.0"),
        ({"membrane_bits": 33}, "Membrane bits must be an integer in 0..32, not 33"),
        ({"reset": "hard"}, "Reset must be one of none, subtract, zero, not 'hard'"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    refuses(message, Dynamics, **LIF | change)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (
            "lif",
            LIF | {"membrane_shift": 0},
            "Membrane shift of kind lif must be at least 1, not 0",
        ),
        ("lif", LIF | {"synapse_shift": 2}, "Synapse shift of kind lif must be 0, not 2"),
        ("lif", LIF | {"burn_in": 2}, "Burn in of kind lif must be 0, not 2"),
        ("lif", LIF | {"reset": "none"}, "Reset of kind lif must be subtract or zero, not none"),
        (
            "spike-response",
            RESPONSE | {"synapse_bits": 0},
            "Synapse bits of kind spike-response must be at least 1, not 0",
        ),
        (
            "spike-response",
            RESPONSE | {"reset": "zero"},
            "Reset of kind spike-response must be none, not zero",
        ),
        (
            "integrator",
            {"membrane_bits": 9, "fraction_bits": 1},
            "Fraction bits of kind integrator must be 0, not 1",
        ),
    ],
)
def test_parameters_of_another_kind_are_refused(
    kind: str, fields: dict[str, Any], message: str
) -> None:
    refuses(message, Dynamics(**fields).check, NeuronKind(kind))


def test_a_free_parameter_may_be_there_or_not() -> None:
    Dynamics(**LIF).check(NeuronKind.LIF)
    Dynamics(**LIF | {"fraction_bits": 4}).check(NeuronKind.LIF)
    for jump in (0, 9):
        Dynamics(**RESPONSE | {"refractory_jump": jump}).check(NeuronKind.SPIKE_RESPONSE)
    Dynamics(membrane_bits=4, burn_in=3).check(NeuronKind.INTEGRATOR)
