# SPDX-License-Identifier: Apache-2.0
"""When the words of a stepwise design's samples are offered to its first layer, from formulas.

A source is asked step by step, sample after sample and member after member: `offer` says when the
first word of the next step is offered, and how many cycles after it the last one, if none is held
up; only first and last words ever are. `taken` says when these two left.
"""

from typing import Protocol

import numpy as np

from hw.design.design import Design, LayerDesign, ceil_div
from hw.inputs.rate_encoder import scan_cycles
from hw.times.block_times import ReplayTimes, StoreTimes, TableTimes, store_work
from hw.times.series_times import SeriesTimes
from model.description import Network
from model.events import Events

__all__ = ["StepSource", "busy_words", "played_words", "step_source"]

# From the reading of a beat's pixels to its word.
_RATE_STAGES = 4


def played_words(trains: np.ndarray, layer: LayerDesign, *, closed: bool) -> np.ndarray:
    """Words of each step that a `hw.parts.replay_buffer.ReplayBuffer` plays: int (..., 2), all of
    them, and those of the last group among them.

    Parameters
    ----------
    trains
        What enters the layer, (..., inputs).
    layer
        Takes it.
    closed
        The last group always comes, to end the step, be it without set bits; otherwise only a
        silent step has such a word.
    """
    busy = busy_words(trains, layer)
    words = busy.reshape(*busy.shape[:-1], -1, layer.input_bits).sum(axis=-1)
    if closed:
        words[..., -1] = np.maximum(words[..., -1], 1)
    backward = words[..., ::-1]
    last = (backward > 0).argmax(axis=-1)[..., None]
    final = np.take_along_axis(backward, last, axis=-1)[..., 0]
    return np.maximum(np.stack([words.sum(axis=-1), final], axis=-1), 1)


def busy_words(trains: np.ndarray, layer: LayerDesign) -> np.ndarray:
    """Which words of a step have set bits: integers (..., inputs) to bool (..., groups * planes),
    the planes of a group together, lowest first."""
    if layer.input_bits == 1:
        return busy_groups(trains, layer.inputs_per_cycle)
    planes = np.arange(layer.input_bits, dtype=np.int16)
    bits = trains[..., None, :].astype(np.int16) >> planes[:, None] & 1
    busy = busy_groups(bits, layer.inputs_per_cycle)  # (..., planes, groups)
    return np.moveaxis(busy, -2, -1).reshape(*trains.shape[:-1], -1)


def busy_groups(trains: np.ndarray, width: int) -> np.ndarray:
    """Which groups of S inputs spike: (..., inputs) to bool (..., groups)."""
    groups = ceil_div(trains.shape[-1], width)
    padded = np.zeros((*trains.shape[:-1], groups * width), bool)
    padded[..., : trains.shape[-1]] = trains
    return padded.reshape(*trains.shape[:-1], groups, width).any(axis=-1)


class StepSource(Protocol):
    """See the module."""

    first_input: int
    last_input: int

    def begin(self, sample: int) -> None:
        """Go on to a sample."""

    def offer(self, step: int) -> tuple[int, int]:
        """Cycle of the first word's offer, and cycles from it to the last one's."""

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        """Cycles in which first and last word of the step were taken."""


class _Words:
    """Words from outside, offered without a gap."""

    def __init__(self, words: np.ndarray) -> None:
        self._words = words
        self._next = 0
        self.first_input = self.last_input = 0

    def begin(self, sample: int) -> None:
        self._here = self._words[sample]

    def offer(self, step: int) -> tuple[int, int]:
        return self._next, int(self._here[step]) - 1

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        self._next = last + 1
        if step == 0:
            self.first_input = first
        if ends_sample:
            self.last_input = last


