# SPDX-License-Identifier: Apache-2.0
"""Files between `sim.verify` and the bench inside the simulator, see `sim.benches.every_step`."""

import dataclasses
from pathlib import Path

import numpy as np

from firmware.image import device_image
from hw.design import Design
from hw.export_top import bundle_fields
from hw.spike_word import output_record
from model.description import Network
from sim.compare import Observation, Record
from sim.samples import sample_beats

__all__ = ["Seen", "read_seen", "write_bench"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What a bench wrote down.

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


def write_bench(
    folder: Path,
    design: Design,
    network: Network,
    images: np.ndarray,
    *,
    stall: float,
    seed: int,
) -> None:
    """Write ``bench.npz``: what the bench shall do."""
    samples = sample_beats(design, network, images)
    size = (samples[0].width + 7) // 8
    stream = b"".join(sample.to_bytes() for sample in samples)
    # Longer than a sample can take with pauses: all words of all layers, for every block.
    patience = 5_000 + 8 * sum(
        layer.blocks * (design.max_words(index) + design.steps + layer.planes)
        for index, layer in enumerate(design.layers)
    )
    np.savez(
        folder / "bench.npz",
        image=np.frombuffer(device_image(network, design), dtype=np.uint8),
        beats=np.frombuffer(stream, dtype=np.uint8).reshape(-1, size),
        lengths=np.array([len(sample.beats) for sample in samples]),
        records=len(images) * network.classes,
        layers=len(network.layers),
        seed=seed,
        stall=stall,
        patience=patience,
    )


def read_seen(path: Path, design: Design, failure: str | None) -> Seen:
    """Read ``seen.npz``; ``failure`` is passed on."""
    with np.load(path) as file:
        seen = {name: file[name] for name in file.files}
    records = []
    fields = bundle_fields(output_record(design))
    for cycle, text, last in zip(
        seen["record_cycles"].tolist(),
        seen["records"].tolist(),
        seen["record_lasts"].tolist(),
        strict=True,
    ):
        bits = int(text, 16)
        record = {}
        for field in fields:
            value = bits >> field.offset & (1 << field.width) - 1
            if field.signed and value >> field.width - 1:
                value -= 1 << field.width
            record[field.name] = value
        record["fired"] = bool(record["fired"])
        records.append(Record(cycle=cycle, last=bool(last), **record))
    observations = []
    for layer, this in enumerate(design.layers):
        potentials = _potentials(
            seen[f"potentials{layer}"].tolist(), this.lanes, this.potential_bits
        )
        columns = (
            seen[f"{name}{layer}"].tolist() for name in ("cycles", "blocks", "steps", "lasts")
        )
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


def _potentials(texts: list[str], lanes: int, width: int) -> np.ndarray:
    """Packed potentials to int64 (observations, lanes)."""
    size = (lanes * width + 7) // 8
    packed = b"".join(int(text, 16).to_bytes(size, "little") for text in texts)
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, size)
    bits = np.unpackbits(rows, axis=1, count=lanes * width, bitorder="little")
    place = 1 << np.arange(width, dtype=np.int64)
    place[-1] = -place[-1]  # two's complement
    return bits.reshape(-1, lanes, width).astype(np.int64) @ place
