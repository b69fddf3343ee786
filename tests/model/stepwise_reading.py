# SPDX-License-Identifier: Apache-2.0
"""An independent reading of the stepwise semantics: plain integers, one neuron at a time.

Written from the words of `docs/semantics.md`; shares no code with `model/stepwise.py`,
`model/spike_trains.py` or `model/sampling.py`.
"""

import dataclasses
from typing import Any

from model.description import Layer, Network
from model.encoding import EventEncoding, RateEncoding

Spikes = list[list[int]]  # [step][input], 0 or 1, or a small integer


@dataclasses.dataclass
class MemberReading:
    """One member on one sample; every list is [layer][step][neuron]."""

    spikes: list[list[list[int]]]
    states: list[list[list[dict[str, int]]]]
    scores: list[int]
    running: list[list[int]]


@dataclasses.dataclass
class Reading:
    """One sample through all members."""

    inputs: Spikes
    members: list[MemberReading]
    scores: list[int]
    votes: list[int]
    winner: int


def bit(packed: Any, index: int) -> int:
    """A bit of packed bytes, least significant first."""
    return int(packed[index // 8]) >> (index % 8) & 1


def ones(numbers: list[list[int]], bits: int) -> int:
    """Set bits of all numbers, in two's complement of so many bits."""
    return sum(bin(number % 2**bits).count("1") for row in numbers for number in row)


def best(scores: list[int]) -> int:
    """Index of the largest value, the lowest of equals."""
    return min(range(len(scores)), key=lambda index: (-scores[index], index))


# Inputs


def image_spikes(network: Network, pixels: list[int]) -> Spikes:
    """Spikes of an image, step by step."""
    encoding = network.encoding
    if isinstance(encoding, RateEncoding):
        levels = [(encoding.phase * place) % 256 for place in range(len(pixels))]
        spikes = []
        for _ in range(encoding.steps):
            levels = [level + pixel for level, pixel in zip(levels, pixels, strict=True)]
            spikes.append([1 if level > 255 else 0 for level in levels])
            levels = [level % 256 for level in levels]
        return spikes
    assert not isinstance(encoding, EventEncoding)
    spikes, sent = [], [False] * len(pixels)
    for level in encoding.levels:
        now = [int(pixel >= level and not s) for pixel, s in zip(pixels, sent, strict=True)]
        sent = [bool(s or n) for s, n in zip(sent, now, strict=True)]
        spikes.append(now)
    return spikes + [[0] * len(pixels) for _ in range(encoding.tail_steps)]


def event_spikes(encoding: EventEncoding, events: list[tuple[int, int, int, int]]) -> Spikes:
    """Spikes of events (t, x, y, p), step by step."""
    side = 2**encoding.shift
    columns = -(-encoding.crop_width // side)
    rows = -(-encoding.crop_height // side)
    channels = 1 if encoding.merge_polarity else 2
    spikes = [[0] * (channels * rows * columns) for _ in range(encoding.steps)]
    for t, x, y, p in events:
        step = t // encoding.bin_us
        inside = (
            encoding.left <= x < encoding.left + encoding.crop_width
            and encoding.top <= y < encoding.top + encoding.crop_height
        )
        if step < encoding.steps and inside:
            channel = 0 if encoding.merge_polarity else p
            row, column = (y - encoding.top) // side, (x - encoding.left) // side
            spikes[step][(channel * rows + row) * columns + column] = 1
    return spikes


# Weights


def drawn_lines(seed: int, layer: int, fan_in: int, members: int) -> list[list[int]]:
    """Random bit of each input line, [member][input]."""
    whole = 2**32
    state = (seed ^ (0x9E3779B9 * (layer + 1) % whole)) % whole
    state = state or 1
    lines = []
    for _ in range(members):
        bits: list[int] = []
        while len(bits) < fan_in:
            state = (state ^ (state * 2**13)) % whole
            state = state ^ (state // 2**17)
            state = (state ^ (state * 2**5)) % whole
            bits += [state // 2**place % 2 for place in range(32)]
        lines.append(bits[:fan_in])
    return lines


def weights_of(layer: Layer, member: int, lines: list[int] | None) -> list[list[int]]:
    """Weights of a member, -1 or +1, [neuron][input]."""
    stored = layer.weights[member if len(layer.weights) > 1 else 0]
    weights = []
    for neuron in range(len(stored)):
        row = []
        for place in range(layer.fan_in):
            plus = bit(stored[neuron], place)
            if layer.undecided is not None and bit(layer.undecided[neuron], place):
                assert lines is not None
                plus = lines[place]
            row.append(1 if plus else -1)
        weights.append(row)
    return weights


# One step of one neuron


def clamp(value: int, low: int, high: int) -> int:
    """The nearest value within bounds."""
    return low if value < low else high if value > high else value


def signed(value: int, bits: int) -> int:
    """Saturation of a signed state."""
    return clamp(value, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def leak(value: int, shift: int) -> int:
    """What a state loses in a step: division that rounds down."""
    return value // 2**shift


def start_state(layer: Layer) -> dict[str, int]:
    """State of a neuron before the first step."""
    assert layer.dynamics is not None
    if layer.kind == "diffused-quantiser":
        return {"membrane": 2**layer.dynamics.fraction_bits // 2}
    names = ["membrane"]
    if layer.kind == "spike-response":
        names += ["synapse", "refractory"]
    return dict.fromkeys(names, 0)


def diffused_step(layer: Layer, neuron: int, state: dict[str, int], x: int) -> int:
    """Whole units of what came, and of what was left over before; the rest stays."""
    d, gains = layer.dynamics, layer.gains
    assert d is not None
    assert gains is not None
    unit = 2**d.fraction_bits
    low, high = 0, 2**d.emission_bits - 1
    if d.emission_signed:
        low, high = -(2**d.emission_bits // 2), 2**d.emission_bits // 2 - 1
    entering = (x - int(layer.thresholds[neuron])) * 2 ** int(gains[neuron])
    together = state["membrane"] + clamp(entering, low * unit, high * unit)
    state["membrane"] = together % unit
    return together // unit


def neuron_step(layer: Layer, neuron: int, state: dict[str, int], x: int, step: int) -> int:
    """Update the state in place; 1 if the neuron fires, or the integer that it emits."""
    d, threshold = layer.dynamics, int(layer.thresholds[neuron])
    assert d is not None
    if layer.kind == "diffused-quantiser":
        return diffused_step(layer, neuron, state, x)
    gain = x * 2**d.fraction_bits
    v = state["membrane"]
    if layer.kind == "integrator":
        if step >= d.burn_in:
            state["membrane"] = signed(v + x, d.membrane_bits)
        return 0
    if layer.kind == "lif":
        v = signed(v - leak(v, d.membrane_shift) + gain, d.membrane_bits)
        fires = v >= threshold
        if fires:
            v = v - threshold if d.reset == "subtract" else 0
        state["membrane"] = v
        return int(fires)
    assert layer.kind == "spike-response"
    i, r = state["synapse"], state["refractory"]
    v = signed(v - leak(v, d.membrane_shift) + i, d.membrane_bits)
    i = signed(i - leak(i, d.synapse_shift) + gain, d.synapse_bits)
    fires = v >= threshold + r
    r = r - leak(r, d.refractory_shift) + (d.refractory_jump if fires else 0)
    r = clamp(r, 0, 2**d.refractory_bits - 1)
    state.update(membrane=v, synapse=i, refractory=r)
    return int(fires)


# Samples


def read_member(network: Network, inputs: Spikes, weights: list[list[list[int]]]) -> MemberReading:
    """One member over one sample of any length, step by step through all layers."""
    now = [[start_state(layer) for _ in range(layer.neurons)] for layer in network.layers]
    spikes: list[list[list[int]]] = [[] for _ in network.layers]
    states: list[list[list[dict[str, int]]]] = [[] for _ in network.layers]
    running = []
    for step, arriving in enumerate(inputs):
        for index, layer in enumerate(network.layers):
            fired = []
            for neuron in range(layer.neurons):
                row = weights[index][neuron]
                x = sum(w * s for w, s in zip(row, arriving, strict=True))
                fired.append(neuron_step(layer, neuron, now[index][neuron], x, step))
            arriving = fired
            spikes[index].append(fired)
            states[index].append([dict(state) for state in now[index]])
        running.append(
            [
                state["membrane"] - int(threshold)
                for state, threshold in zip(now[-1], network.layers[-1].thresholds, strict=True)
            ]
        )
    return MemberReading(spikes, states, running[-1], running)


def read(network: Network, inputs: Spikes, *, members: int, seed: int | None = None) -> Reading:
    """One sample through all members and the decision."""
    found = []
    lines = [
        drawn_lines(seed, index, layer.fan_in, members) if layer.undecided is not None else None
        for index, layer in enumerate(network.layers)
        if seed is not None or layer.undecided is None
    ]
    for member in range(members):
        weights = [
            weights_of(layer, member, drawn and drawn[member])
            for layer, drawn in zip(network.layers, lines, strict=True)
        ]
        found.append(read_member(network, inputs, weights))
    classes = range(network.classes)
    scores = [sum(each.scores[c] for each in found) for c in classes]
    votes = [sum(best(each.scores) == c for each in found) for c in classes]
    return Reading(inputs, found, scores, votes, best(scores))
