# SPDX-License-Identifier: Apache-2.0
"""The schedule: the cycle at which everything happens in the core, from formulas.

Assumes an idle core, input that is offered without a gap and output that is taken at once.
Cycle 0 is the one in which the first beat (or word) of the first sample is offered. All terms come
from the docstrings of the components; a test holds every cycle of the gateware against them.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hw.design.design import Design, ceil_div
from hw.lanes.lane_array import layer_latency
from hw.times.block_times import ReplayTimes, StoreTimes, TableTimes, store_work
from hw.times.step_schedule import StepSampleSchedule, step_samples
from model.description import Network, Readout
from model.events import Events

__all__ = ["SampleSchedule", "Schedule", "schedule"]

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

    samples: tuple[SampleSchedule, ...] | tuple[StepSampleSchedule, ...]

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


def schedule(
    design: Design,
    network: Network,
    spikes: Sequence[np.ndarray],
    *,
    members: int = 1,
    step_results: int = 0,
    events: Events | None = None,
) -> Schedule:
    """Cycles of N samples sent back to back.

    Parameters
    ----------
    design
        The gateware.
    network
        The network in it.
    spikes
        Of a single-spike design: spike step of each input, then of each neuron of each layer:
        integer arrays, T where silent (`model.golden.Trace`). The last layer's are needed for
        ``early_stop`` only. Of a stepwise design, of 0 and 1: input spikes (N, T, features), then
        spikes of each hidden layer (K, N, T, neurons) (`model.golden.StepwiseTrace`).
    members, step_results
        Of a stepwise design: members in use, and the steps from answer to answer: 0 for one answer
        a sample, 1 for one a step; of a design with a memory also more, then input steps, and the
        "samples" are the evaluations, all those of a sample one after another.
    events
        The samples, of a design that takes events.

    Returns
    -------
    Schedule
        One entry a sample: `SampleSchedule` or `hw.times.step_schedule.StepSampleSchedule`.
    """
    if design.is_stepwise:
        return Schedule(
            samples=step_samples(
                design, network, spikes, members=members, step_results=step_results, events=events
            )
        )
    return _single_spike(design, network, spikes)


def _single_spike(design: Design, network: Network, spike_steps: Sequence[np.ndarray]) -> Schedule:
    """Cycles of a single-spike design."""
    steps = network.steps
    work = []
    for layer, times in enumerate(spike_steps[: len(design.layers)]):
        lanes = design.pixels_per_cycle if layer == 0 else design.layers[layer - 1].lanes
        work.append(store_work(design, layer, np.asarray(times), lanes, steps))
    decided = None
    if design.early_stop and network.readout is Readout.FIRST_SPIKE:
        decided = np.asarray(spike_steps[len(design.layers)]).min(axis=1)
    summed = network.readout is Readout.SUMMED_POTENTIAL
    last_layer = len(design.layers) - 1
    from_words = design.sample_input == "words"
    stores = [
        StoreTimes(banks=design.store_banks, every_step=summed and layer == last_layer)
        for layer in range(len(design.layers))
    ]
    table = TableTimes(stores[0])
    replays = [ReplayTimes() if this.blocks > 1 else None for this in design.layers]
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
    """Like `StoreTimes.emission` for words that come from outside without a gap."""
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
