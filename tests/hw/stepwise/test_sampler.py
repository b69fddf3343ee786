# SPDX-License-Identifier: Apache-2.0
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.design.design import Fold, LayerDesign
from hw.stepwise.sampler import Sampler, draw_cycles
from hw.stepwise.seed_feed import SeedFeed
from model.description import Dynamics, NeuronKind
from model.sampling import random_bits, start_state


def layer(fan_in, width):
    return LayerDesign(
        fan_in=fan_in,
        neurons=4,
        fold=Fold(lanes=4, inputs_per_cycle=width),
        potential_bits=8,
        threshold_bits=4,
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics(membrane_bits=8),
        sampled=True,
    )


class Fed(wiring.Component):
    """A sampler with its feed."""

    def __init__(self, this, index, members):
        self.sampler = Sampler(layer=this, index=index, members=members)
        self.feed = SeedFeed(width=this.inputs_per_cycle)
        super().__init__({"seed": In(32), "ready": Out(1)})

    def elaborate(self, _platform):
        m = Module()
        m.submodules.sampler, m.submodules.feed = self.sampler, self.feed
        m.d.comb += [
            self.feed.value.eq(self.seed),
            self.sampler.fed_group.eq(self.feed.group),
            self.sampler.is_final.eq(self.feed.is_final),
            self.sampler.seed.eq(self.feed.seed),
        ]
        return m


@pytest.mark.parametrize(
    ("fan_in", "width", "index", "seed", "built", "used"),
    [
        (40, 1, 0, 1, 3, 3),
        (96, 4, 1, 0xFFFFFFFF, 2, 2),
        (20, 2, 0, 12345, 8, 3),
        (70, 16, 2, 987654321, 5, 1),
        (33, 8, 1, start_state(0, 1), 2, 2),  # starts from 0, which becomes 1
        (5, 1, 0, start_state(0, 0), 1, 1),
    ],
)
def test_bits_are_those_of_the_generator(fan_in, width, index, seed, built, used):
    this = layer(fan_in, width)
    dut = Fed(this, index, built)
    sampler = dut.sampler
    expected = random_bits(seed=seed, layer=index, fan_in=fan_in, members=used)

    async def bench(ctx):
        ctx.set(dut.seed, seed)
        ctx.set(sampler.members, used)
        cycles = 0
        while not ctx.get(sampler.ready):
            await ctx.tick()
            cycles += 1
        assert cycles == draw_cycles(this, built)
        for _ in range(2):
            for member in range(used):
                found = 0
                for group in range(this.groups):
                    ctx.set(sampler.group, group)
                    ctx.set(sampler.release, group == this.groups - 1)
                    await ctx.tick()
                    ctx.set(sampler.release, 0)
                    await ctx.tick().repeat(2)
                    found |= ctx.get(sampler.bits) << group * width
                bits = [found >> place & 1 for place in range(fan_in)]
                assert bits == expected[member].tolist()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
