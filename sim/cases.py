# SPDX-License-Identifier: Apache-2.0
"""What `sim.verify` asks of a kind of network: the golden model, and how to judge by it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hw.design.design import Design
from hw.times.schedule import schedule
from model.description import Network, SeriesEncoding
from model.events import Events
from model.golden import Trace, run_single_spike
from model.spike_trains import check_series
from sim.bench_files import Seen, read_seen, write_bench
from sim.choice import Choice
from sim.compare import Divergence, compare, compare_cycles, unfold
from sim.step_case import SeriesSeen, make_step_case

__all__ = ["Case", "Samples", "flat_samples", "make_case"]

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

    def unfold_series(self, seen: Any) -> "SeriesSeen | None":
        """What was seen of a network on series; None of others."""


def flat_samples(network: Network, samples: Samples) -> Samples:
    """Images as uint8 (N, features), series as (N, T, channels) with all their steps."""
    if isinstance(network.encoding, SeriesEncoding):
        window = network.memory.window if network.memory is not None else None
        return check_series(network.encoding, samples, window=window)
    return samples if isinstance(samples, Events) else samples.reshape(len(samples), -1)


def make_case(network: Network, samples: Samples, design: Design, choice: Choice) -> Case:
    """Run the golden model and return the case for the network's kind."""
    choice.check(network)
    if network.is_stepwise:
        return make_step_case(network, samples, design, choice)
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

    def unfold_series(self, seen: Seen) -> None:
        return None