class _Sorted:
    """Words of a latency code out of a `hw.inputs.spike_store.SpikeStore`."""

    def __init__(self, design: Design, trains: np.ndarray, members: int) -> None:
        steps = trains.shape[1]
        self._busy = busy_groups(trains, design.layers[0].inputs_per_cycle).sum(axis=-1)
        times = np.where(trains.any(axis=1), trains.argmax(axis=1), steps)
        self._beats = store_work(design, 0, times, design.pixels_per_cycle, steps).beats
        self._store = StoreTimes(banks=design.store_banks, every_step=True)
        self._table = TableTimes(self._store)
        self._members = members

    def begin(self, sample: int) -> None:
        self._passes = self._members
        beats = self._beats[sample].reshape(-1).tolist()
        self.first_input, self.last_input = self._table.sample(beats)
        self._head = self._store.head()
        self._here = self._busy[sample]

    def offer(self, step: int) -> tuple[int, int]:
        words = int(self._here[step])
        return (self._head + 1, words - 1) if words else (self._head, 0)

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        self._head = last + (2 if ends_sample else 1)
        if ends_sample:
            self._passes -= 1
            if not self._passes:
                self._store.emitted(last)


class _Replayed:
    """Samples of another source, played once for each member."""

    def __init__(self, inner: StepSource, played: np.ndarray, members: int) -> None:
        self._inner, self._played, self._members = inner, played, members
        self._replay = ReplayTimes()
        self._last_taken = -1

    @property
    def first_input(self) -> int:
        return self._inner.first_input

    @property
    def last_input(self) -> int:
        return self._inner.last_input

    def begin(self, sample: int) -> None:
        self._here = self._played[sample]
        self._inner.begin(sample)
        steps = len(self._here)
        for step in range(steps):
            first, span = self._inner.offer(step)
            if step == 0:
                first = self._replay.accept(first)
            self._inner.taken(step, first, first + span, ends_sample=step == steps - 1)
        self._replay.stored(first + span)
        self._next = self._replay.first_offer(self._last_taken)
        self._passes = self._members

    def offer(self, step: int) -> tuple[int, int]:
        return self._next, int(self._here[step, 0]) - 1

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        if ends_sample:
            self._passes -= 1
            if not self._passes:
                # The last entry is fetched when the one before it is taken.
                words, final = self._here[step].tolist()
                self._replay.fetched(first + words - final - 1 if words > final else self._next - 1)
        self._last_taken = last
        self._next = last + 1


class _Rates:
    """Words out of a `hw.inputs.rate_encoder.RateEncoder`."""

    def __init__(self, design: Design, trains: np.ndarray, members: int) -> None:
        self._busy = busy_groups(trains, design.pixels_per_cycle)
        self._beats = self._busy.shape[-1]
        self._scan = scan_cycles(self._beats)
        self._members = members
        self._free = [0, 0]
        self._bank = 0
        self._next_input = 0
        # When the beats before this one came to the last stage, and left it.
        self._arrived = [-5, -4, -3, -2]
        self._left = -2

    def begin(self, sample: int) -> None:
        self.first_input = max(self._next_input, self._free[self._bank])
        self.last_input = self.first_input + self._beats - 1
        self._next_input = self.last_input + 1
        self._here = self._busy[sample]
        self._passes = self._members
        # A beat is read in the cycle before the one three beats ahead comes to the last stage;
        # until the sample is there, beats are empty.
        ready = self.last_input + 1
        if self._left + _RATE_STAGES < ready:
            self._left = ready + _RATE_STAGES - 1
            return
        while self._arrived[-3] - 1 < ready:
            self._arrive(self._left + 1)

    def _arrive(self, cycle: int) -> None:
        """An empty beat goes through the last stage."""
        self._arrived = [*self._arrived[-3:], cycle]
        self._left = cycle

    def _first_row(self, step: int) -> int:
        busy = np.flatnonzero(self._here[step])
        return int(busy[0]) if busy.size else self._beats - 1

    def offer(self, step: int) -> tuple[int, int]:
        row = self._first_row(step)
        return self._left + 1 + row, self._beats - 1 - row

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        row = self._first_row(step)
        offered = self._left + 1 + row
        rows = range(max(0, self._beats - 4), self._beats)
        arrived = [
            (self._left + 1 + at) if at < row else offered if at == row else first + at - row
            for at in rows
        ]
        self._arrived = (self._arrived + arrived)[-4:]
        self._left = last
        for _ in range(self._scan - self._beats):
            self._arrive(self._left + 1)
        if ends_sample:
            self._passes -= 1
            if not self._passes:
                # The last beat was read in the cycle before.
                self._free[self._bank] = self._arrived[-4]
                self._bank ^= 1


