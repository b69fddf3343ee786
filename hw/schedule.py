# SPDX-License-Identifier: Apache-2.0
"""The schedule: the cycle at which everything happens in the core, from formulas.

Assumes an idle core, input that is offered without a gap and output that is taken at once.
Cycle 0 is the one in which the first beat (or word) of the first sample is offered. All terms come
from the docstrings of the components; a test holds every cycle of the gateware against them.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hw.design import Design, ceil_div
from hw.layer import layer_latency
from model.description import Network, Readout

__all__ = ["SampleSchedule", "Schedule", "schedule"]

# From the former's last word to the emitter's first cycle: formed, stored, marked full, begun.
_STORE_TURNAROUND = 4
# From the last observation of a pass to the first beat or record: copied, offered.
_COPY = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleSchedule:
    """Cycles of one sample.

    Parameters
    ----------
    first_input, last_input
        First and last input beat (or word) taken.
    observations
        Per layer, one tuple (cycle, block, step) for each end of a step that is seen.
    result
        Last output record.
    """

    first_input: int
    last_input: int
    observations: tuple[tuple[tuple[int, int, int], ...], ...]
    result: int

    @property
    def latency(self) -> int:
        """Cycles from the first beat taken to the last record, both counted."""
        return self.result - self.first_input + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """Cycles of a run of samples sent back to back."""

    samples: tuple[SampleSchedule, ...]

    @property
    def results(self) -> np.ndarray:
        """Cycle of each sample's result, int64 (N,)."""
        return np.array([sample.result for sample in self.samples], dtype=np.int64)

    @property
    def cycles_per_image(self) -> float:
        """Mean cycles between results, or the latency if there is one sample only."""
        results = self.results
        if len(results) == 1:
            return float(self.samples[0].latency)
        return float(results[-1] - results[0]) / (len(results) - 1)


@dataclasses.dataclass(kw_only=True)
class _Work:
    """What a layer's store and passes have to do for N samples.

    ``words`` int (N, T): words of each step. ``beats`` int (N, blocks of the source, beats):
    words of each beat.
    """

    words: np.ndarray
    beats: np.ndarray


def _work(design: Design, layer: int, steps: np.ndarray, lanes: int, limit: int) -> _Work:
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
    return _Work(words=words, beats=beats)


class _Store:
    """Times of a `hw.spike_store.SpikeStore`: collecting, then emitting."""

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

    def emission(
        self, words: np.ndarray, stop: tuple[int, int] | None = None
    ) -> tuple[int, list[tuple[int, int]], int]:
        """When and what is offered: cycle of the first offer, and from it, as if never held up,
        (cycle offset, step) of each end of a step, and the number of words.

        ``stop``: the step that decides, and the cycles from its last word to its effect.
        """
        head = max(self._ended + _STORE_TURNAROUND, self._emitted + 2)
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


class _Table:
    """Times of a `hw.intensity_table.IntensityTable`: two beats are under way in it."""

    def __init__(self, store: _Store) -> None:
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


class _Replay:
    """Times of a `hw.replay_buffer.ReplayBuffer`."""

    def __init__(self) -> None:
        self._free = [0, 0]
        self._bank = 0
        self._written = 0

    def write(self, offered: int, span: int) -> int:
        """Write a sample whose last word is offered ``span`` cycles after its first."""
        self._written = max(offered, self._free[self._bank]) + span
        return self._written

    def first_offer(self, previous_transfer: int) -> int:
        """Offer of the first word, given the transfer of the last word of the sample before."""
        return max(self._written + 2, previous_transfer) + 1

    def fetched(self, last_fetch: int) -> None:
        """The last word of the last pass was fetched."""
        self._free[self._bank] = last_fetch + 1
        self._bank ^= 1


