# SPDX-License-Identifier: Apache-2.0
"""When a Legendre memory takes its values, writes its states and sends its words, from formulas."""

import numpy as np

from hw.design.design import Design
from hw.legendre.legendre_memory import write_delay
from hw.legendre.state_reader import group_cycles
from model.description import Network

__all__ = ["SeriesTimes", "evaluation_steps", "value_cycles", "write_cycles"]


def evaluation_steps(network: Network, every: int) -> list[int]:
    """Input steps before each evaluation of a sample: after every so many, and the rest."""
    steps = network.encoding.steps
    every = every or steps
    return [min(every, steps - begin) for begin in range(0, steps, every)]


def value_cycles(design: Design, network: Network, first_input: int, steps: int) -> np.ndarray:
    """Cycles in which values are taken: int64 (steps, channels), of steps whose first value is
    taken in cycle ``first_input`` and whose others are there in time."""
    memory = network.memory
    each = design.memory.cycles(memory.order)
    values = first_input + each * np.arange(steps * memory.channels, dtype=np.int64)
    return values.reshape(steps, memory.channels)


def write_cycles(design: Design, network: Network, values: np.ndarray) -> np.ndarray:
    """Cycles in which states are written, int64 (..., states), from those in which the values of a
    step are taken, (..., channels)."""
    memory = network.memory
    delays = [write_delay(design.memory, memory.order, index) for index in range(memory.order)]
    written = values[..., None] + np.array(delays)
    return written.reshape(*values.shape[:-1], memory.states)


class SeriesTimes:
    """Words out of a `hw.legendre.series_source.SeriesSource`: a `hw.times.step_sources.StepSource`
    whose samples are evaluations.

    Parameters
    ----------
    design, network
        What is built, and what is loaded.
    busy
        bool (evaluations, R, groups * planes): which words have set bits.
    every
        Steps from one evaluation of a sample to the next; 0: at its end only.
    """

    def __init__(self, design: Design, network: Network, busy: np.ndarray, every: int) -> None:
        self._busy, self._planes = busy, design.memory.emission_bits
        self._group_cycles = group_cycles(design)
        self._value_cycles = design.memory.cycles(network.memory.order)
        self._values = [
            steps * network.memory.channels for steps in evaluation_steps(network, every)
        ]
        self._next = 0  # first cycle in which a value can be taken
        self.first_input = self.last_input = 0

    def begin(self, sample: int) -> None:
        """Take the values before an evaluation."""
        self._here = self._busy[sample]
        values = self._values[sample % len(self._values)]
        self.first_input = self._next
        self.last_input = self._next + (values - 1) * self._value_cycles
        # The reader is started when another value could be taken.
        self._read = self.last_input + self._value_cycles + 1

    def offer(self, step: int) -> tuple[int, int]:
        """Cycle of a read's first word, and cycles from it to the last one."""
        busy = np.flatnonzero(self._here[step])
        end = self._here.shape[-1] - 1
        first = self._place(int(busy[0]) if busy.size else end)
        return self._read + first, self._place(end) - first

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        """Go on to the next read, or the next value."""
        self._read = last + 1
        if ends_sample:
            self._next = last + 1

    def _place(self, word: int) -> int:
        """Cycles from the beginning of a read to a word."""
        group, plane = divmod(word, self._planes)
        return (group + 1) * self._group_cycles - self._planes + plane
