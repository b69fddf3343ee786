# SPDX-License-Identifier: Apache-2.0
import random

import pytest
from amaranth.sim import Simulator

from hw.design.design import Fold, LayerDesign
from hw.stepwise.neuron_update import NeuronUpdate
from model.description import Dynamics, NeuronKind, Reset
from tests.hw.streams import plain


def layer(kind, potential_bits=6, **fields):
    return LayerDesign(
        fan_in=30,
        neurons=4,
        fold=Fold(lanes=4),
        potential_bits=potential_bits,
        threshold_bits=9,
        kind=kind,
        dynamics=Dynamics(**fields),
    )


def clamp(value, bits):
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def reference(this, state, total, threshold, gain):
    """``model/stepwise.py`` in plain Python: state, spike or integer, score."""
    d = this.dynamics
    if this.kind is NeuronKind.DIFFUSED:
        low, high = d.emission_range()
        unit = 1 << d.fraction_bits
        entering = (total - threshold) << gain
        v = state["membrane"] + max(low * unit, min(high * unit, entering))
        return {"membrane": v % unit}, v // unit, None
    x = total << d.fraction_bits
    v = state["membrane"]
    if this.kind is NeuronKind.INTEGRATOR:
        v = clamp(v + x, d.membrane_bits)
        return {"membrane": v}, 0, v - threshold
    if this.kind is NeuronKind.LIF:
        v = clamp(v - (v >> d.membrane_shift) + x, d.membrane_bits)
        spike = v >= threshold
        if spike:
            v = v - threshold if d.reset is Reset.SUBTRACT else 0
        return {"membrane": v}, int(spike), None
    i, r = state["synapse"], state["refractory"]
    v = clamp(v - (v >> d.membrane_shift) + i, d.membrane_bits)
    i = clamp(i - (i >> d.synapse_shift) + x, d.synapse_bits)
    spike = v >= threshold + r
    r = min(r - (r >> d.refractory_shift) + d.refractory_jump * spike, (1 << d.refractory_bits) - 1)
    return {"membrane": v, "synapse": i, "refractory": r}, int(spike), None


LAYERS = {
    "subtract": layer(
        NeuronKind.LIF, fraction_bits=2, membrane_shift=3, reset="subtract", membrane_bits=9
    ),
    "zero": layer(NeuronKind.LIF, fraction_bits=6, membrane_shift=1, reset="zero", membrane_bits=7),
    "response": layer(
        NeuronKind.SPIKE_RESPONSE,
        fraction_bits=3,
        membrane_shift=2,
        synapse_shift=4,
        refractory_shift=2,
        refractory_jump=50,
        membrane_bits=8,
        synapse_bits=9,
        refractory_bits=7,
    ),
    "great jump": layer(
        NeuronKind.SPIKE_RESPONSE,
        membrane_shift=15,
        synapse_shift=1,
        refractory_shift=15,
        refractory_jump=1000,
        membrane_bits=5,
        synapse_bits=3,
        refractory_bits=4,
    ),
    "integrator": layer(NeuronKind.INTEGRATOR, membrane_bits=7),
    **{
        f"diffused {bits}{'s' if signed else 'u'} F{fraction}": layer(
            NeuronKind.DIFFUSED,
            potential_bits=potential,
            fraction_bits=fraction,
            membrane_bits=fraction,
            emission_bits=bits,
            emission_signed=signed,
        )
        for bits, signed, fraction, potential in (
            (1, False, 4, 6),
            (1, False, 12, 6),
            (2, True, 1, 3),
            (4, False, 4, 12),
            (4, True, 3, 12),
            (8, True, 6, 14),
            (8, False, 12, 16),
        )
    },
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_step_is_that_of_the_model(name):
    this = LAYERS[name]
    rng = random.Random(3)
    dut = NeuronUpdate(layer=this)
    d = this.dynamics
    low = 1 if d.membrane_shift else -256

    def pick(first, last):
        return rng.choice([first, last, 0, rng.randint(first, last), rng.randint(first, last)])

    cases = []
    gains = 8 if this.gain_bits else 1
    for number in range(600):
        state = {"membrane": pick(-(1 << d.membrane_bits - 1), (1 << d.membrane_bits - 1) - 1)}
        if this.kind is NeuronKind.SPIKE_RESPONSE:
            state["synapse"] = pick(-(1 << d.synapse_bits - 1), (1 << d.synapse_bits - 1) - 1)
            state["refractory"] = pick(0, (1 << d.refractory_bits) - 1)
        if this.kind is NeuronKind.DIFFUSED:
            state = {"membrane": pick(0, (1 << d.fraction_bits) - 1)}
        largest = (1 << this.potential_bits - 1) - 1
        total, threshold = pick(-largest, largest), max(low, pick(low, 255))
        if number % 3 == 0:
            # Near the bounds of what is emitted, too.
            threshold = max(low, min(255, total - pick(-3, 3)))
        cases.append((state, total, threshold, number % gains))
    found = []

    async def bench(ctx):
        for number in range(len(cases) + dut.latency):
            if number < len(cases):
                state, total, threshold, gain = cases[number]
                ctx.set(dut.state, state)
                ctx.set(dut.sum, total)
                ctx.set(dut.threshold, threshold)
                if this.gain_bits:
                    ctx.set(dut.gain, gain)
            await ctx.tick()
            if number >= dut.latency - 1 and len(found) < len(cases):
                score = ctx.get(dut.score) if this.kind is NeuronKind.INTEGRATOR else None
                found.append((plain(ctx.get(dut.next_state)), ctx.get(dut.emitted), score))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [reference(this, *case) for case in cases]
    if this.kind is NeuronKind.DIFFUSED:
        # Every bound has been reached.
        assert {min(n for _, n, _ in found), max(n for _, n, _ in found)} == set(d.emission_range())
