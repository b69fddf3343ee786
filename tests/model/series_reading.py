# SPDX-License-Identifier: Apache-2.0
"""An independent reading of series, Legendre memory and recurrent LMU: plain integers.

Written from the words of `docs/semantics.md`; shares no code with `model/legendre_step.py`,
`model/memory_trains.py` or `model/recurrent.py`.
"""

import dataclasses

from model.description import LegendreMemory, Network, SeriesEncoding
from tests.model.stepwise_reading import (
    MemberReading,
    Reading,
    clamp,
    neuron_step,
    read,
    signed,
    start_state,
    weights_of,
)

Numbers = list[list[int]]  # [step][channel or state]


def series_integers(network: Network, values: Numbers) -> Numbers:
    """Integers of a series, the steps that are missing in front filled with 0."""
    encoding = network.encoding
    assert isinstance(encoding, SeriesEncoding)
    missing = encoding.steps - len(values)
    return [[0] * encoding.channels for _ in range(missing)] + [
        [value - encoding.zero for value in row] for row in values
    ]


def seen(encoding: SeriesEncoding, numbers: Numbers) -> Numbers:
    """What layers see of a series."""
    return [
        [signed(number // 2**encoding.shift, encoding.bits) for number in row] for row in numbers
    ]


class ChannelReading:
    """One channel of a memory."""

    def __init__(self, memory: LegendreMemory) -> None:
        self.memory = memory
        self.states = [0] * memory.order

    def saturated(self, value: int, whole_bits: int, *, guard: bool) -> int:
        """Clamped to a sign, so many bits above 1, and the fraction."""
        below = self.memory.fraction_bits + (self.memory.guard_bits if guard else 0)
        return signed(value, 1 + whole_bits + below)

    def step(self, u: int) -> None:
        """One input value."""
        memory, m, q = self.memory, self.states, self.memory.order
        one = 2**memory.coefficient_bits  # a coefficient of 1
        guard = 2**memory.guard_bits
        k = [int(each) for each in memory.coefficients]

        def half_up(value: int, unit: int) -> int:
            return (value + unit // 2) // unit

        g: list[int] = []
        for i in range(q):
            term = half_up((2 * i + 1) * u * memory.input_scale, 2**memory.input_shift)
            before = half_up(g[-1], 2) if g else 0
            bracket = m[i] * 2 * guard + (-1) ** i * term - before
            g.append(half_up(k[i] * self.saturated(bracket, 3, guard=True), one))
            assert g[-1] == self.saturated(g[-1], 4, guard=True)
        r = [0] * q
        for i in reversed(range(q)):
            after = half_up(k[i] * r[i + 1], 2 * one) if i + 1 < q else 0
            r[i] = self.saturated(g[i] + after, 3, guard=True)
        changes = [r[0] - r[1], *(r[i - 1] - r[i + 1] for i in range(1, q - 1)), r[-2] + r[-1]]
        self.states = [
            self.saturated(half_up(change, 2 * guard) - old, 1, guard=False)
            for change, old in zip(changes, m, strict=True)
        ]


class MemoryReading:
    """All channels of a memory."""

    def __init__(self, memory: LegendreMemory) -> None:
        self.memory = memory
        self.channels = [ChannelReading(memory) for _ in range(memory.channels)]

    def step(self, inputs: list[int]) -> list[int]:
        """One step; all states after it."""
        for channel, u in zip(self.channels, inputs, strict=True):
            channel.step(u)
        return self.states()

    def states(self) -> list[int]:
        """All states, channel by channel."""
        return [state for channel in self.channels for state in channel.states]

    def sent(self, number: int) -> list[int]:
        """What is sent of the states in a read."""
        memory, limit = self.memory, 2 ** (self.memory.emission_bits - 1)
        found = []
        for state, shift in zip(self.states(), memory.emission_shifts, strict=True):
            unit = 2 ** int(shift)
            offset = (2 * number + 1) * unit // (2 * memory.reads)
            found.append(clamp((state + offset) // unit, -limit, limit - 1))
        return found


@dataclasses.dataclass
class SeriesReading:
    """One series through a network with a memory."""

    memory_inputs: Numbers
    memory_states: Numbers
    layers: Reading


def read_parallel(network: Network, values: Numbers, *, members: int = 1) -> SeriesReading:
    """The parallel form: the series through the memory, then the layers once for each read."""
    assert network.memory is not None
    memory = MemoryReading(network.memory)
    inputs = series_integers(network, values)
    states = [memory.step(row) for row in inputs]
    reads = [memory.sent(number) for number in range(network.memory.reads)]
    return SeriesReading(inputs, states, read(network, reads, members=members))


def read_recurrent(network: Network, values: Numbers) -> SeriesReading:
    """The recurrent form, step by step."""
    encoding, encoder = network.encoding, network.encoder
    assert isinstance(encoding, SeriesEncoding)
    assert network.memory is not None
    assert encoder is not None
    memory, (hidden, output) = MemoryReading(network.memory), network.layers
    weights = [weights_of(layer, 0, None) for layer in network.layers]
    entering = weights_of(encoder, 0, None)
    first = [start_state(hidden) for _ in range(hidden.neurons)]
    last = [start_state(output) for _ in range(output.neurons)]
    h = [0] * hidden.neurons
    trains, memory_inputs, memory_states = [], [], []
    member = MemberReading([[], []], [[], []], [], [])
    a, b, c = network.encoder_shifts
    for step, x in enumerate(seen(encoding, series_integers(network, values))):
        scaled = [2**a * n for n in memory.sent(0)] + [2**b * n for n in x] + [2**c * n for n in h]
        u = [sum(w * n for w, n in zip(row, scaled, strict=True)) for row in entering]
        memory_inputs.append(u)
        memory_states.append(memory.step(u))
        arriving = memory.sent(0) + x + h
        trains.append(arriving)
        h = []
        for neuron, row in enumerate(weights[0]):
            total = sum(w * n for w, n in zip(row, arriving, strict=True))
            h.append(neuron_step(hidden, neuron, first[neuron], total, step))
        for neuron, row in enumerate(weights[1]):
            total = sum(w * n for w, n in zip(row, h, strict=True))
            neuron_step(output, neuron, last[neuron], total, step)
        scores = [
            state["membrane"] - int(threshold)
            for state, threshold in zip(last, output.thresholds, strict=True)
        ]
        for index, (spikes, states) in enumerate(((h, first), ([0] * len(last), last))):
            member.spikes[index].append(list(spikes))
            member.states[index].append([dict(state) for state in states])
        member.running.append(scores)
        member.scores = scores
    winner = scores.index(max(scores))
    votes = [int(index == winner) for index in range(len(scores))]
    layers = Reading(trains, [member], scores, votes, winner)
    return SeriesReading(memory_inputs, memory_states, layers)
