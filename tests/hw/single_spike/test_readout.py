# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.single_spike.readout import Readout
from model.description import Readout as Rule
from tests.hw.designs import two_layers
from tests.hw.streams import get, run


def decide(rule, seen, early_stop=False):
    """Records and winner of one sample by the words of ``model/golden.py``.

    ``seen``: for each step that is seen, (step, potentials of all neurons).
    """
    neurons = len(seen[0][1])
    fired = [None] * neurons
    score = [0] * neurons
    for step, potentials in seen:
        if early_stop and rule is Rule.FIRST_SPIKE and any(s is not None for s in fired):
            break
        for neuron, potential in enumerate(potentials):
            if rule is Rule.SUMMED_POTENTIAL:
                score[neuron] += potential
            elif fired[neuron] is None:
                score[neuron] = potential
                if rule is Rule.FIRST_SPIKE and potential >= 0:
                    fired[neuron] = step
    order = [
        (step if step is not None else 1 << 30, -value, neuron)
        for neuron, (step, value) in enumerate(zip(fired, score, strict=True))
    ]
    return list(zip(fired, score, strict=True)), min(order)[2]


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("early_stop", [False, True])
@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize(("lanes", "neurons"), [(10, 10), (10, 7), (3, 10), (1, 4)])
def test_decisions(lanes, neurons, rule, early_stop, stall):
    if early_stop:
        lanes = max(lanes, neurons)
    rng = random.Random(neurons)
    design = two_layers(
        sizes=(12, 8, neurons),
        folds=((4, 1, 1), (lanes, 1, 1)),
        steps=5,
        potential_bits=4,
        early_stop=early_stop,
    )
    this = design.layers[-1]
    dut = Readout(design=design)
    samples = []
    for number in range(12):
        steps = range(5) if rule is Rule.SUMMED_POTENTIAL else sorted({0, *rng.sample(range(5), 2)})
        high = (-1, 0, 3)[number % 3]  # none fires, ties, some fire
        samples.append([(step, [rng.randint(-4, high) for _ in range(neurons)]) for step in steps])

    async def source(ctx):
        ctx.set(dut.neurons, neurons)
        ctx.set(dut.rule, design.readouts.index(rule))
        for seen in samples:
            for block in range(-(-neurons // lanes)):
                await ctx.tick()
                ctx.set(dut.observation.start, 1)
                await ctx.tick()
                ctx.set(dut.observation.start, 0)
                for step, potentials in seen:
                    part = potentials[block * lanes : (block + 1) * lanes]
                    part += part[-1:] * (lanes - len(part))
                    if step == seen[-1][0]:
                        while not ctx.get(dut.room):
                            await ctx.tick()
                        ctx.set(dut.reserve, 1)
                        await ctx.tick()
                        ctx.set(dut.reserve, 0)
                    ctx.set(
                        dut.observation,
                        {
                            "valid": 1,
                            "block": block,
                            "step": step,
                            "last": step == seen[-1][0],
                            "potentials": part,
                        },
                    )
                    await ctx.tick()
                    ctx.set(dut.observation.valid, 0)

    taken = []

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, neurons * len(samples), random.Random(3), stall))

    run(dut, source, sink, outputs=[dut.o])
    assert this.blocks == -(-neurons // lanes)
    records = iter(record for _, record in taken)
    for seen in samples:
        expected, winner = decide(rule, seen, early_stop)
        for neuron, (step, score) in enumerate(expected):
            record = next(records)
            assert (record["neuron"], record["score"]) == (neuron, score)
            assert (record["fired"], record["step"]) == (step is not None, step or 0)
            assert record["last"] == (neuron == neurons - 1)
        assert record["winner"] == winner
