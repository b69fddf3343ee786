# SPDX-License-Identifier: Apache-2.0
"""How `sim.test_set` judges the records and cycles of a whole set."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hw.design.design import Design
from hw.times.schedule import Schedule, schedule
from hw.times.series_times import write_cycles
from hw.times.step_schedule import StepSampleSchedule
from model.description import Network
from model.events import Events
from model.golden import StepwiseTrace, run_single_spike, run_stepwise
from model.running import answer_steps
from sim.cases import Samples
from sim.choice import Choice
from sim.compare import Divergence, Record, compare_records
from sim.series import digests, evaluate
from sim.series_compare import compare_digests, of_answers
from sim.step_compare import compare_step_cycles, compare_step_records, expected_records

__all__ = ["Judge", "Raw", "make_judge"]

# Samples that the golden model takes at a time.
_BATCH = 500
# A committee's spikes are kept for the schedule, member by member.
_STEP_BATCH = 50


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """What one process saw.

    Parameters
    ----------
    first_beats, last_beats
        Cycle in which the first and the last beat of each sample were taken, int64 (N,).
    records
        Arrays by name, an entry a record: ``cycle``, ``last``, and the fields of the record.
    digests
        uint64 (N * T, 2), for each input step of a Legendre memory: digest of the states, and of
        the cycles in which they were written.
    """

    first_beats: np.ndarray
    last_beats: np.ndarray
    records: dict[str, np.ndarray]
    digests: np.ndarray


class Judge(Protocol):
    """Judges by the kind of the network."""

    def judge(self, samples: Samples, seen: Raw) -> tuple[list[Divergence], list[Divergence]]:
        """Differences in numbers, and in cycles; sample 0 is the first of these."""

    def ends(self, seen: Raw) -> np.ndarray:
        """Which records end a sample: bool (records,)."""


def make_judge(network: Network, design: Design, choice: Choice) -> Judge:
    """Judge for the network's kind."""
    if design.memory is not None:
        return _SeriesJudge(network, design, choice)
    if network.is_stepwise:
        return _StepJudge(network, design, choice)
    return _SingleSpikeJudge(network, design)


class _SingleSpikeJudge:
    def __init__(self, network: Network, design: Design) -> None:
        self._network, self._design = network, design

    def ends(self, seen: Raw) -> np.ndarray:
        return seen.records["last"]

    def judge(self, samples: Samples, seen: Raw) -> tuple[list[Divergence], list[Divergence]]:
        network, classes = self._network, self._network.classes
        columns = dict(seen.records, fired=seen.records["fired"].astype(bool))
        records = [
            Record(**dict(zip(columns, values, strict=True)))
            for values in zip(*(column.tolist() for column in columns.values()), strict=True)
        ]
        values = []
        arrivals: list[list[np.ndarray]] = [[] for _ in range(len(network.layers) + 1)]
        for start in range(0, len(samples), _BATCH):
            batch = samples[start : start + _BATCH]
            assert isinstance(batch, np.ndarray)
            trace = run_single_spike(network, batch, early_stop=self._design.early_stop)
            part = records[start * classes : (start + len(batch)) * classes]
            values += [
                dataclasses.replace(found, sample=found.sample + start)
                for found in compare_records(network, trace, part)
            ]
            for kept, times in zip(arrivals, (trace.input_steps, *trace.spike_steps), strict=True):
                kept.append(times.numpy())
        plan = schedule(self._design, network, [np.concatenate(kept) for kept in arrivals])
        return values, list(self._late(plan, seen))

    def _late(self, plan: Schedule, seen: Raw) -> Sequence[Divergence]:
        origin = plan.samples[0].first_input
        stamps = seen.records["cycle"][seen.records["last"]]
        late = []
        for quantity, expected, found in (
            ("cycle of the first beat", [s.first_input for s in plan.samples], seen.first_beats),
            ("cycle of the last beat", [s.last_input for s in plan.samples], seen.last_beats),
            ("cycle of the last record", plan.results.tolist(), stamps),
        ):
            wanted = np.array(expected) - origin
            for index in np.flatnonzero(wanted != found):
                late.append(
                    Divergence(
                        sample=int(index),
                        quantity=quantity,
                        expected=int(wanted[index]),
                        found=int(found[index]),
                    )
                )
        return late


