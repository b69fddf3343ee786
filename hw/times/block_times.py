# SPDX-License-Identifier: Apache-2.0
"""Cycles of the blocks that sort, keep and replay samples, from their docstrings' formulas."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hw.design.design import Design, ceil_div

__all__ = ["ReplayTimes", "StoreTimes", "StoreWork", "TableTimes", "store_work"]

# From the former's last word to the emitter's first cycle: formed, stored, marked full, begun.
_STORE_TURNAROUND = 4


@dataclasses.dataclass(kw_only=True)
class StoreWork:
    """What a layer's store and passes have to do for N samples.

    ``words`` int (N, T): words of each step. ``beats`` int (N, blocks of the source, beats):
    words of each beat.
    """

    words: np.ndarray
    beats: np.ndarray


def store_work(design: Design, layer: int, steps: np.ndarray, lanes: int, limit: int) -> StoreWork:
    """Count words and former cycles from spike steps (N, inputs), ``limit`` = T where silent."""
    width = design.layers[layer].inputs_per_cycle
    count = design.times_per_cycle(layer)
    samples = steps.shape[0]
    padded = np.full((samples, ceil_div(steps.shape[1], lanes) * lanes), limit, dtype=np.int64)
    padded[:, : steps.shape[1]] = steps
    groups = padded.reshape(samples, -1, width)
    first = groups < limit  # the first input of its step in its group: one word
    for later in range(1, width):
        same = (groups[:, :, :later] == groups[:, :, later : later + 1]).any(axis=2)
        first[:, :, later] &= ~same
    sample_of = np.broadcast_to(np.arange(samples)[:, None, None], groups.shape)
    flat = sample_of[first] * limit + groups[first]
    words = np.bincount(flat, minlength=samples * limit).reshape(samples, limit)
    beats = first.reshape(samples, -1, lanes // count, count).sum(axis=3)
    return StoreWork(words=words, beats=beats)


class StoreTimes:
    """Times of a `hw.inputs.spike_store.SpikeStore`: collecting, then emitting."""

    def __init__(self, *, banks: int, every_step: bool) -> None:
        self._every_step = every_step
        self._free = [0] * banks
        self._bank = 0
        self._former = -1  # last cycle in which the former was busy
        self._moved = (-1, -1)  # cycles in which the last two beats left the two places
        self._emitted = -(1 << 62)
        self._ended = 0

    def collect(self, offered: int, beats: Sequence[int], *, last: bool) -> int:
        """Take a run of beats that follow each other; returns the cycle of the last transfer."""
        return self.transfers(offered, beats, last=last)[-1]

    def transfers(self, offered: int, beats: Sequence[int], *, last: bool = True) -> list[int]:
        """As `collect`; returns the cycles of all transfers."""
        free, former = self._free[self._bank], self._former
        before, taken = self._moved
        transfer = offered - 1
        made = []
        final = len(beats) - 1
        for number, words in enumerate(beats):
            # The second place is free once the beat before the last one has left.
            transfer = max(transfer + 1, before + 1)
            made.append(transfer)
            moved = max(transfer + 1, taken + 1)
            if words or (last and number == final):
                moved = max(moved, former)
                former = max(moved + 1, free) + max(words, 1) - 1
            before, taken = taken, moved
        self._moved, self._former = (before, taken), former
        if last:
            self._ended = former
        return made

    def head(self) -> int:
        """First cycle of the emission of the sample that was collected last."""
        return max(self._ended + _STORE_TURNAROUND, self._emitted + 2)

    def emission(
        self, words: np.ndarray, stop: tuple[int, int] | None = None
    ) -> tuple[int, list[tuple[int, int]], int]:
        """When and what is offered: cycle of the first offer, and from it, as if never held up,
        (cycle offset, step) of each end of a step, and the number of words.

        ``stop``: the step that decides, and the cycles from its last word to its effect.
        """
        head = self.head()
        busy = np.flatnonzero(words)
        top = len(words) - 1 if self._every_step else (int(busy[-1]) if len(busy) else 0)
        ends, count = [], 0
        at = 0  # cycle of the step's HEAD state, then of its words
        first = None if int(words[0]) else 0
        stopped = None  # first cycle in which the sample is known to be decided
        for step in range(top + 1):
            here = int(words[step])
            if stopped is not None and at >= stopped:
                here = 0
            cut = here
            if stopped is not None and here:
                cut = min(here, max(1, stopped - at))
            if first is None and here:
                first = at + 1
            count += cut
            if cut < here and step < top:
                at += 1 + cut  # no end of step is marked
                continue
            needs_word = step == 0 or self._every_step or (stopped is not None and step == top)
            if cut < here or (not here and needs_word):
                at += cut + (1 if here else 0)
                ends.append((at, step))
                count += 1
            elif here:
                at += here
                ends.append((at, step))
            if stop is not None and step == stop[0]:
                stopped = at + stop[1]
            at += 1
        assert first is not None
        return head + first, [(cycle - first, step) for cycle, step in ends], count

    def emitted(self, last_transfer: int) -> None:
        """The last word left; its bank is free for the sample after the next one."""
        self._emitted = last_transfer
        self._free[self._bank] = last_transfer + 1
        self._bank = (self._bank + 1) % len(self._free)


class TableTimes:
    """Times of a `hw.inputs.intensity_table.IntensityTable`: two beats are under way in it."""

    def __init__(self, store: StoreTimes) -> None:
        self._store = store
        self._accepted = -1
        self._left = [-1, -1]  # transfers of the two beats before

    def sample(self, beats: Sequence[int]) -> tuple[int, int]:
        """Cycles in which the first and the last beat of a sample are accepted."""
        first = max(self._accepted + 1, self._left[0])
        left = self._left + self._store.transfers(max(first + 2, self._left[1] + 1), beats)
        accepted = self._accepted
        for before in left[: len(beats)]:
            accepted = max(accepted + 1, before)
        self._accepted, self._left = accepted, left[-2:]
        return first, accepted


class ReplayTimes:
    """Times of a `hw.parts.replay_buffer.ReplayBuffer`."""

    def __init__(self) -> None:
        self._free = [0, 0]
        self._bank = 0
        self._written = 0

    def accept(self, offered: int) -> int:
        """Cycle in which the first word of a sample is taken."""
        return max(offered, self._free[self._bank])

    def stored(self, cycle: int) -> None:
        """The last word of the sample was taken."""
        self._written = cycle

    def write(self, offered: int, span: int) -> int:
        """Write a sample whose last word is offered ``span`` cycles after its first."""
        self.stored(self.accept(offered) + span)
        return self._written

    def first_offer(self, previous_transfer: int) -> int:
        """Offer of the first word, given the transfer of the last word of the sample before."""
        return max(self._written + 2, previous_transfer) + 1

    def fetched(self, last_fetch: int) -> None:
        """The last word of the last pass was fetched."""
        self._free[self._bank] = last_fetch + 1
        self._bank ^= 1
