# SPDX-License-Identifier: Apache-2.0
"""When the loop of a recurrent network takes values and sends words, from formulas."""

import numpy as np

from hw.block_times import ReplayTimes
from hw.design import Design
from hw.recurrent_source import settle_cycles, value_cycles
from hw.state_reader import group_cycles
from model.description import Network

__all__ = ["RecurrentTimes", "words_in_order"]


def words_in_order(trains: np.ndarray, network: Network) -> np.ndarray:
    """Inputs of the first layer (..., features) in the order of their words: series, hidden
    neurons, states."""
    states = network.memory.states
    return np.concatenate([trains[..., states:], trains[..., :states]], axis=-1)


class RecurrentTimes:
    """Words out of a `hw.recurrent_source.RecurrentSource`: a `hw.step_sources.StepSource` that is
    told when the hidden neurons have emitted.

    Parameters
    ----------
    design, network
        What is built, and what is loaded.
    played
        int (N, T, 2): words that the hidden neurons emit in a step, as of
        `hw.step_sources.played_words`.
    """

    def __init__(self, design: Design, network: Network, played: np.ndarray) -> None:
        memory = network.memory
        self._played = played
        self._channels = memory.channels
        self._series_cycles = network.encoding.channels * value_cycles(design)
        self._value_cycles = value_cycles(design)
        self._settle_cycles = settle_cycles(design)
        self._memory_cycles = design.memory.cycles(memory.order)
        # The last group's last plane.
        self._read_cycles = memory.states * group_cycles(design)
        self._hidden = ReplayTimes()
        self._next = 0  # first cycle in which a value can be taken
        self.first_input = self.last_input = 0
        #: Cycles in which the memory took its inputs, a step each.
        self.values: list[np.ndarray] = []

    def begin(self, sample: int) -> None:
        """Go on to a sample."""
        self._here = self._played[sample]
        self.values = []

    def emitted(self, cycle: int) -> None:
        """The hidden neurons' step ended in this cycle; not of the last step of a sample."""
        self._hidden.stored(cycle)

    def offer(self, step: int) -> tuple[int, int]:
        """Cycle in which a step begins, and cycles from there to the offer of its last word."""
        begin = self._next
        last_value = begin + self._series_cycles - self._value_cycles
        if step == 0:
            self.first_input = begin
        self.last_input = last_value
        settles = begin + self._series_cycles
        if step > 0:
            words = int(self._here[step - 1, 0])
            settles = max(settles, self._hidden.first_offer(-1)) + words
        taken = settles + self._settle_cycles
        self.values.append(taken + self._memory_cycles * np.arange(self._channels, dtype=np.int64))
        read = taken + self._memory_cycles * self._channels + 1
        return begin, read + self._read_cycles - 1 - begin

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        """The last word of a step was taken in cycle ``last``."""
        self._next = last + 1
