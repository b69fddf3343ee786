# SPDX-License-Identifier: Apache-2.0
"""The core in Amaranth's simulator: loads a network row by row, streams samples, notes all."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from hw.core import Core
from hw.design.design import Design
from hw.formats.write_target import ENCODER_TARGET, MEMORY_TARGETS, WriteTarget, write_targets
from hw.stepwise.sampler import draw_cycles
from model.description import Network
from tests.hw.streams import plain

#: Cycles within which something must be seen.
DEADLINE = 20_000

__all__ = ["CoreRun", "load_network", "memory_rows", "run_core"]


@dataclasses.dataclass
class CoreRun:
    """Everything seen in a run; cycle 0 takes the first beat.

    ``states``: per layer (cycle, observation); ``records``: (cycle, record); both as plain dicts;
    ``memory``: (cycle, row, value) of the states of a Legendre memory that are written.
    """

    states: list[list[tuple[int, dict]]]
    records: list[tuple[int, dict]]
    first_beats: list[int]
    last_beats: list[int]
    memory: list[tuple[int, int, int]] = dataclasses.field(default_factory=list)


def memory_rows(design: Design, network: Network, target: WriteTarget) -> dict[int, int]:
    """Rows of a memory by number, written down from the description of the layout alone."""
    if target.name == "table":
        steps = network.encoding.table()
        silent = network.steps
        return {row: 0xFFFF if step == silent else int(step) for row, step in enumerate(steps)}
    if target.name in MEMORY_TARGETS:
        memory = network.memory
        first = target.name == MEMORY_TARGETS[0]
        return dict(enumerate((memory.coefficients if first else memory.emission_shifts).tolist()))
    if target.name == ENCODER_TARGET:
        weights = network.encoder.signs()  # (channels, inputs)
        return {
            row: sum(int(sign > 0) << channel for channel, sign in enumerate(column))
            for row, column in enumerate(weights.T.tolist())
        }
    layer, room = network.layers[target.layer], design.layers[target.layer]
    rows: dict[int, int] = {}
    if target.name == "thresholds":
        count, bits = room.updates_per_cycle, room.threshold_bits
        for neuron, threshold in enumerate(layer.thresholds.tolist()):
            value, size = threshold & (1 << bits) - 1, bits
            if layer.gains is not None:
                value, size = value | int(layer.gains[neuron]) << bits, bits + 3
            row = rows.get(neuron // count, 0)
            rows[neuron // count] = row | value << neuron % count * size
        return rows
    lanes, width = room.lanes, room.inputs_per_cycle
    bits = np.unpackbits(layer.weights, axis=2, count=layer.fan_in, bitorder="little")
    mask = np.zeros_like(bits[0])
    if layer.undecided is not None:
        mask = np.unpackbits(layer.undecided, axis=1, count=layer.fan_in, bitorder="little")
    for member in range(network.members if room.members > 1 else 1):
        signs = bits[member if layer.members > 1 else 0]
        for block, start in enumerate(range(0, layer.neurons, lanes)):
            first = member * room.rows_per_member + block * room.rows_per_block
            neurons = range(start, min(start + lanes, layer.neurons))
            for plane in range(room.planes):  # digits of -threshold, the highest first
                row = 0
                for lane, neuron in enumerate(neurons):
                    digit = -int(layer.thresholds[neuron]) >> plane * width & (1 << width) - 1
                    row |= digit << lane * width
                rows[first + room.planes - 1 - plane] = row
            for group in range(-(-layer.fan_in // width)):
                row = 0
                for lane, neuron in enumerate(neurons):
                    for index in range(group * width, min((group + 1) * width, layer.fan_in)):
                        place = lane * width + index % width
                        row |= int(signs[neuron, index]) << place
                        row |= int(mask[neuron, index]) << place + lanes * width
                rows[first + room.planes + group] = row
    return rows


async def load_network(ctx, core: Core, design: Design, network: Network, **settings: int) -> None:
    """Set the configuration, write all memories, and start the core.

    Parameters
    ----------
    ctx
        Of a testbench.
    core
        Of `design`.
    settings
        Fields of the configuration that are not the network's, or not of every design.
    """
    config = core.config
    fields = {
        "steps": network.steps,
        "readout": design.readouts.index(network.readout),
        **settings,
    }
    for name, value in fields.items():
        ctx.set(getattr(config, name), value)
    if design.memory is not None:
        memory = network.memory
        ctx.set(config.memory.order, memory.order)
        ctx.set(config.memory.channels, memory.channels)
        ctx.set(config.memory.states, memory.states)
        ctx.set(config.memory.reads, memory.reads)
        ctx.set(config.memory.zero, network.encoding.zero)
        shift = design.memory.input_shift - memory.input_shift
        ctx.set(config.memory.input_scale, memory.input_scale << shift)
    if design.encoder is not None:
        ctx.set(config.series.channels, network.encoding.channels)
        ctx.set(config.series.shift, network.encoding.shift)
    for index, layer in enumerate(network.layers):
        ctx.set(config.layers[index].neurons, layer.neurons)
        ctx.set(config.layers[index].blocks, -(-layer.neurons // design.layers[index].lanes))
    ctx.set(core.write_valid, 1)
    for target in write_targets(design):
        ctx.set(core.write_target, target.number)
        for row, value in memory_rows(design, network, target).items():
            ctx.set(core.write_row, row)
            for position, byte in enumerate(value.to_bytes(target.row_bytes, "little")):
                ctx.set(core.write_data, byte)
                ctx.set(core.write_end, position == target.row_bytes - 1)
                await ctx.tick()
    ctx.set(core.write_valid, 0)
    await ctx.tick()
    ctx.set(core.running, 1)


def run_core(
    design: Design,
    network: Network,
    samples: Sequence[Sequence[Any]],
    *,
    answers: int | None = None,
    settings: Mapping[str, int] | None = None,
    stalls: random.Random | None = None,
) -> CoreRun:
    """Load a network, send all samples, and wait for all records.

    Parameters
    ----------
    design, network
        What is built, and what is loaded.
    samples
        Beats of each sample: payloads of the core's ``i_sample``.
    answers
        Answers to wait for; by default one a sample.
    settings
        See `load_network`.
    stalls
        Source of random pauses on both sides; none without it.
    """
    core = Core(design=design, probes=True)
    out = CoreRun([[] for _ in network.layers], [], [], [])
    expected = (len(samples) if answers is None else answers) * network.classes
    origin = None
    cycle = 0

    async def send(ctx) -> None:
        nonlocal origin
        await load_network(ctx, core, design, network, **(settings or {}))
        # The schedule starts with an idle core: lists are cleared, random bits drawn.
        await ctx.tick().repeat(_idle_cycles(design))
        for sample in samples:
            for number, beat in enumerate(sample):
                while stalls and stalls.random() < 0.4:
                    await ctx.tick()
                ctx.set(core.i_sample.payload, beat)
                ctx.set(core.i_sample.valid, 1)
                await ctx.tick().until(core.i_sample.ready)
                if origin is None:
                    origin = cycle
                if number == 0:
                    out.first_beats.append(cycle - origin)
                if number == len(sample) - 1:
                    out.last_beats.append(cycle - origin)
                ctx.set(core.i_sample.valid, 0)

    async def receive(ctx) -> None:
        while len(out.records) < expected:
            ctx.set(core.o_record.ready, not (stalls and stalls.random() < 0.4))
            _, _, valid, ready, payload = await ctx.tick().sample(
                core.o_record.valid, core.o_record.ready, core.o_record.payload
            )
            if valid and ready:
                out.records.append((cycle - origin, plain(payload)))

    async def observe(ctx) -> None:
        nonlocal cycle
        probes = [getattr(core, f"probe{index}") for index in range(len(network.layers))]
        if design.memory is not None:
            probes.append(core.probe_memory)
        async for _, _, *values in ctx.tick().sample(*probes):
            if design.memory is not None:
                state = values.pop()
                if state.valid:
                    out.memory.append((cycle + 1 - origin, state.row, state.value))
            for index, value in enumerate(values):
                if value.valid:
                    # The testbenches count after this process has counted.
                    out.states[index].append((cycle + 1 - origin, plain(value)))
            cycle += 1
            if cycle > DEADLINE * (2 + len(out.records)):
                raise TimeoutError(f"only {len(out.records)} of {expected} records came")

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_process(observe)
    simulator.add_testbench(send)
    simulator.add_testbench(receive)
    simulator.run()
    return out


def _idle_cycles(design: Design) -> int:
    """Cycles after which a core that has just been started is idle."""
    cycles = max(design.steps, design.layers[0].groups) + 2
    for layer in design.layers:
        if layer.sampled:
            cycles = max(cycles, draw_cycles(layer, design.members) + 1)
    return cycles
