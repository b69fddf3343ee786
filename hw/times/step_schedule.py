# SPDX-License-Identifier: Apache-2.0
"""The schedule of stepwise designs, from formulas; see `hw.times.schedule` for what it assumes."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hw.design.design import Design, LayerDesign, ceil_div
from hw.lanes.lane_array import layer_latency
from hw.stepwise.committee_readout import RECORD_CYCLES, answer_latency, member_latency
from hw.stepwise.neuron_unit import beat_cycles, block_cycles, state_latency, step_cycles
from hw.times.block_times import ReplayTimes
from hw.times.recurrent_times import RecurrentTimes, words_in_order
from hw.times.series_times import evaluation_steps, value_cycles
from hw.times.step_sources import StepSource, busy_words, played_words, step_source
from model.description import Network
from model.events import Events

__all__ = ["StepSampleSchedule", "step_samples"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StepSampleSchedule:
    """Cycles of one sample of a stepwise design.

    Parameters
    ----------
    first_input, last_input
        First and last input beat (or word) taken.
    states
        Per layer int64 (K, T, rows): the observation of each row of U neurons.
    records
        int64 (answers, classes): the records; one answer, or one a step.
    values
        int64 (input steps, channels): each value that a Legendre memory takes; of an evaluation,
        those since the one before. Empty without a memory.
        `hw.times.series_times.write_cycles` says when the states are written.
    """

    first_input: int
    last_input: int
    states: tuple[np.ndarray, ...]
    records: np.ndarray
    values: np.ndarray

    @property
    def result(self) -> int:
        """Last output record."""
        return int(self.records[-1, -1])

    @property
    def latency(self) -> int:
        """Cycles from the first beat taken to the last record, both counted."""
        return self.result - self.first_input + 1


class _LayerTimes:
    """Times of a `hw.stepwise.step_layer.StepLayer`, the buffer before it and the neurons behind
    it."""

    def __init__(self, layer: LayerDesign, neurons: int, *, buffered: bool) -> None:
        self._layer = layer
        self._blocks = ceil_div(neurons, layer.lanes)
        rows = np.arange(ceil_div(neurons, layer.updates_per_cycle))
        self._block_of = rows // layer.beats
        # From the end of a block's step to the observation of each row.
        first = layer_latency(layer) + state_latency(layer)
        self._delays = first + rows % layer.beats * beat_cycles(layer)
        self._idle = 0
        self._last_taken = -1
        self.replay = ReplayTimes() if buffered else None
        #: First cycles in which the two places for steps in the buffer can be given away.
        self.places = [0, 0]

    def take(
        self, offered: int, span: int, room_behind: int, *, final: bool = True, first: bool = True
    ) -> tuple[int, int]:
        """Take the words of a block's step; cycles of the first and the last one."""
        room = max(self._idle, room_behind) if first else self._idle
        last = max(offered + span, room)
        self._idle = last + (step_cycles if final else block_cycles)(self._layer)
        self._last_taken = last
        return (offered if span else last), last

    def play(self, played: np.ndarray, room_behind: int) -> list[int]:
        """Take a step out of the buffer, once a block; cycles of the blocks' last words."""
        assert self.replay is not None
        words, final = played.tolist()
        offered = self.replay.first_offer(self._last_taken)
        ends: list[int] = []
        for block in range(self._blocks):
            begin, last = self.take(
                offered,
                words - 1,
                room_behind,
                final=block == self._blocks - 1,
                first=block == 0,
            )
            # The last entry is fetched when the one before it is taken.
            fetched = begin + words - final - 1 if words > final else offered - 1
            ends.append(last)
            offered = last + 1
        self.replay.fetched(fetched)
        self.places = [self.places[1], fetched + 1]
        return ends

    def observed(self, ends: Sequence[int]) -> np.ndarray:
        """Cycles in which the rows are observed."""
        return np.asarray(ends, dtype=np.int64)[self._block_of] + self._delays


