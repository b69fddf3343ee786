# SPDX-License-Identifier: Apache-2.0
"""The core of a stepwise design in Amaranth's simulator: loads, streams samples, notes all."""

import dataclasses
import random
from collections.abc import Sequence

import numpy as np
from amaranth.sim import Simulator

from hw.core import Core
from hw.design import Design
from hw.sampler import draw_cycles
from hw.write_target import WriteTarget, write_targets
from model.description import Network
from tests.hw.streams import plain

#: Cycles within which something must be seen.
DEADLINE = 20_000

__all__ = ["StepRun", "memory_rows", "pixel_beats", "run_step_core", "step_words"]


@dataclasses.dataclass
class StepRun:
    """Everything seen in a run; cycle 0 takes the first beat.

    ``states``: per layer (cycle, observation); ``records``: (cycle, record); both as plain dicts.
    """

    states: list[list[tuple[int, dict]]]
    records: list[tuple[int, dict]]
    first_beats: list[int]
    last_beats: list[int]


def memory_rows(design: Design, network: Network, target: WriteTarget) -> dict[int, int]:
    """Rows of a memory by number, written down from the description of the layout alone."""
    if target.name == "table":
        steps = network.encoding.table()
        silent = network.steps
        return {row: 0xFFFF if step == silent else int(step) for row, step in enumerate(steps)}
    layer, room = network.layers[target.layer], design.layers[target.layer]
    rows: dict[int, int] = {}
    if target.name == "thresholds":
        count, bits = room.updates_per_cycle, room.threshold_bits
        for neuron, threshold in enumerate(layer.thresholds.tolist()):
            place = neuron % count * bits
            row = rows.get(neuron // count, 0)
            rows[neuron // count] = row | (threshold & (1 << bits) - 1) << place
        return rows
    lanes, width = room.lanes, room.inputs_per_cycle
    bits = np.unpackbits(layer.weights, axis=2, count=layer.fan_in, bitorder="little")
    mask = np.zeros_like(bits[0])
    if layer.undecided is not None:
        mask = np.unpackbits(layer.undecided, axis=1, count=layer.fan_in, bitorder="little")
    for member in range(network.members if room.members > 1 else 1):
        signs = bits[member if layer.members > 1 else 0]
        for start in range(0, layer.neurons, lanes):
            for group in range(-(-layer.fan_in // width)):
                row = 0
                for neuron in range(start, min(start + lanes, layer.neurons)):
                    for index in range(group * width, min((group + 1) * width, layer.fan_in)):
                        place = (neuron - start) * width + index % width
                        row |= int(signs[neuron, index]) << place
                        row |= int(mask[neuron, index]) << place + lanes * width
                number = member * room.rows_per_member + start // lanes * room.groups + group
                rows[number] = row
    return rows


def pixel_beats(design: Design, image: np.ndarray) -> list[dict]:
    """Beats of an image, the last one padded."""
    count = design.pixels_per_cycle
    padded = np.zeros(-(-len(image) // count) * count, np.uint8)
    padded[: len(image)] = image
    beats = padded.reshape(-1, count).tolist()
    return [
        {"pixels": beat, "last": int(number == len(beats) - 1)} for number, beat in enumerate(beats)
    ]


def step_words(train: np.ndarray, width: int, *, last: bool = True) -> list[dict]:
    """Words of a spike train (T, features): groups that spike; a silent step's end alone."""
    words = []
    for step in train:
        padded = np.zeros(-(-len(step) // width) * width, np.uint8)
        padded[: len(step)] = step
        groups = padded.reshape(-1, width)
        busy = np.flatnonzero(groups.any(axis=1)).tolist() or [0]
        for group in busy:
            spikes = int(sum(int(bit) << k for k, bit in enumerate(groups[group])))
            words.append(
                {"group": group, "spikes": spikes, "end_of_step": int(group == busy[-1]), "last": 0}
            )
    words[-1]["last"] = int(last)
    return words


def run_step_core(
    design: Design,
    network: Network,
    samples: Sequence[list[dict]],
    *,
    members: int | None = None,
    seed: int = 0,
    answers: int | None = None,
    stalls: random.Random | None = None,
    step_results: bool = False,
) -> StepRun:
    """Load a network, send all samples, and wait for all answers."""
    core = Core(design=design, probes=True)
    out = StepRun([[] for _ in network.layers], [], [], [])
    expected = (len(samples) if answers is None else answers) * network.classes
    origin = None
    cycle = 0

    async def load(ctx) -> None:
        config = core.config
        ctx.set(config.steps, network.steps)
        ctx.set(config.readout, 0)
        ctx.set(config.members, network.members if members is None else members)
        if design.encodes_rates:
            ctx.set(config.phase, network.encoding.phase)
        if design.sampled:
            ctx.set(config.seed, seed)
        if design.step_results:
            ctx.set(config.step_results, step_results)
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

    async def send(ctx) -> None:
        nonlocal origin
        await load(ctx)
        # The schedule starts with an idle core: lists are cleared, random bits drawn.
        await ctx.tick().repeat(idle_cycles(design))
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
        async for _, _, *values in ctx.tick().sample(*probes):
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


def idle_cycles(design: Design) -> int:
    """Cycles after which a core that has just been started is idle."""
    cycles = max(design.steps, design.layers[0].groups) + 2
    for layer in design.layers:
        if layer.sampled:
            cycles = max(cycles, draw_cycles(layer, design.members) + 1)
    return cycles
