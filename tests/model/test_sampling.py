# SPDX-License-Identifier: Apache-2.0
"""The generator and the members that it draws."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.sampling import (
    MAX_SEED,
    check_members,
    check_seed,
    drawn_network,
    next_state,
    random_bits,
    start_state,
)
from tests.model.stepwise_reading import drawn_lines, weights_of
from tests.stepwise import make_network


def test_first_outputs_of_the_published_generator() -> None:
    # Marsaglia 2003, section 4: from 2463534242 the triple 13, 17, 5 gives 723471715 first.
    assert next_state(2463534242) == 723471715
    state, outputs = 1, []
    for _ in range(4):
        state = next_state(state)
        outputs.append(state)
    assert outputs == [270369, 67634689, 2647435461, 307599695]


def test_every_seed_gives_a_state_and_never_0() -> None:
    assert start_state(1, 0) == 0x9E3779B8
    assert start_state(0x9E3779B9, 0) == 1
    assert start_state(0x3C6EF372, 1) == 1  # 2 * 0x9E3779B9 modulo 2**32
    assert start_state(MAX_SEED, 3) == MAX_SEED ^ 0x78DDE6E4


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(1, MAX_SEED),
    layer=st.integers(0, 9),
    fan_in=st.integers(1, 100),
    members=st.integers(1, 4),
)
def test_bits_equal_plain_reading(seed: int, layer: int, fan_in: int, members: int) -> None:
    bits = random_bits(seed=seed, layer=layer, fan_in=fan_in, members=members)
    assert bits.tolist() == drawn_lines(seed, layer, fan_in, members)


def test_bits_are_fair_and_differ_between_layers_and_members() -> None:
    bits = random_bits(seed=20, layer=0, fan_in=784, members=200).astype(float)
    assert abs(bits.mean() - 0.5) < 0.005
    other = random_bits(seed=20, layer=1, fan_in=784, members=200)
    assert abs((bits == other).mean() - 0.5) < 0.005
    assert abs((bits[1:] == bits[:-1]).mean() - 0.5) < 0.005


def test_a_drawn_network_is_a_stored_committee() -> None:
    network = make_network((40, 7, 3), seed=4, sampled=True)
    drawn = drawn_network(network, seed=99, members=3)
    assert (drawn.members, drawn.is_sampled) == (3, False)
    for number, layer in enumerate(network.layers):
        lines = drawn_lines(99, number, layer.fan_in, 3)
        for member in range(3):
            wanted = weights_of(layer, member, lines[member])
            assert drawn.layers[number].signs(member).tolist() == wanted
    fewer = drawn_network(network, seed=99, members=2)
    assert np.array_equal(fewer.layers[0].weights, drawn.layers[0].weights[:2])
    stored = make_network((5, 2), seed=4)
    with pytest.raises(ValueError, match="must be drawn from a network that has undecided"):
        drawn_network(stored, seed=1, members=1)


def test_what_a_caller_may_leave_out() -> None:
    stored, drawn = make_network((5, 2), seed=4, members=4), make_network((5, 2), seed=4)
    assert (check_members(stored, None), check_members(stored, 2)) == (4, 2)
    assert check_seed(stored, None) == 0
    assert check_members(drawn, None) == 1
    sampled = make_network((5, 2), seed=4, sampled=True)
    assert check_members(sampled, 1000) == 1000
    assert check_seed(sampled, MAX_SEED) == MAX_SEED


def test_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import model.sampling, model.spike_trains, model.events"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
