# SPDX-License-Identifier: Apache-2.0
"""Another fold gives the same answers: random networks on random folds, golden = RTL."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.design import Design
from model.description import Network
from model.golden import run
from sim.compare import compare
from sim.samples import sample_beats
from tests.sim.core_bench import run_core
from tests.strategies import designs, images_for, networks


@st.composite
def systems(draw: st.DrawFn) -> tuple[Network, Design]:
    """A network and a design that holds it."""
    network = draw(networks(max_inputs=24, max_neurons=14, steps=(2, 64)))
    return network, draw(designs(network))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(system=systems(), seed=st.integers(0, 999), stalls=st.booleans())
def test_any_fold_equals_golden_model(
    system: tuple[Network, Design], seed: int, stalls: bool
) -> None:
    network, design = system
    images = images_for(network, count=4, seed=seed)
    seen = run_core(
        design,
        network,
        sample_beats(design, network, images),
        stalls=random.Random(seed) if stalls else None,
    )
    trace = run(network, images, record_potentials=True)
    found = compare(
        design=design,
        network=network,
        trace=trace,
        observations=seen.observations,
        records=seen.records,
    )
    assert [str(divergence) for divergence in found] == []
