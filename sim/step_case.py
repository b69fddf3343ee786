# SPDX-License-Identifier: Apache-2.0
"""What `sim.verify` asks of networks with a state at every step, those on series among them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.design.design import CapacityError, Design, ceil_div
from hw.times.schedule import schedule
from hw.times.series_times import write_cycles
from hw.times.step_schedule import StepSampleSchedule
from model.description import Network
from model.events import Events
from model.golden import StepwiseTrace, run_stepwise
from sim.bench_files import StepSeen, read_step_seen, write_bench
from sim.choice import Choice
from sim.compare import Divergence
from sim.samples import step_words
from sim.series import record, word_order
from sim.series_compare import (
    compare_memory,
    compare_memory_cycles,
    compare_words,
    of_answers,
    write_order,
)
from sim.step_compare import (
    compare_states,
    compare_step_cycles,
    compare_step_records,
    expected_records,
)

__all__ = ["SeriesSeen", "StepCase", "make_step_case"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SeriesSeen:
    """What was seen of a network with a memory; no golden model involved.

    Parameters
    ----------
    steps
        As of `sim.series.Evaluations`.
    memory
        int64 (N, T, states): states after each input step.
    emitted
        Per hidden layer, int64 (N * A, R, neurons): what its neurons emitted in each read, of the
        first member; in a recurrent network (N, T, neurons).
    """

    steps: tuple[int, ...]
    memory: np.ndarray
    emitted: list[np.ndarray]


def make_step_case(
    network: Network, samples: np.ndarray | Events, design: Design, choice: Choice
) -> "StepCase":
    """Run the golden model and return the case."""
    if design.memory is not None:
        assert isinstance(samples, np.ndarray)
        return _SeriesCase(network, samples, design, choice)
    trace = run_stepwise(
        network, samples, members=choice.members, seed=choice.seed, record_states=True
    )
    return StepCase(network, trace, design, choice, samples)


class StepCase:
    """Stepwise networks: every state of every neuron in every step of every member."""

    def __init__(
        self,
        network: Network,
        trace: StepwiseTrace,
        design: Design,
        choice: Choice,
        samples: np.ndarray | Events | None = None,
        evaluations: int = 1,
    ) -> None:
        if trace.members > design.members:
            raise CapacityError(
                f"Members must be at most the {design.members} that the gateware was built for, "
                f"not {trace.members}"
            )
        self._network, self._design, self._choice = network, design, choice
        self.trace = trace
        self._evaluations = evaluations
        # Answers of an entry of the trace.
        self._answers = choice.answers(network) // evaluations
        self._records = expected_records(
            trace, step_results=self._answers > 1, evaluations=evaluations
        )
        spikes = [trace.input_spikes.numpy(), *(part.numpy() for part in trace.spikes)]
        plan = schedule(
            design,
            network,
            spikes,
            members=trace.members,
            step_results=choice.step_results,
            events=samples if isinstance(samples, Events) else None,
        )
        self._plan = [each for each in plan.samples if isinstance(each, StepSampleSchedule)]

    def write(self, folder: Path, samples: np.ndarray | Events, *, stall: float, seed: int) -> None:
        """Write the files of a bench."""
        write_bench(
            folder,
            self._design,
            self._network,
            samples,
            stall=stall,
            seed=seed,
            writes=self._choice.writes(self._design, self.trace.members),
            answers=self._choice.answers(self._network),
        )

    def read(self, folder: Path, failure: str | None) -> StepSeen:
        """Read what the bench saw."""
        return read_step_seen(folder, self._design, failure)

    def differences(self, seen: StepSeen) -> list[Divergence]:
        """All numbers that are not the golden model's."""
        return [
            *compare_states(self._design, self._network, self.trace, seen.states),
            *compare_step_records(
                self._network, self._records, seen.records, answers=self._answers
            ),
        ]

    def late(self, seen: StepSeen) -> list[Divergence]:
        """All cycles that are not the schedule's."""
        return list(
            compare_step_cycles(
                self._plan,
                first_beats=seen.first_beats,
                last_beats=seen.last_beats,
                record_cycles=seen.records["cycle"],
                states=seen.states,
                evaluations=self._evaluations,
            )
        )

    def compared(self, seen: StepSeen) -> int:
        """How many states were compared."""
        return sum(
            part[name].size
            for part, states in zip(seen.states, self.trace.states, strict=True)
            for name in states
        )

    def results(self, seen: StepSeen) -> Sequence[int]:
        """Cycle of each sample's result."""
        ends = seen.records["last"] & (seen.records["running"] == 0)
        return list(seen.records["cycle"][ends].tolist())

    def unfold(self, seen: StepSeen) -> list[np.ndarray]:
        """Per layer, membranes of the first member (N, T, neurons)."""
        return [self._unfolded(seen, layer, "membrane") for layer in range(len(seen.states))]

    def unfold_series(self, seen: StepSeen) -> SeriesSeen | None:
        """What was seen of a network on series; None of others."""
        return None

    def _unfolded(self, seen: StepSeen, layer: int, quantity: str) -> np.ndarray:
        """A quantity of the neurons of a layer, of the first member (N, T, neurons)."""
        part, neurons = seen.states[layer], self._network.layers[layer].neurons
        rows = ceil_div(neurons, part[quantity].shape[1])
        first = part[quantity][part["member"] == 0]
        whole = self._network.steps * rows
        count = len(first) // whole
        values = first[: count * whole].reshape(count, self._network.steps, -1)
        return values[:, :, :neurons]