class _Rastered:
    """Words out of a `hw.inputs.rasteriser.Rasteriser`."""

    def __init__(self, design: Design, trains: np.ndarray, events: Events) -> None:
        self._busy = busy_groups(trains, design.layers[0].inputs_per_cycle).sum(axis=-1)
        encoding = design.events
        column, row = events.x - encoding.left, events.y - encoding.top
        inside = (column >= 0) & (column < encoding.crop_width)
        inside &= (row >= 0) & (row < encoding.crop_height)
        steps = events.t // encoding.bin_us
        self._beats = [
            # A sample without events is a beat without one.
            list(zip(steps[start:stop].tolist(), inside[start:stop].tolist(), strict=True))
            or [(0, False)]
            for start, stop in zip(events.offsets, events.offsets[1:], strict=False)
        ]
        self._take = 0  # when the next beat is taken
        self.first_input = self.last_input = 0

    def begin(self, sample: int) -> None:
        self._here, self._left = self._busy[sample], self._beats[sample][::-1]
        self._closing = False
        self.first_input = self._take
        self._decide = self._taking()

    def _taking(self) -> int:
        """Take a beat; when it is decided about."""
        self.last_input = self._take
        return self._take + 2

    def offer(self, step: int) -> tuple[int, int]:
        while not self._closing:
            when, inside = self._left[-1]
            if when > step:
                self._ends = self._decide + 1
                break
            close = self._decide + (3 if inside else 1)
            self._left.pop()
            if not self._left:
                self._closing = True
                self._ends = close + 1
            else:
                self._take = close + 1
                self._decide = self._taking()
        words = int(self._here[step])
        return self._ends + (4 if words else 1), 5 * (max(words, 1) - 1)

    def taken(self, step: int, first: int, last: int, *, ends_sample: bool) -> None:
        self._ends = last + 2
        self._decide = last + 3
        if not ends_sample:
            return
        if self._closing:
            self._take = last + 3
            return
        # What is left comes after the last step.
        while True:
            self._left.pop()
            if not self._left:
                self._take = self._decide + 3
                return
            self._take = self._decide + 2
            self._decide = self._taking()


def step_source(
    design: Design,
    network: Network,
    trains: np.ndarray,
    members: int,
    *,
    events: Events | None = None,
    every: int = 0,
) -> tuple[StepSource, np.ndarray]:
    """The source of a design, and what a buffer in front of the first layer would play of each
    step, int (N, T, 2), see `played_words`.

    Parameters
    ----------
    design, network
        What is built, and what is loaded.
    trains
        Input spikes (N, T, features); behind a memory, of N evaluations.
    members
        Members in use.
    events
        The samples, of a design that takes events.
    every
        Input steps of a memory between two evaluations of a sample; 0: at its end only.
    """
    first = design.layers[0]
    played = played_words(trains, first, closed=design.encodes_rates or design.memory is not None)
    if design.encodes_rates:
        return _Rates(design, trains, members), played
    if design.has_table:
        return _Sorted(design, trains, members), played
    source: StepSource = _Words(np.maximum(busy_words(trains, first).sum(axis=-1), 1))
    if design.memory is not None:
        source = SeriesTimes(design, network, busy_words(trains, first), every)
    if design.sample_input == "events":
        if events is None:
            raise ValueError("events must be given for a design that takes them")
        source = _Rastered(design, trains, events)
    return (_Replayed(source, played, members) if design.members > 1 else source), played
