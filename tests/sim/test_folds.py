# SPDX-License-Identifier: Apache-2.0
"""Another fold gives the same answers: random networks on random folds, golden = RTL."""

import random

from hypothesis import given
from hypothesis import strategies as st

from hw.design.design import Design
from hw.parts.spike_word import sample_beat
from hw.times.schedule import schedule
from model.description import Network
from model.golden import run
from sim.compare import Observation, Record, compare, compare_cycles
from sim.samples import sample_beats
from tests.sim.core_bench import CoreRun, run_core
from tests.strategies import core_runs, designs, images_for, networks

# What a probe of a layer shows, beside its valid bit.
SEEN = ("block", "step", "last", "potentials")


@st.composite
def systems(draw: st.DrawFn) -> tuple[Network, Design]:
    """A network and a design that holds it."""
    network = draw(networks(max_inputs=24, max_neurons=14, steps=(2, 64)))
    return network, draw(designs(network))


def observed(seen: CoreRun) -> tuple[list[list[Observation]], list[Record]]:
    """Observations of each layer and records, as the comparison takes them."""
    observations = [
        [
            Observation(cycle=cycle, **{name: state[name] for name in SEEN})
            for cycle, state in states
        ]
        for states in seen.states
    ]
    return observations, [Record(cycle=cycle, **record) for cycle, record in seen.records]


@core_runs(30)
@given(system=systems(), seed=st.integers(0, 999), stalls=st.booleans())
def test_any_fold_equals_golden_model(
    system: tuple[Network, Design], seed: int, stalls: bool
) -> None:
    network, design = system
    images = images_for(network, count=4, seed=seed)
    shape = sample_beat(design)
    beats = [
        [
            shape.from_bits(beat | (number == len(sample.beats) - 1) << sample.width)
            for number, beat in enumerate(sample.beats)
        ]
        for sample in sample_beats(design, network, images)
    ]
    seen = run_core(design, network, beats, stalls=random.Random(seed) if stalls else None)
    observations, records = observed(seen)
    trace = run(network, images, record_potentials=True, early_stop=design.early_stop)
    found = compare(
        design=design,
        network=network,
        trace=trace,
        observations=observations,
        records=records,
    )
    assert [str(divergence) for divergence in found] == []
    if not stalls:
        arrivals = [times.numpy() for times in (trace.input_steps, *trace.spike_steps)]
        late = compare_cycles(
            network=network,
            schedule=schedule(design, network, arrivals),
            first_beats=seen.first_beats,
            last_beats=seen.last_beats,
            observations=observations,
            records=records,
        )
        assert [str(divergence) for divergence in late] == []