class _Answers:
    """Times of a `hw.stepwise.committee_readout.CommitteeReadout`."""

    def __init__(self, design: Design, classes: int) -> None:
        self._design, self._classes = design, classes
        #: First cycle in which another step's scores can be reserved.
        self.room = 0

    def answer(self, last_score: int) -> np.ndarray:
        """Cycles of the records."""
        first = last_score + answer_latency(self._design)
        records = first + RECORD_CYCLES * np.arange(self._classes, dtype=np.int64)
        self.room = int(records[-1]) + 1
        return records

    def vote(self, last_score: int) -> None:
        """A member that is not the last one."""
        self.room = last_score + member_latency(self._design)


def step_samples(
    design: Design,
    network: Network,
    spikes: Sequence[np.ndarray],
    *,
    members: int,
    step_results: int,
    events: Events | None = None,
) -> tuple[StepSampleSchedule, ...]:
    """Cycles of N samples sent back to back; parameters as of `hw.schedule.schedule`."""
    trains = np.asarray(spikes[0])
    every = step_results if design.evaluates else 0
    played = [
        played_words(np.asarray(train), layer, closed=True)
        for train, layer in zip(spikes[1:], design.layers[1:], strict=False)
    ]
    layers = []
    for index, (layer, this) in enumerate(zip(network.layers, design.layers, strict=True)):
        times = _LayerTimes(this, layer.neurons, buffered=index > 0 or this.blocks > 1)
        layers.append(times)
    source: StepSource
    if design.encoder is not None:
        ordered, first, replay = words_in_order(trains, network), design.layers[0], layers[0].replay
        first_played = played_words(ordered, first, closed=True)
        source = RecurrentTimes(
            design,
            network,
            busy=busy_words(ordered, first),
            played=played[0][0],
            accept=replay.accept if replay is not None else lambda offered: offered,
        )
    else:
        source, first_played = step_source(
            design, network, trains, members, events=events, every=every
        )
    answers = _Answers(design, network.classes)
    every_step = bool(step_results) and not design.evaluates
    samples = [
        _sample(
            source,
            layers,
            answers,
            number,
            first_played[number],
            [hidden[:, number] for hidden in played],
            members,
            every_step,
        )
        for number in range(len(trains))
    ]
    if not design.evaluates:
        return tuple(samples)
    steps = evaluation_steps(network, every)
    return tuple(
        dataclasses.replace(
            sample,
            values=value_cycles(design, network, sample.first_input, steps[number % len(steps)]),
        )
        for number, sample in enumerate(samples)
    )


def _sample(
    source: StepSource,
    layers: Sequence[_LayerTimes],
    answers: _Answers,
    number: int,
    first_played: np.ndarray,
    played: Sequence[np.ndarray],
    members: int,
    step_results: bool,
) -> StepSampleSchedule:
    """Go through members, steps and layers of a sample; ``played`` (T, 2) in front of the first
    layer, (K, T, 2) in front of the others."""
    steps = len(first_played)
    seen: list[list[np.ndarray]] = [[] for _ in layers]
    records = []
    source.begin(number)
    for member in range(members):
        for step in range(steps):
            last_step = step == steps - 1
            for index, times in enumerate(layers):
                is_output = index == len(layers) - 1
                room = answers.room if is_output else layers[index + 1].places[0]
                if index == 0:
                    offered, span = source.offer(step)
                    if times.replay is None:
                        begin, last = times.take(offered, span, room)
                        ends = [last]
                    else:
                        begin = times.replay.accept(offered)
                        last = begin + span
                        times.replay.stored(last)
                    source.taken(step, begin, last, ends_sample=last_step)
                    if times.replay is not None:
                        ends = times.play(first_played[step], room)
                else:
                    times.replay.accept(0)
                    times.replay.stored(int(seen[index - 1][-1][-1]))
                    ends = times.play(played[index - 1][member, step], room)
                seen[index].append(times.observed(ends))
                if index == 0 and isinstance(source, RecurrentTimes):
                    source.emitted(int(seen[0][-1][-1]))
            score = int(seen[-1][-1][-1])
            if (last_step and member == members - 1) or step_results:
                records.append(answers.answer(score))
            elif last_step:
                answers.vote(score)
    values = source.values if isinstance(source, RecurrentTimes) else np.empty((0, 0))
    return StepSampleSchedule(
        first_input=source.first_input,
        last_input=source.last_input,
        states=tuple(np.array(cycles).reshape(members, steps, -1) for cycles in seen),
        records=np.array(records),
        values=np.array(values, dtype=np.int64),
    )