class _StepJudge:
    _batch = _STEP_BATCH

    def __init__(self, network: Network, design: Design, choice: Choice) -> None:
        self._network, self._design, self._choice = network, design, choice
        # How many "samples" of the golden model's traces are answers of one sample.
        self._evaluations = 1

    def ends(self, seen: Raw) -> np.ndarray:
        return seen.records["last"] & (seen.records["running"] == 0)

    def judge(self, samples: Samples, seen: Raw) -> tuple[list[Divergence], list[Divergence]]:
        network, choice = self._network, self._choice
        answers = choice.answers(network) // self._evaluations
        expected: list[dict[str, np.ndarray]] = []
        spikes: list[list[np.ndarray]] = []
        for start in range(0, len(samples), self._batch):
            trace = self._golden(samples[start : start + self._batch])
            expected.append(
                expected_records(trace, step_results=answers > 1, evaluations=self._evaluations)
            )
            spikes.append([trace.input_spikes.numpy(), *(part.numpy() for part in trace.spikes)])
        wanted = {name: np.concatenate([part[name] for part in expected]) for name in expected[0]}
        values = list(compare_step_records(network, wanted, seen.records, answers=answers))
        # Samples of one run follow each other, so that their schedule is made in one go.
        inputs, *hidden = zip(*spikes, strict=True)
        plan = schedule(
            self._design,
            network,
            [np.concatenate(inputs), *(np.concatenate(layer, axis=1) for layer in hidden)],
            members=trace.members,
            step_results=choice.step_results,
            events=samples if isinstance(samples, Events) else None,
        )
        steps = [sample for sample in plan.samples if isinstance(sample, StepSampleSchedule)]
        return values, self._late(steps, seen)

    def _golden(self, samples: Samples) -> StepwiseTrace:
        choice = self._choice
        return run_stepwise(self._network, samples, members=choice.members, seed=choice.seed)

    def _late(self, plan: list[StepSampleSchedule], seen: Raw) -> list[Divergence]:
        return list(
            compare_step_cycles(
                plan,
                first_beats=seen.first_beats.tolist(),
                last_beats=seen.last_beats.tolist(),
                record_cycles=seen.records["cycle"],
                evaluations=self._evaluations,
            )
        )


class _SeriesJudge(_StepJudge):
    """Networks with a memory: digests of its states after every input step, too."""

    _batch = _BATCH

    def __init__(self, network: Network, design: Design, choice: Choice) -> None:
        super().__init__(network, design, choice)
        steps = network.encoding.steps
        every = 0 if network.is_recurrent else choice.step_results
        self._steps = answer_steps(steps, every or steps)
        self._evaluations = len(self._steps)

    def judge(self, samples: Samples, seen: Raw) -> tuple[list[Divergence], list[Divergence]]:
        self._digests: list[np.ndarray] = []
        found, late = super().judge(samples, seen)
        digests = np.concatenate(self._digests)
        values = compare_digests("digest of the memory's states", digests, seen.digests[:, 0])
        return [*values, *of_answers(found, self._steps)], late

    def _golden(self, samples: Samples) -> StepwiseTrace:
        assert isinstance(samples, np.ndarray)
        if self._network.is_recurrent:
            trace = run_stepwise(self._network, samples, record_states=True)
            self._digests.append(digests(trace.memory_states.numpy()))
            return trace
        after_steps: list[np.ndarray] = []
        found = evaluate(
            self._network,
            samples,
            self._choice,
            seen=lambda _, states: after_steps.append(digests(states.numpy())),
        )
        self._digests.append(np.stack(after_steps, axis=1))
        return found.trace

    def _late(self, plan: list[StepSampleSchedule], seen: Raw) -> list[Divergence]:
        origin = plan[0].first_input
        planned = [
            digests(write_cycles(self._design, self._network, each.values - origin))
            for each in plan
        ]
        wanted = np.concatenate(planned).reshape(-1, self._steps[-1])
        late = compare_digests("digest of the cycles of states", wanted, seen.digests[:, 1])
        return [*late, *of_answers(super()._late(plan, seen), self._steps)]
