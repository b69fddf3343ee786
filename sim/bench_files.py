# SPDX-License-Identifier: Apache-2.0
"""Files between `sim.verify`, `sim.step_verify` and the bench inside the simulator.

They are described in `sim.benches.every_step`.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware.image import device_image
from hw.core import probe_layout
from hw.design import Design
from hw.export_top import bundle_fields
from hw.sampler import draw_cycles
from hw.spike_word import output_record
from hw.step_shapes import neuron_state
from model.description import Network
from model.events import Events
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
    failure
        Why the bench failed, if it did.
    """

    first_beats: list[int]
    last_beats: list[int]
    states: list[dict[str, np.ndarray]]
    records: dict[str, np.ndarray]
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
        layers=len(network.layers),
        fields=[name for name, _ in probe_layout(design, 0) if name != "valid"],
        seed=seed,
        stall=stall,
        patience=patience_cycles(design),
    )


def read_seen(path: Path, design: Design, failure: str | None) -> Seen:
    """Read ``seen.npz`` of a single-spike design; ``failure`` is passed on."""
    with np.load(path) as file:
        seen = {name: file[name] for name in file.files}
    rows = _records(seen, design)
    rows["fired"] = rows["fired"].astype(bool)
    records = [
        Record(**dict(zip(rows, values, strict=True)))
        for values in zip(*(column.tolist() for column in rows.values()), strict=True)
    ]
    observations = []
    for layer, this in enumerate(design.layers):
        count = len(seen[f"cycles{layer}"])
        bits = _bits(seen[f"potentials{layer}"], this.lanes * this.potential_bits)
        potentials = _numbers(bits.reshape(count, this.lanes, this.potential_bits), signed=True)
        blocks, steps, lasts = (
            _plain(seen[f"{name}{layer}"]) for name in ("block", "step", "last")
        )
        columns = (seen[f"cycles{layer}"].tolist(), blocks, steps, lasts)
        observations.append(
            [
                Observation(cycle=cycle, block=block, step=step, last=bool(last), potentials=row)
                for cycle, block, step, last, row in zip(*columns, potentials, strict=True)
            ]
        )
    return Seen(
        first_beats=seen["first_beats"].tolist(),
        last_beats=seen["last_beats"].tolist(),
        observations=observations,
        records=records,
        failure=failure,
    )


def read_step_seen(path: Path, design: Design, failure: str | None) -> StepSeen:
    """Read ``seen.npz`` of a stepwise design; ``failure`` is passed on."""
    with np.load(path) as file:
        seen = {name: file[name] for name in file.files}
    states = []
    for layer, this in enumerate(design.layers):
        count, neurons = len(seen[f"cycles{layer}"]), this.updates_per_cycle
        names = ("member", "step", "row", "last")
        here = {name: np.array(_plain(seen[f"{name}{layer}"]), np.int64) for name in names}
        here["cycle"] = seen[f"cycles{layer}"].astype(np.int64)
        here["spikes"] = _bits(seen[f"spikes{layer}"], neurons).reshape(count, neurons)
        layout = neuron_state(this)
        bits = _bits(seen[f"states{layer}"], neurons * layout.size)
        bits = bits.reshape(count, neurons, layout.size)
        for field in bundle_fields(layout):
            part = bits[:, :, field.offset : field.offset + field.width]
            here[field.name] = _numbers(part, signed=field.signed)
        states.append(here)
    return StepSeen(
        first_beats=seen["first_beats"].tolist(),
        last_beats=seen["last_beats"].tolist(),
        states=states,
        records=_records(seen, design),
        failure=failure,
    )


def _records(seen: dict[str, np.ndarray], design: Design) -> dict[str, np.ndarray]:
    """Fields of all records, ``cycle`` and ``last``, by name."""
    layout = output_record(design)
    bits = _bits(seen["records"], layout.size)
    records = {}
    for field in bundle_fields(layout):
        part = bits[:, field.offset : field.offset + field.width]
        records[field.name] = _numbers(part, signed=field.signed)
    records["cycle"] = seen["record_cycles"].astype(np.int64)
    records["last"] = seen["record_lasts"].astype(bool)
    return records


def _plain(texts: np.ndarray) -> list[int]:
    """Hexadecimal texts to numbers."""
    return [int(text, 16) for text in texts.tolist()]


def _bits(texts: np.ndarray, width: int) -> np.ndarray:
    """Hexadecimal texts to uint8 (n, width) of 0 and 1, lowest first."""
    size = (width + 7) // 8
    packed = b"".join(value.to_bytes(size, "little") for value in _plain(texts))
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, size)
    return np.unpackbits(rows, axis=1, count=width, bitorder="little")


def _numbers(bits: np.ndarray, *, signed: bool) -> np.ndarray:
    """Bits (..., width), lowest first, to int64."""
    place = np.left_shift(np.int64(1), np.arange(bits.shape[-1]))
    if signed:
        place[-1] = -place[-1]  # two's complement
    return bits.astype(np.int64) @ place
