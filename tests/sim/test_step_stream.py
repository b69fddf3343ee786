# SPDX-License-Identifier: Apache-2.0
"""A stream without an end of a sample: states go on, saturate at both bounds, and stay exact."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.core import Core
from hw.design.design import Design, Fold
from model.description import Dynamics, Layer, Network, NeuronKind, Readout, Reset
from model.encoding import RateEncoding
from model.streams import Stream
from tests.hw.streams import plain
from tests.sim.core_bench import load_network
from tests.sim.step_bench import step_words

STEPS = 10_000


def network(kind: NeuronKind) -> Network:
    """Inputs for each direction, and widths that they drive to their bounds; the first neuron's
    threshold is out of reach."""
    fields = {"fraction_bits": 2, "membrane_shift": 4, "membrane_bits": 6}
    if kind is NeuronKind.LIF:
        fields["reset"] = Reset.SUBTRACT
    else:
        fields |= {"synapse_shift": 3, "synapse_bits": 5, "refractory_shift": 3}
        fields |= {"refractory_jump": 5, "refractory_bits": 4}
    signs = np.array([[1, -1, 1], [1, -1, -1]])
    layers = (
        Layer.from_signs(signs, np.array([40, 9]), kind=kind, dynamics=Dynamics(**fields)),
        Layer.from_signs(
            np.array([[1, 1]]),
            np.array([3]),
            kind=NeuronKind.INTEGRATOR,
            dynamics=Dynamics(membrane_bits=5),
        ),
    )
    return Network(encoding=RateEncoding(steps=50), layers=layers, readout=Readout.FINAL_POTENTIAL)


def train() -> np.ndarray:
    """Long runs in each direction, noise between them."""
    rng = np.random.default_rng(7)
    spikes = (rng.random((STEPS, 3)) < 0.3).astype(np.uint8)
    for start in range(0, STEPS, 500):
        spikes[start : start + 150, :2] = (1, 0) if start // 500 % 2 else (0, 1)
    return spikes


@pytest.mark.parametrize("kind", [NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE])
def test_ten_thousand_steps_without_an_end_stay_exact(kind: NeuronKind) -> None:
    net, spikes = network(kind), train()
    design = Design.for_networks(
        [net], [Fold(lanes=2), Fold(lanes=1)], sample_input="words", step_results=True
    )
    stream = Stream(net)
    trace = stream.push(spikes[None], record_states=True)
    for name, values in trace.states[0].items():
        low, high = int(values.min()), int(values.max())
        bits = getattr(net.layers[0].dynamics, f"{name}_bits")
        if name == "refractory":
            assert (low, high) == (0, (1 << bits) - 1)
        else:
            assert (low, high) == (-(1 << bits - 1), (1 << bits - 1) - 1), name
    assert int(trace.states[1]["membrane"].max()) == 15

    core = Core(design=design, probes=True)
    words = step_words(spikes, 1, last=False)
    beats = [core.i_sample.payload.shape().const(word) for word in words]
    seen: list[list] = [[], []]

    async def source(ctx) -> None:
        ctx.set(core.o_record.ready, 1)
        await load_network(ctx, core, design, net, members=1)
        ctx.set(core.i_sample.valid, 1)
        for beat in beats:
            ctx.set(core.i_sample.payload, beat)
            await ctx.tick().until(core.i_sample.ready)
        ctx.set(core.i_sample.valid, 0)
        await ctx.tick().repeat(60)

    def observer(layer: int):
        async def observe(ctx) -> None:
            state = getattr(core, f"probe{layer}")
            async for _, _, valid, row in ctx.tick().sample(state.valid, state):
                if valid:
                    seen[layer].append(row)

        return observe

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    for layer in range(2):
        simulator.add_process(observer(layer))
    simulator.run()

    for layer, neurons in ((0, 2), (1, 1)):
        rows = [plain(row) for row in seen[layer]]
        assert len(rows) == STEPS * neurons
        assert not any(row["last"] for row in rows)
        assert [row["step"] for row in rows[::neurons]] == [step % 64 for step in range(STEPS)]
        for name, values in trace.states[layer].items():
            found = [row["states"][0][name] for row in rows]
            assert found == values[0].reshape(-1).tolist(), name