class _SeriesCase(StepCase):
    """Networks with a Legendre memory: every state of the memory after every input step as well,
    and every word that enters the first layer. Where the layers read the memory, what an entry of
    the trace is to them, a sample, is an answer here."""

    def __init__(
        self, network: Network, samples: np.ndarray, design: Design, choice: Choice
    ) -> None:
        found = record(network, samples, choice)
        self._steps = found.steps
        super().__init__(network, found.trace, design, choice, evaluations=len(found.steps))
        order = word_order(network)
        trains = found.trace.input_spikes.numpy()[..., order]
        words = [step_words(design, train, marks_ends=True) for train in trains]
        self._words = {name: np.concatenate([part[name] for part in words]) for name in words[0]}
        if network.is_recurrent:  # with one input a word
            self._words["group"] = order[self._words["group"]]
        lengths = [len(part["step"]) for part in words]
        self._words["sample"] = np.repeat(np.arange(len(words)), lengths)

    def differences(self, seen: StepSeen) -> list[Divergence]:
        """All numbers that are not the golden model's."""
        memory = self._network.memory
        assert memory is not None
        states = self.trace.memory_states.numpy()
        found = [*compare_words(self._words, seen.words), *super().differences(seen)]
        return [*compare_memory(memory, states, seen.memory), *of_answers(found, self._steps)]

    def late(self, seen: StepSeen) -> list[Divergence]:
        """All cycles that are not the schedule's."""
        memory = self._network.memory
        assert memory is not None
        origin = self._plan[0].first_input
        values = np.concatenate([each.values for each in self._plan]) - origin
        cycles = write_cycles(self._design, self._network, values)
        cycles = cycles.reshape(self.trace.memory_states.shape)
        return [
            *compare_memory_cycles(memory, cycles, seen.memory["cycle"]),
            *of_answers(super().late(seen), self._steps),
        ]

    def compared(self, seen: StepSeen) -> int:
        """How many states were compared, those of the memory among them."""
        return super().compared(seen) + len(seen.memory["value"])

    def unfold_series(self, seen: StepSeen) -> SeriesSeen:
        """What was seen of memory and hidden neurons, of the samples that are complete."""
        memory = self._network.memory
        assert memory is not None
        _, steps, states = self.trace.memory_states.shape
        values = seen.memory["value"]
        count = len(values) // (steps * states)
        history = np.empty((count, steps, states), np.int64)
        whole = values[: history.size].reshape(history.shape)
        history[:, :, write_order(memory)] = whole
        hidden = range(len(seen.states) - 1)
        emitted = [self._unfolded(seen, layer, "spikes") for layer in hidden]
        return SeriesSeen(steps=self._steps, memory=history, emitted=emitted)
