# SPDX-License-Identifier: Apache-2.0
"""Members drawn from a ternary posterior, by a generator that the gateware has too. Torch-free.

A weight of a ternary posterior is +1, -1, or undecided: -1 or +1 with equal probability, drawn
anew for each member of a committee. One random bit serves an input line: all neurons of the layer
share it (`bisnn.md` sections 5.1 and 5.4 measured that this costs nothing).

The rule, which the gateware quotes:

* The generator is xorshift32 (Marsaglia, "Xorshift RNGs", J. Stat. Softw. 8(14), 2003, triple 13,
  17, 5): ``s ^= s << 13; s ^= s >> 17; s ^= s << 5`` in 32 bits; the output is the new state.
* Layer l (0 for the first layer of the network) has one of its own, which starts from
  ``seed ^ (0x9E3779B9 * (l + 1)) mod 2**32``, or from 1 if that is 0.
* It starts anew at every sample; the members of a sample follow each other without a new start. So
  member m is the same for every sample, and seed and number tell it.
* A member takes ``ceil(fan_in / 32)`` outputs; bit b of output w is the random bit of input
  ``32 * w + b``. An undecided weight of that input is +1 if the bit is 1, else -1.
"""

import dataclasses
from typing import Any

import numpy as np

from model.description import Layer, Network

__all__ = [
    "MAX_SEED",
    "check_members",
    "check_seed",
    "drawn_network",
    "next_state",
    "random_bits",
    "start_state",
]

#: Seeds are 1 to this; 0 stands for "no seed" in the registers of the gateware.
MAX_SEED = 0xFFFFFFFF

_GOLDEN_RATIO = 0x9E3779B9


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_seed(network: Network, seed: int | None) -> int:
    """Return the seed, or 0 for a network whose members are not drawn.

    Raises
    ------
    ValueError
        If a network with drawn members has no seed or 0, if the seed is not an integer in
        1..`MAX_SEED`, or if a network without drawn members gets one.
    """
    if not network.is_sampled:
        if seed is not None:
            raise ValueError(
                f"Seed must be absent for a network whose members are not drawn, not {seed!r}"
            )
        return 0
    if seed is None or (_is_integer(seed) and seed == 0):
        raise ValueError(
            f"Seed must be given, 1 to {MAX_SEED}, for a network whose members are drawn; "
            "it is missing"
        )
    if not _is_integer(seed) or not 1 <= seed <= MAX_SEED:
        raise ValueError(f"Seed must be an integer in 1..{MAX_SEED}, not {seed!r}")
    return int(seed)


def check_members(network: Network, members: int | None) -> int:
    """Return how many members run: the number asked for, or all that are stored.

    Raises
    ------
    ValueError
        If the number is not an integer of at least 1, is larger than what the network stores, or
        is missing where members are drawn.
    """
    if members is None:
        if network.is_sampled:
            raise ValueError("Members must be given for a network whose members are drawn")
        return network.members
    if not _is_integer(members) or members < 1:
        raise ValueError(f"Members must be an integer of at least 1, not {members!r}")
    if not network.is_sampled and members > network.members:
        raise ValueError(
            f"Members must be at most the {network.members} that the network stores, not {members}"
        )
    return int(members)


def start_state(seed: int, layer: int) -> int:
    """State from which the generator of a layer starts at every sample, never 0."""
    return (seed ^ (_GOLDEN_RATIO * (layer + 1) & MAX_SEED)) or 1


def next_state(state: int) -> int:
    """One step of xorshift32: the next state, which is also the output."""
    state ^= state << 13 & MAX_SEED
    state ^= state >> 17
    return state ^ (state << 5 & MAX_SEED)


def random_bits(*, seed: int, layer: int, fan_in: int, members: int) -> np.ndarray:
    """Random bits of the input lines of a layer.

    Parameters
    ----------
    seed
        1..`MAX_SEED`.
    layer
        Number of the layer in its network, from 0.
    fan_in
        Its inputs.
    members
        Members of a sample.

    Returns
    -------
    numpy.ndarray
        uint8 (members, fan_in) of 0 and 1.
    """
    words = -(-fan_in // 32)
    state, outputs = start_state(seed, layer), []
    for _ in range(members * words):
        state = next_state(state)
        outputs.append(state)
    lines = np.array(outputs, dtype="<u4").view(np.uint8).reshape(members, 4 * words)
    return np.unpackbits(lines, axis=1, count=fan_in, bitorder="little")


def _drawn_layer(layer: Layer, number: int, seed: int, members: int) -> Layer:
    if layer.undecided is None:
        return layer
    bits = random_bits(seed=seed, layer=number, fan_in=layer.fan_in, members=members)
    lines = np.packbits(bits, axis=1, bitorder="little")  # (members, bytes)
    weights = layer.weights | (layer.undecided & lines[:, None, :])
    return dataclasses.replace(layer, weights=weights, undecided=None)


def drawn_network(network: Network, *, seed: int | None, members: int | None) -> Network:
    """Draw the members of a network: the same network with a stored committee.

    Parameters
    ----------
    network
        A network with undecided weights.
    seed, members
        Of the draw.

    Returns
    -------
    Network
        Nothing undecided, ``members`` weight sets in each layer that had undecided weights.

    Raises
    ------
    ValueError
        If the network has no undecided weights, or seed or members are missing or out of range.
    """
    if not network.is_sampled:
        raise ValueError("Members must be drawn from a network that has undecided weights")
    count, seed = check_members(network, members), check_seed(network, seed)
    layers = tuple(
        _drawn_layer(layer, number, seed, count) for number, layer in enumerate(network.layers)
    )
    return dataclasses.replace(network, layers=layers)