def schedule(
    design: Design,
    network: Network,
    spike_steps: Sequence[np.ndarray],
) -> Schedule:
    """Cycles of N samples sent back to back.

    Parameters
    ----------
    design
        The gateware.
    network
        The network in it.
    spike_steps
        Spike step of each input, then of each neuron of each layer: integer arrays, T where
        silent (`model.golden.Trace`). The last layer's are needed for ``early_stop`` only.

    Returns
    -------
    Schedule
        One entry a sample.
    """
    steps = network.steps
    work = []
    for layer, times in enumerate(spike_steps[: len(design.layers)]):
        lanes = design.pixels_per_cycle if layer == 0 else design.layers[layer - 1].lanes
        work.append(_work(design, layer, np.asarray(times), lanes, steps))
    decided = None
    if design.early_stop and network.readout is Readout.FIRST_SPIKE:
        decided = np.asarray(spike_steps[len(design.layers)]).min(axis=1)
    summed = network.readout is Readout.SUMMED_POTENTIAL
    last_layer = len(design.layers) - 1
    from_words = design.sample_input == "words"
    stores = [
        _Store(banks=design.store_banks, every_step=summed and layer == last_layer)
        for layer in range(len(design.layers))
    ]
    table = _Table(stores[0])
    replays = [_Replay() if this.blocks > 1 else None for this in design.layers]
    latencies = [layer_latency(this) for this in design.layers]
    blocks = [
        ceil_div(layer.neurons, this.lanes)
        for layer, this in zip(network.layers, design.layers, strict=True)
    ]
    taken = [-1] * len(design.layers)  # last word taken by each layer
    room = [0] * len(design.layers)
    next_input = 0
    samples = []
    for number in range(work[0].words.shape[0]):
        observations = []
        first_input = next_input
        if not from_words:
            beats = work[0].beats[number].reshape(-1).tolist()
            first_input, last_input = table.sample(beats)
        for layer, this in enumerate(design.layers):
            store, replay = stores[layer], replays[layer]
            if layer == 0 and from_words:
                offered = next_input
                ends, count = _sorted_words(work[0].words[number])
            else:
                stop = None
                if decided is not None and layer == last_layer:
                    stop = (int(decided[number]), latencies[layer] + 1)
                offered, ends, count = store.emission(work[layer].words[number], stop)
            if replay is not None:
                span = ends[-1][0]
                written = replay.write(offered, span)
                if layer == 0 and from_words:
                    first_input = written - span
                    last_input = written
                    next_input = written + 1
                else:
                    store.emitted(written)
                offered = replay.first_offer(taken[layer])
                ends = _without_gaps(work[layer].words[number], ends)
            seen = []
            for block in range(blocks[layer]):
                start = max(taken[layer] + 1, offered)
                first = start + this.planes
                last = max(first + ends[-1][0], room[layer])
                if replay is not None and block == blocks[layer] - 1:
                    # The last word is fetched when the one before it is taken.
                    before = first + count - 2 if count > 1 else taken[layer]
                    replay.fetched(before if count > 1 or block > 0 else offered - 1)
                taken[layer] = last
                offered = last + 1
                latency = latencies[layer]
                seen += [(first + at + latency, block, step) for at, step in ends[:-1]]
                seen.append((last + latency, block, ends[-1][1]))
                offer = last + latency + _COPY
                if layer == last_layer:
                    here = min(this.lanes, network.classes - block * this.lanes)
                    result = offer + here - 1
                    room[layer] = result + 1
                else:
                    beats = work[layer + 1].beats[number, block].tolist()
                    drained = stores[layer + 1].collect(
                        offer, beats, last=block == blocks[layer] - 1
                    )
                    room[layer] = drained + 1
                if layer == 0 and from_words and replay is None:
                    first_input = first if count > 1 else last
                    last_input, next_input = last, last + 1
            if replay is None and not (layer == 0 and from_words):
                store.emitted(taken[layer])
            observations.append(tuple(seen))
        samples.append(
            SampleSchedule(
                first_input=first_input,
                last_input=last_input,
                observations=tuple(observations),
                result=result,
            )
        )
    return Schedule(samples=tuple(samples))


def _sorted_words(words: np.ndarray) -> tuple[list[tuple[int, int]], int]:
    """Like `_Store.emission` for words that come from outside without a gap."""
    ends, count = [], 0
    for step, here in enumerate(words.tolist()):
        if here or step == 0:
            count += max(here, 1)
            ends.append((count - 1, step))
    return ends, count


def _without_gaps(words: np.ndarray, ends: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ends of steps when the words follow each other, as a replay plays them."""
    offset, packed = 0, []
    for _, step in ends:
        offset += max(int(words[step]), 1)
        packed.append((offset - 1, step))
    return packed
