# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest

from hw.design.design import Design, Fold
from model.description import NeuronKind, RateEncoding
from model.golden import run
from tests.hw.inputs.test_rasteriser import ENCODINGS, event_beats, make_events
from tests.sim.step_bench import pixel_beats, run_step_core, step_words
from tests.sim.step_expected import check, check_cycles
from tests.stepwise import make_network


def images(network, count, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (count, network.features), dtype=np.uint8)
    values[rng.random(values.shape) < 0.4] = 0
    return values


@pytest.mark.parametrize("stalls", [None, 1])
@pytest.mark.parametrize("kind", [NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE])
def test_one_member_of_pixels(kind, stalls):
    network = make_network((9, 6, 3), seed=4, kind=kind)
    design = Design.for_networks([network], [Fold(lanes=6), Fold(lanes=3)])
    samples = images(network, 4)
    trace = run(network, samples, record_states=True)
    result = run_step_core(
        design,
        network,
        [pixel_beats(design, image) for image in samples],
        stalls=stalls and random.Random(stalls),
    )
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result)


CASES = {
    "blocks": ((10, 9, 3), ((2, 1, 1), (2, 1, 1)), {}),
    "updates": ((10, 9, 7, 4), ((4, 2, 2), (3, 2, 3), (3, 3, 1)), {"kind": "spike-response"}),
    "members": ((8, 5, 3), ((5, 1, 1), (3, 1, 1)), {"members": 3}),
    "members and blocks": ((8, 9, 5), ((4, 2, 2), (2, 2, 1)), {"members": 3, "narrow": True}),
    "one layer": ((13, 4), ((3, 4, 1),), {"members": 2}),
    "one neuron": ((3, 1, 1), ((1, 1, 1), (1, 1, 1)), {"narrow": True}),
    "saturation": ((16, 6, 3), ((6, 1, 1), (3, 1, 1)), {"narrow": True, "kind": "spike-response"}),
}


@pytest.mark.parametrize("stalls", [None, 2])
@pytest.mark.parametrize("sample_input", ["pixels", "words"])
@pytest.mark.parametrize("case", CASES)
def test_folds(case, sample_input, stalls):
    sizes, folds, fields = CASES[case]
    network = make_network(sizes, seed=len(case), **fields)
    folds = [Fold(lanes=p, inputs_per_cycle=s, times_per_cycle=u) for p, s, u in folds]
    design = Design.for_networks(
        [network], folds, sample_input=sample_input, pixels_per_cycle=folds[0].inputs_per_cycle
    )
    samples = images(network, 3)
    trace = run(network, samples, record_states=True)
    if sample_input == "pixels":
        beats = [pixel_beats(design, image) for image in samples]
    else:
        width = folds[0].inputs_per_cycle
        beats = [step_words(train, width) for train in trace.input_spikes.numpy()]
    result = run_step_core(design, network, beats, stalls=stalls and random.Random(stalls))
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result)


@pytest.mark.parametrize("stalls", [None, 3])
@pytest.mark.parametrize(
    ("sizes", "folds", "fields"),
    [
        ((9, 4, 3), ((4, 1, 1), (3, 1, 1)), {}),
        ((11, 5, 3), ((2, 3, 1), (3, 1, 1)), {"members": 2}),
        ((2, 4, 2), ((2, 2, 2), (1, 2, 1)), {"members": 3, "kind": "spike-response"}),
    ],
)
def test_rates(sizes, folds, fields, stalls):
    network = make_network(sizes, seed=5, encoding=RateEncoding(steps=9, phase=45), **fields)
    folds = [Fold(lanes=p, inputs_per_cycle=s, times_per_cycle=u) for p, s, u in folds]
    design = Design.for_networks([network], folds, pixels_per_cycle=folds[0].inputs_per_cycle)
    samples = images(network, 3)
    trace = run(network, samples, record_states=True)
    beats = [pixel_beats(design, image) for image in samples]
    result = run_step_core(design, network, beats, stalls=stalls and random.Random(stalls))
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result)


