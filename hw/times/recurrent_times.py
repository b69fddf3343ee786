# SPDX-License-Identifier: Apache-2.0
"""When the loop of a recurrent network takes values and sends words, from formulas."""

from collections.abc import Callable

import numpy as np

from hw.design.design import Design
from hw.legendre.recurrent_source import settle_cycles, value_cycles
from hw.legendre.state_reader import group_cycles
from hw.times.block_times import ReplayTimes
from model.description import Network

__all__ = ["RecurrentTimes", "words_in_order"]


def words_in_order(trains: np.ndarray, network: Network) -> np.ndarray:
    """Inputs of the first layer (..., features) in the order of their words: series, hidden
    neurons, states."""
    states = network.memory.states
    return np.concatenate([trains[..., states:], trains[..., :states]], axis=-1)


class RecurrentTimes:
    """Words out of a `hw.legendre.recurrent_source.RecurrentSource`: a
    `hw.times.step_sources.StepSource` that is told when the hidden neurons have emitted.

    Parameters
    ----------
    design, network
        What is built, and what is loaded.
    busy
        bool (N, T, inputs * planes): which words have set bits, in the order of `words_in_order`.
    played
        int (N, T, 2): words that the hidden neurons emit in a step, as of
        `hw.times.step_sources.played_words`.
    accept
        When the first word of a step is taken that is offered in a cycle. What follows is as much
        later; only series and hidden neurons wait for each other.
    """

    def __init__(
        self,
        design: Design,
        network: Network,
        *,
        busy: np.ndarray,
        played: np.ndarray,
        accept: Callable[[int], int],
    ) -> None:
        memory = network.memory
        self._busy, self._played, self._accept = busy, played, accept
        self._planes = design.encoder.input_bits
        self._values = network.encoding.channels
        self._neurons = network.layers[0].neurons
        self._channels, self._states = memory.channels, memory.states
        self._value_cycles = value_cycles(design)
        self._settle_cycles = settle_cycles(design)
        self._memory_cycles = design.memory.cycles(memory.order)
        self._group_cycles = group_cycles(design)
        self._hidden = ReplayTimes()
        self._next = 0  # first cycle in which a value can be taken
        self.first_input = self.last_input = 0
        #: Cycles in which the memory took its inputs, a step each.
        self.values: list[np.ndarray] = []

    def begin(self, sample: int) -> None:
        """Go on to a sample."""
        self._here, self._emitted = self._busy[sample], self._played[sample]
        self.values = []

    def emitted(self, cycle: int) -> None:
        """The hidden neurons' step ended in this cycle; not of the last step of a sample."""
        self._hidden.stored(cycle)

    def offer(self, step: int) -> tuple[int, int]:
        """Cycle in which the first word of a step is taken, and cycles to the offer of the last."""
        busy = np.flatnonzero(self._here[step])
        last = self._here.shape[-1] - 1
        input_, plane = divmod(int(busy[0]) if busy.size else last, self._planes)
        hidden = input_ - self._values
        state = hidden - self._neurons
        first = None

        begin = self._next
        if step == 0:
            self.first_input = begin
        settles = begin + self._values * self._value_cycles
        self.last_input = settles - self._value_cycles
        if hidden < 0:
            offered = begin + input_ * self._value_cycles + 2 + plane
            first = self._accept(offered)
            settles += first - offered
            if input_ < self._values - 1:
                self.last_input += first - offered
        if step > 0:
            begin = max(settles, self._hidden.first_offer(-1))
            if hidden >= 0 > state:
                first = begin = self._accept(begin)
            settles = begin + int(self._emitted[step - 1, 0])
        taken = settles + self._settle_cycles
        self.values.append(taken + self._memory_cycles * np.arange(self._channels, dtype=np.int64))
        read = taken + self._memory_cycles * self._channels + 1
        if first is None:
            offered = read + self._place(state, plane)
            first = self._accept(offered)
            read += first - offered
        return first, read + self._place(self._states - 1) - first

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        """The last word of a step was taken in cycle ``last``."""
        self._next = last + 1

    def _place(self, state: int, plane: int | None = None) -> int:
        """Cycles from the beginning of a read to a word, the last plane's by default."""
        behind = 0 if plane is None else self._planes - 1 - plane
        return (state + 1) * self._group_cycles - 1 - behind
