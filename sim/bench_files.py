# SPDX-License-Identifier: Apache-2.0
"""Files between `sim.verify` and the bench inside the simulator.

They are described in `sim.benches.every_step` and `sim.monitor`.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware.image import device_image
from hw.design.design import Design
from hw.export_top import bundle_fields
from hw.parts.spike_word import output_record
from hw.parts.step_shapes import neuron_state
from hw.stepwise.sampler import draw_cycles
from model.description import Network
from model.events import Events
from sim import monitor
from sim.compare import Observation, Record
from sim.samples import sample_beats

__all__ = [
    "Seen",
    "StepSeen",
    "patience_cycles",
    "read_seen",
    "read_step_seen",
    "settle_cycles",
    "write_bench",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What a bench wrote down of a single-spike design.

    Parameters
    ----------
    first_beats, last_beats
        Cycle in which the first and the last beat of each sample were taken.
    observations
        Per layer, in the order in which they were seen.
    records
        In the order in which they came.
    failure
        Why the bench failed, if it did.
    """

    first_beats: list[int]
    last_beats: list[int]
    observations: list[list[Observation]]
    records: list[Record]
    failure: str | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StepSeen:
    """What a bench wrote down of a stepwise design.

    Parameters
    ----------
    first_beats, last_beats
        Cycle in which the first and the last beat of each sample were taken.
    states
        Per layer, arrays by name, an entry an observation: ``cycle``, ``member``, ``step``,
        ``row``, ``last``, ``spikes`` (n, U), and each state (n, U).
    records
        Arrays by name, an entry a record: ``cycle``, ``last``, and the fields of the record.
    memory
        Arrays by name, an entry a state that a Legendre memory wrote: ``cycle``, ``row``,
        ``value``; empty without one.
    words
        Likewise of each word that it sent: ``cycle``, and the fields of the word.
    failure
        Why the bench failed, if it did.
    """

    first_beats: list[int]
    last_beats: list[int]
    states: list[dict[str, np.ndarray]]
    records: dict[str, np.ndarray]
    memory: dict[str, np.ndarray]
    words: dict[str, np.ndarray]
    failure: str | None


def settle_cycles(design: Design) -> int:
    """Cycles after which a core that was started is idle: lists are cleared, members drawn."""
    cycles = design.steps + design.layers[0].groups + 8
    for layer in design.layers:
        if layer.sampled:
            cycles = max(cycles, draw_cycles(layer, design.members) + 8)
    return cycles


def patience_cycles(design: Design) -> int:
    """More cycles than a sample can take with pauses: all words of all layers, for every block."""
    if design.is_stepwise:
        step = sum(layer.blocks * (layer.groups + layer.beats + 32) for layer in design.layers)
        if design.sample_input == "events":
            step += 6 * design.layers[0].groups
        if design.memory is not None:
            # Beats are far from each other; patience begins anew with each.
            step += design.layers[0].groups * (design.layers[0].inputs_per_cycle + 16)
            return 5_000 + 8 * (design.members * design.steps * step + design.memory.value_cycles)
        return 5_000 + 8 * (design.members * design.steps * step + design.beats)
    return 5_000 + 8 * sum(
        layer.blocks * (design.max_words(index) + design.steps + layer.planes)
        for index, layer in enumerate(design.layers)
    )


def write_bench(
    folder: Path,
    design: Design,
    network: Network,
    samples: np.ndarray | Events,
    *,
    stall: float,
    seed: int,
    writes: Sequence[tuple[int, int]] = (),
    answers: int = 1,
) -> None:
    """Write ``bench.npz``: what the bench shall do.

    Parameters
    ----------
    folder
        Where.
    design, network, samples
        What runs.
    stall, seed
        Probability of a pause, and seed of the pauses.
    writes
        Addresses and values of registers, after the load.
    answers
        Answers a sample.
    """
    beats = sample_beats(design, network, samples)
    size = (beats[0].width + 7) // 8
    stream = b"".join(sample.to_bytes() for sample in beats)
    np.savez(
        folder / "bench.npz",
        image=np.frombuffer(device_image(network, design), dtype=np.uint8),
        writes=np.array(writes, dtype=np.int64).reshape(-1, 2),
        settle=settle_cycles(design),
        beats=np.frombuffer(stream, dtype=np.uint8).reshape(-1, size),
        lengths=np.array([len(sample.beats) for sample in beats]),
        records=len(samples) * network.classes * answers,
        seed=seed,
        stall=stall,
        patience=patience_cycles(design),
    )


