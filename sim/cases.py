# SPDX-License-Identifier: Apache-2.0
"""What `sim.verify` asks of a kind of network: the golden model, and how to judge by it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hw.design import CapacityError, Design
from hw.schedule import schedule
from model.description import Network
from model.events import Events
from model.golden import StepwiseTrace, Trace, run_single_spike, run_stepwise
from sim.bench_files import Seen, StepSeen, read_seen, read_step_seen, write_bench
from sim.choice import Choice
from sim.compare import Divergence, compare, compare_cycles, unfold
from sim.step_compare import (
    compare_states,
    compare_step_cycles,
    compare_step_records,
    expected_records,
)

__all__ = ["Case", "Samples", "make_case"]

Samples = np.ndarray | Events


class Case(Protocol):
    """One network on one gateware with given samples."""

    trace: Any

    def write(self, folder: Path, samples: Samples, *, stall: float, seed: int) -> None:
        """Write the files of a bench."""

    def read(self, folder: Path, failure: str | None) -> Any:
        """Read what the bench saw."""

    def differences(self, seen: Any) -> list[Divergence]:
        """All numbers that are not the golden model's."""

    def late(self, seen: Any) -> list[Divergence]:
        """All cycles that are not the schedule's."""

    def compared(self, seen: Any) -> int:
        """How many potentials or states were compared."""

    def results(self, seen: Any) -> Sequence[int]:
        """Cycle of each sample's result."""

    def unfold(self, seen: Any) -> list[np.ndarray]:
        """Per layer, potentials or membranes of the first member (N, T, neurons)."""


def make_case(network: Network, samples: Samples, design: Design, choice: Choice) -> Case:
    """Run the golden model and return the case for the network's kind."""
    choice.check(network)
    if network.is_stepwise:
        return _StepCase(network, samples, design, choice)
    assert isinstance(samples, np.ndarray)
    return _SingleSpikeCase(network, samples, design)


class _SingleSpikeCase:
    """Single-spike networks: potentials at the end of steps with input."""

    def __init__(self, network: Network, images: np.ndarray, design: Design) -> None:
        self._network, self._design = network, design
        self.trace: Trace = run_single_spike(
            network, images, record_potentials=True, early_stop=design.early_stop
        )
        arrivals = [times.numpy() for times in (self.trace.input_steps, *self.trace.spike_steps)]
        self._plan = schedule(design, network, arrivals)

    def write(self, folder: Path, samples: Samples, *, stall: float, seed: int) -> None:
        write_bench(folder, self._design, self._network, samples, stall=stall, seed=seed)

    def read(self, folder: Path, failure: str | None) -> Seen:
        return read_seen(folder, self._design, failure)

    def differences(self, seen: Seen) -> list[Divergence]:
        return list(
            compare(
                design=self._design,
                network=self._network,
                trace=self.trace,
                observations=seen.observations,
                records=seen.records,
            )
        )

    def late(self, seen: Seen) -> list[Divergence]:
        return list(
            compare_cycles(
                network=self._network,
                schedule=self._plan,
                first_beats=seen.first_beats,
                last_beats=seen.last_beats,
                observations=seen.observations,
                records=seen.records,
            )
        )

    def compared(self, seen: Seen) -> int:
        return sum(len(one.potentials) for part in seen.observations for one in part)

    def results(self, seen: Seen) -> Sequence[int]:
        return [record.cycle for record in seen.records if record.last]

    def unfold(self, seen: Seen) -> list[np.ndarray]:
        return unfold(self._design, self._network, seen.observations)


class _StepCase:
    """Stepwise networks: every state of every neuron in every step of every member."""

    def __init__(self, network: Network, samples: Samples, design: Design, choice: Choice) -> None:
        self._network, self._design, self._choice = network, design, choice
        self.trace: StepwiseTrace = run_stepwise(
            network, samples, members=choice.members, seed=choice.seed, record_states=True
        )
        if self.trace.members > design.members:
            raise CapacityError(
                f"Members must be at most the {design.members} that the gateware was built for, "
                f"not {self.trace.members}"
            )
        self._answers = network.steps if choice.step_results else 1
        self._records = expected_records(self.trace, step_results=choice.step_results)
        spikes = [self.trace.input_spikes.numpy(), *(part.numpy() for part in self.trace.spikes)]
        self._plan = schedule(
            design,
            network,
            spikes,
            members=self.trace.members,
            step_results=choice.step_results,
            events=samples if isinstance(samples, Events) else None,
        )

    def write(self, folder: Path, samples: Samples, *, stall: float, seed: int) -> None:
        write_bench(
            folder,
            self._design,
            self._network,
            samples,
            stall=stall,
            seed=seed,
            writes=self._choice.writes(self._design, self.trace.members),
            answers=self._answers,
        )

    def read(self, folder: Path, failure: str | None) -> StepSeen:
        return read_step_seen(folder, self._design, failure)

    def differences(self, seen: StepSeen) -> list[Divergence]:
        return [
            *compare_states(self._design, self._network, self.trace, seen.states),
            *compare_step_records(
                self._network, self._records, seen.records, answers=self._answers
            ),
        ]

    def late(self, seen: StepSeen) -> list[Divergence]:
        return list(
            compare_step_cycles(
                self._plan.samples,
                first_beats=seen.first_beats,
                last_beats=seen.last_beats,
                record_cycles=seen.records["cycle"],
                states=seen.states,
            )
        )

    def compared(self, seen: StepSeen) -> int:
        return sum(
            part[name].size
            for part, states in zip(seen.states, self.trace.states, strict=True)
            for name in states
        )

    def results(self, seen: StepSeen) -> Sequence[int]:
        ends = seen.records["last"] & (seen.records["running"] == 0)
        return list(seen.records["cycle"][ends].tolist())

    def unfold(self, seen: StepSeen) -> list[np.ndarray]:
        unfolded = []
        for layer, part in enumerate(seen.states):
            neurons, width = self._network.layers[layer].neurons, part["membrane"].shape[1]
            rows = -(-neurons // width)
            whole = self._network.steps * rows
            first = part["membrane"][part["member"] == 0]
            count = len(first) // whole
            values = first[: count * whole].reshape(count, self._network.steps, rows * width)
            unfolded.append(values[:, :, :neurons])
        return unfolded