@pytest.mark.parametrize(("seed", "stalls"), [(1, None), (0x9E3779B9, None), (77, 4)])
@pytest.mark.parametrize("widths", [(1, 1), (4, 2), (8, 16)])
def test_drawn_members(widths, seed, stalls):
    sizes, (first, second) = (40, 34, 3), widths
    network = make_network(sizes, seed=9, sampled=True)
    folds = [
        Fold(lanes=2 * second, inputs_per_cycle=first, times_per_cycle=second),
        Fold(lanes=3, inputs_per_cycle=second),
    ]
    design = Design.for_networks([network], folds, members=4, pixels_per_cycle=first)
    samples = images(network, 2)
    trace = run(network, samples, members=3, seed=seed, record_states=True)
    result = run_step_core(
        design,
        network,
        [pixel_beats(design, image) for image in samples],
        members=3,
        seed=seed,
        stalls=stalls and random.Random(stalls),
    )
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result)


@pytest.mark.parametrize("stalls", [None, 5])
def test_an_answer_after_every_step(stalls):
    network = make_network((9, 6, 3), seed=6, members=2)
    design = Design.for_networks([network], [Fold(lanes=3), Fold(lanes=3)], step_results=True)
    samples = images(network, 2)
    trace = run(network, samples, members=1, record_states=True)
    result = run_step_core(
        design,
        network,
        [pixel_beats(design, image) for image in samples],
        members=1,
        answers=2 * network.steps,
        step_results=True,
        stalls=stalls and random.Random(stalls),
    )
    found = [record for _, record in result.records]
    scores = trace.running_scores.reshape(-1).tolist()
    winners = trace.running_winners.reshape(-1).tolist()
    assert [record["score"] for record in found] == scores
    assert [record["winner"] for record in found[::3]] == winners
    assert [record["running"] for record in found[2::3]] == [
        *([1] * (network.steps - 1)),
        0,
    ] * 2
    if not stalls:
        check_cycles(design, network, trace, result, step_results=True)


def test_built_members_are_chosen_at_run_time():
    network = make_network((9, 6, 3), seed=6, members=4)
    design = Design.for_networks([network], [Fold(lanes=3), Fold(lanes=3)])
    samples = images(network, 2)
    beats = [pixel_beats(design, image) for image in samples]
    for members in (1, 3):
        trace = run(network, samples, members=members, record_states=True)
        result = run_step_core(design, network, beats, members=members)
        check(design, network, trace, result)
        check_cycles(design, network, trace, result)


@pytest.mark.parametrize("stalls", [None, 6])
@pytest.mark.parametrize(
    ("name", "members", "folds"),
    [
        ("plain", 1, ((6, 1, 1), (3, 1, 1))),
        ("crop", 2, ((2, 4, 1), (3, 1, 1))),
        ("crop", 1, ((2, 2, 1), (3, 1, 1))),
    ],
)
def test_events(name, members, folds, stalls):
    encoding = ENCODINGS[name]
    network = make_network((encoding.features, 6, 3), seed=8, members=members, encoding=encoding)
    folds = [Fold(lanes=p, inputs_per_cycle=s, times_per_cycle=u) for p, s, u in folds]
    design = Design.for_networks(
        [network], folds, sample_input="events", pixels_per_cycle=folds[0].inputs_per_cycle
    )
    events = make_events(encoding, [40, 0, 1, 60], seed=3)
    trace = run(network, events, record_states=True)
    samples, sample = [], []
    for beat in event_beats(events):
        sample.append(beat)
        if beat["last"]:
            samples.append(sample)
            sample = []
    result = run_step_core(design, network, samples, stalls=stalls and random.Random(stalls))
    check(design, network, trace, result)
    if not stalls:
        check_cycles(design, network, trace, result, events=events)
