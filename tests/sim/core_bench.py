# SPDX-License-Identifier: Apache-2.0
"""The core in Amaranth's simulator: loads a network row by row, streams samples, notes all."""

import dataclasses
import random

import numpy as np
from amaranth.sim import Simulator

from hw.core import Core
from hw.design import Design, LayerDesign
from model.description import Layer, Network
from sim.compare import Observation, Record
from sim.samples import Sample

#: Cycles within which another record must come.
DEADLINE = 20_000

__all__ = ["CoreRun", "memory_rows", "run_core"]


@dataclasses.dataclass
class CoreRun:
    """Everything seen in a run; cycle 0 takes the first beat."""

    observations: list[list[Observation]]
    records: list[Record]
    first_beats: list[int]
    last_beats: list[int]


def memory_rows(layer: Layer, room: LayerDesign) -> list[int]:
    """Rows of a weight memory, written down from the description of the row layout alone."""
    lanes, width = room.lanes, room.inputs_per_cycle
    bits = np.unpackbits(layer.weights[0], axis=1, count=layer.fan_in, bitorder="little")
    rows = []
    for start in range(0, layer.neurons, lanes):
        neurons = [min(start + lane, layer.neurons - 1) for lane in range(lanes)]
        for plane in reversed(range(room.planes)):
            row = 0
            for lane, neuron in enumerate(neurons):
                digit = -int(layer.thresholds[neuron]) >> plane * width & (1 << width) - 1
                row |= digit << lane * width
            rows.append(row)
        for group in range(room.groups):
            row = 0
            for lane, neuron in enumerate(neurons):
                for k in range(width):
                    index = group * width + k
                    if index < layer.fan_in and bits[neuron, index]:
                        row |= 1 << lane * width + k
            rows.append(row)
    return rows


def run_core(
    design: Design,
    network: Network,
    samples: list[Sample],
    *,
    stalls: random.Random | None = None,
    vcd: str | None = None,
) -> CoreRun:
    """Load a network, send all samples, and wait for all records."""
    core = Core(design=design, probes=True)
    out = CoreRun([[] for _ in network.layers], [], [], [])
    expected = len(samples) * network.classes
    origin = None
    cycle = 0

    async def load(ctx) -> None:
        tables = [
            (0, row, [255, 255] if step == network.steps else [int(step), 0])
            for row, step in enumerate(network.encoding.table())
        ]
        if design.sample_input == "words":
            tables = []
        for index, (layer, room) in enumerate(zip(network.layers, design.layers, strict=True)):
            for row, value in enumerate(memory_rows(layer, room)):
                tables.append((1 + index, row, list(value.to_bytes(room.row_bytes, "little"))))
        ctx.set(core.config.steps, network.steps)
        ctx.set(core.config.readout, design.readouts.index(network.readout))
        for index, layer in enumerate(network.layers):
            ctx.set(core.config.layers[index].neurons, layer.neurons)
            blocks = -(-layer.neurons // design.layers[index].lanes)
            ctx.set(core.config.layers[index].blocks, blocks)
        ctx.set(core.write_valid, 1)
        for target, row, data in tables:
            ctx.set(core.write_target, target)
            ctx.set(core.write_row, row)
            for position, byte in enumerate(data):
                ctx.set(core.write_data, byte)
                ctx.set(core.write_end, position == len(data) - 1)
                await ctx.tick()
        ctx.set(core.write_valid, 0)
        await ctx.tick()
        ctx.set(core.running, 1)

    async def send(ctx) -> None:
        nonlocal origin
        await load(ctx)
        # The schedule starts with an idle core: the stores have cleared their lists.
        await ctx.tick().repeat(design.steps + 2)
        for sample in samples:
            for number, beat in enumerate(sample.beats):
                while stalls and stalls.random() < 0.4:
                    await ctx.tick()
                is_last = number == len(sample.beats) - 1
                payload = beat | is_last << sample.width
                ctx.set(core.i_sample.payload, core.i_sample.payload.shape().from_bits(payload))
                ctx.set(core.i_sample.valid, 1)
                await ctx.tick().until(core.i_sample.ready)
                if origin is None:
                    origin = cycle
                if number == 0:
                    out.first_beats.append(cycle - origin)
                if is_last:
                    out.last_beats.append(cycle - origin)
                ctx.set(core.i_sample.valid, 0)

    async def receive(ctx) -> None:
        while len(out.records) < expected:
            ctx.set(core.o_record.ready, not (stalls and stalls.random() < 0.4))
            _, _, valid, ready, payload = await ctx.tick().sample(
                core.o_record.valid, core.o_record.ready, core.o_record.payload
            )
            if valid and ready:
                out.records.append(
                    Record(
                        cycle=cycle - origin,
                        neuron=payload.neuron,
                        fired=bool(payload.fired),
                        step=payload.step,
                        score=payload.score,
                        winner=payload.winner,
                        last=bool(payload.last),
                    )
                )

    async def observe(ctx) -> None:
        nonlocal cycle
        probes = [getattr(core, f"probe{index}") for index in range(len(network.layers))]
        async for _, _, *values in ctx.tick().sample(*probes):
            for index, value in enumerate(values):
                if value.valid:
                    out.observations[index].append(
                        Observation(
                            # The testbenches count after this process has counted.
                            cycle=cycle + 1 - origin,
                            block=value.block,
                            step=value.step,
                            last=bool(value.last),
                            potentials=tuple(value.potentials),
                        )
                    )
            cycle += 1
            if cycle > DEADLINE * (1 + len(out.records)):
                raise TimeoutError(f"only {len(out.records)} of {expected} records came")

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_process(observe)
    simulator.add_testbench(send)
    simulator.add_testbench(receive)

    if vcd:
        with simulator.write_vcd(vcd):
            simulator.run()
    else:
        simulator.run()
    return out