def read_seen(folder: Path, design: Design, failure: str | None) -> Seen:
    """Read what a bench of a single-spike design left in a folder; ``failure`` is passed on."""
    seen, shown = _read(folder, design)
    rows = _records(seen, design)
    rows["fired"] = rows["fired"].astype(bool)
    records = [
        Record(**dict(zip(rows, values, strict=True)))
        for values in zip(*(column.tolist() for column in rows.values()), strict=True)
    ]
    observations = []
    for number, this in enumerate(design.layers):
        probe = shown[f"probe{number}"]
        bits = probe.bits["potentials"].reshape(-1, this.lanes, this.potential_bits)
        blocks, steps, lasts = (probe.numbers(name).tolist() for name in ("block", "step", "last"))
        columns = (probe.cycles.tolist(), blocks, steps, lasts, _numbers(bits, signed=True))
        observations.append(
            [
                Observation(cycle=cycle, block=block, step=step, last=bool(last), potentials=row)
                for cycle, block, step, last, row in zip(*columns, strict=True)
            ]
        )
    return Seen(
        first_beats=seen["first_beats"].tolist(),
        last_beats=seen["last_beats"].tolist(),
        observations=observations,
        records=records,
        failure=failure,
    )


def read_step_seen(folder: Path, design: Design, failure: str | None) -> StepSeen:
    """Read what a bench of a stepwise design left in a folder; ``failure`` is passed on."""
    seen, shown = _read(folder, design)
    states = []
    for number, this in enumerate(design.layers):
        probe = shown[f"probe{number}"]
        count, neurons = len(probe.cycles), this.updates_per_cycle
        here = {name: probe.numbers(name) for name in ("member", "step", "row", "last")}
        here["cycle"] = probe.cycles
        spikes = probe.bits["spikes"].reshape(count, neurons, this.output_bits)
        here["spikes"] = _numbers(spikes, signed=this.output_signed)
        layout = neuron_state(this)
        bits = probe.bits["states"].reshape(count, neurons, layout.size)
        for field in bundle_fields(layout):
            part = bits[:, :, field.offset : field.offset + field.width]
            here[field.name] = _numbers(part, signed=field.signed)
        states.append(here)
    memory, words = {}, {}
    if "probe_memory" in shown:
        probe = shown["probe_memory"]
        memory = {
            "cycle": probe.cycles,
            "row": probe.numbers("row"),
            "value": _numbers(probe.bits["value"], signed=True),
        }
        probe = shown["probe_words"]
        words = {"cycle": probe.cycles, **{name: probe.numbers(name) for name in probe.bits}}
    return StepSeen(
        first_beats=seen["first_beats"].tolist(),
        last_beats=seen["last_beats"].tolist(),
        states=states,
        records=_records(seen, design),
        memory=memory,
        words=words,
        failure=failure,
    )


def _read(folder: Path, design: Design) -> tuple[dict[str, np.ndarray], dict[str, monitor.Seen]]:
    """What the bench noted, and what each probe showed, cycles counted from the first beat."""
    with np.load(folder / "seen.npz") as file:
        seen = {name: file[name] for name in file.files}
    origin = int(seen["origin"].sum())  # none without a beat
    shown = {probe.name: monitor.read_probe(folder, probe) for probe in monitor.probes(design)}
    return seen, {
        name: dataclasses.replace(each, cycles=each.cycles - origin) for name, each in shown.items()
    }


def _records(seen: dict[str, np.ndarray], design: Design) -> dict[str, np.ndarray]:
    """Fields of all records, ``cycle`` and ``last``, by name."""
    layout = output_record(design)
    size = (layout.size + 7) // 8
    packed = b"".join(int(text, 16).to_bytes(size, "little") for text in seen["records"].tolist())
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, size)
    bits = np.unpackbits(rows, axis=1, count=layout.size, bitorder="little")
    records = {}
    for field in bundle_fields(layout):
        part = bits[:, field.offset : field.offset + field.width]
        records[field.name] = _numbers(part, signed=field.signed)
    records["cycle"] = seen["record_cycles"].astype(np.int64)
    records["last"] = seen["record_lasts"].astype(bool)
    return records


def _numbers(bits: np.ndarray, *, signed: bool) -> np.ndarray:
    """Bits (..., width), lowest first, to int64."""
    place = np.left_shift(np.int64(1), np.arange(bits.shape[-1]))
    if signed:
        place[-1] = -place[-1]  # two's complement
    return bits.astype(np.int64) @ place
