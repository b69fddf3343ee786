# SPDX-License-Identifier: Apache-2.0
"""A whole test set through compiled RTL, as fast as it goes: every record, every result's cycle."""

import contextlib
import dataclasses
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from firmware.image import device_image
from hw.design import Design
from hw.export import export
from hw.export_top import bundle_fields
from hw.schedule import schedule
from hw.spike_word import output_record
from model.description import Network
from model.golden import run as run_golden
from sim.cells import cell_models
from sim.compare import Divergence, Record, compare_records
from sim.samples import sample_beats
from sim.verilator import build_executable

__all__ = ["SimulationError", "TestSetOutcome", "run_test_set"]

#: Images that the golden model takes at a time.
_BATCH = 500
#: Divergences that are kept.
_KEPT = 20


class SimulationError(RuntimeError):
    """A simulation ended without a result; the text says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TestSetOutcome:
    """What came out of a test set.

    Parameters
    ----------
    images
        Images run.
    mismatches
        Images with at least one number that differs from the golden model's.
    divergences
        The first of the differences, cycles included.
    cycles_as_scheduled
        Whether first beat, last beat and result of every image came in the cycle that the
        schedule gives.
    cycles_per_image
        Mean cycles from result to result, images sent back to back.
    cycles
        Cycles simulated, over all processes.
    compile_seconds, run_seconds
        Time for compilation (almost 0 if it was done before) and for everything after it.
    winners
        Class of each image, int64 (N,).
    """

    __test__ = False  # not a test class, whatever its name says

    images: int
    mismatches: int
    divergences: tuple[Divergence, ...]
    cycles_as_scheduled: bool
    cycles_per_image: float
    cycles: int
    compile_seconds: float
    run_seconds: float
    winners: np.ndarray = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Raw:
    """Records and cycles of one process."""

    first_beats: np.ndarray
    last_beats: np.ndarray
    record_cycles: np.ndarray
    records: list[Record]


def run_test_set(
    network: Network,
    images: np.ndarray,
    design: Design,
    *,
    processes: int | None = None,
    progress: Callable[[int], None] | None = None,
    cache: Path | None = None,
) -> TestSetOutcome:
    """Run images back to back through the compiled accelerator and judge every result.

    Parameters
    ----------
    network
        Loaded through the accelerator's own loader.
    images
        uint8 (N, features) or (N, height, width).
    design
        Gateware; must hold the network.
    processes
        Simulators that run side by side, each on its part of the images; as many as there are
        cores if not given.
    progress
        Called with the number of images finished so far.
    cache
        Folder of compiled simulators.

    Returns
    -------
    TestSetOutcome
        Equal or not, in values and in cycles.

    Raises
    ------
    SimulationError
        If a simulation does not come to its end.
    """
    if not len(images):
        raise ValueError("Images must number at least 1, not 0")
    images = np.asarray(images).reshape(len(images), -1)
    image = device_image(network, design)
    begun = time.monotonic()
    simulator = _compile(design, cache)
    compiled = time.monotonic()
    count = min(len(images), processes or len(os.sched_getaffinity(0)))
    parts = np.array_split(np.arange(len(images)), count)
    with tempfile.TemporaryDirectory(prefix="popspike-") as folder:
        jobs = []
        for number, part in enumerate(parts):
            jobs.append(_prepare(Path(folder), number, design, network, image, images[part]))
        _run_all(simulator, jobs, progress)
        raw = [_read(job, design, len(part)) for job, part in zip(jobs, parts, strict=True)]
    return _judge(
        network, images, design, parts, raw, compiled - begun, lambda: time.monotonic() - compiled
    )


def _compile(design: Design, cache: Path | None) -> Path:
    """Simulator of a design."""
    with tempfile.TemporaryDirectory(prefix="popspike-") as folder:
        verilog, _ = export(design, folder, probes=False)
        harness = resources.files("sim") / "harness" / "test_set.cpp"
        with resources.as_file(harness) as main:
            return build_executable(
                sources=[verilog, *cell_models(design)],
                harness=[main],
                top="popspike",
                cache=cache,
            )


def _prepare(
    folder: Path, number: int, design: Design, network: Network, image: bytes, images: np.ndarray
) -> list[str]:
    """Write the input files of one process; returns its arguments."""
    samples = sample_beats(design, network, images)
    beat_bytes = (samples[0].width + 7) // 8
    header = np.array(
        [beat_bytes, len(samples), *(len(sample.beats) for sample in samples)], dtype="<u4"
    )
    paths = [folder / f"{name}{number}" for name in ("image", "samples", "results")]
    paths[0].write_bytes(image)
    paths[1].write_bytes(header.tobytes() + b"".join(sample.to_bytes() for sample in samples))
    # Far longer than any sample takes: all words of all layers, for every block.
    patience = 10_000 + 4 * sum(
        layer.blocks * (design.max_words(index) + design.steps + layer.planes)
        for index, layer in enumerate(design.layers)
    )
    return [*map(str, paths), str(patience)]


def _run_all(
    simulator: Path, jobs: Sequence[list[str]], progress: Callable[[int], None] | None
) -> None:
    """Run all processes side by side, and stop all if one fails."""
    done = [0] * len(jobs)
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        running = []
        for number, job in enumerate(jobs):
            process = subprocess.Popen(
                [str(simulator), *job], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            selector.register(process.stdout, selectors.EVENT_READ, number)
            running.append(process)
        text = [""] * len(jobs)
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()
                if not line:
                    selector.unregister(key.fileobj)
                elif line.startswith("done "):
                    done[key.data] = int(line.split()[1])
                    if progress:
                        progress(sum(done))
                else:
                    text[key.data] += line
        for process, said in zip(running, text, strict=True):
            if process.wait():
                raise SimulationError(
                    f"Simulation ended with code {process.returncode}: {said.strip()}"
                )


def _read(job: list[str], design: Design, samples: int) -> _Raw:
    """Read the result file of one process."""
    content = Path(job[2]).read_bytes()
    record_bytes = int.from_bytes(content[:4], "little")
    beats_end = 4 + 16 * samples
    beats = np.frombuffer(content[4:beats_end], dtype="<u8").reshape(samples, 2).astype(np.int64)
    entry = np.dtype([("cycle", "<u8"), ("last", "u1"), ("data", "u1", (record_bytes,))])
    entries = np.frombuffer(content[beats_end:], dtype=entry)
    bits = np.unpackbits(entries["data"], axis=1, bitorder="little")
    fields = {}
    for field in bundle_fields(output_record(design)):
        part = bits[:, field.offset : field.offset + field.width].astype(np.int64)
        weights = 1 << np.arange(field.width)
        if field.signed:
            weights[-1] = -weights[-1]
        fields[field.name] = (part @ weights).tolist()
    cycles = entries["cycle"].astype(np.int64)
    records = [
        Record(
            cycle=cycle, fired=bool(fired), last=bool(last), **dict(zip(names, rest, strict=True))
        )
        for names in [("neuron", "step", "score", "winner")]
        for cycle, fired, last, *rest in zip(
            cycles.tolist(),
            fields["fired"],
            entries["last"].tolist(),
            *(fields[name] for name in names),
            strict=True,
        )
    ]
    return _Raw(
        first_beats=beats[:, 0], last_beats=beats[:, 1], record_cycles=cycles, records=records
    )


def _judge(
    network: Network,
    images: np.ndarray,
    design: Design,
    parts: Sequence[np.ndarray],
    raw: Sequence[_Raw],
    compile_seconds: float,
    run_seconds: Callable[[], float],
) -> TestSetOutcome:
    """Hold everything against the golden model and the schedule."""
    differing: set[int] = set()
    divergences: list[Divergence] = []
    as_scheduled = True
    spans, results, winners = 0, 0, []
    for part, seen in zip(parts, raw, strict=True):
        arrivals: list[list[np.ndarray]] = [[] for _ in range(len(network.layers) + 1)]
        for start in range(0, len(part), _BATCH):
            batch = part[start : start + _BATCH]
            trace = run_golden(network, images[batch], early_stop=design.early_stop)
            records = seen.records[start * network.classes : (start + len(batch)) * network.classes]
            for found in compare_records(network, trace, records):
                where = int(batch[found.image])
                differing.add(where)
                divergences.append(dataclasses.replace(found, image=where))
            for kept, times in zip(arrivals, (trace.input_steps, *trace.spike_steps), strict=True):
                kept.append(times.numpy())
        plan = schedule(design, network, [np.concatenate(kept) for kept in arrivals])
        last = np.array([record.last for record in seen.records])
        stamps = seen.record_cycles[last]
        origin = plan.samples[0].first_input
        for quantity, expected, found in (
            ("cycle of the first beat", [s.first_input for s in plan.samples], seen.first_beats),
            ("cycle of the last beat", [s.last_input for s in plan.samples], seen.last_beats),
            ("cycle of the last record", plan.results.tolist(), stamps),
        ):
            wrong = np.flatnonzero(np.array(expected) - origin != found)
            as_scheduled &= not wrong.size
            for index in wrong[:_KEPT]:
                divergences.append(
                    Divergence(
                        image=int(part[index]),
                        quantity=quantity,
                        expected=int(expected[index]) - origin,
                        found=int(found[index]),
                    )
                )
        spans += int(stamps[-1] - stamps[0])
        results += len(stamps) - 1
        winners += [record.winner for record in seen.records if record.last]
    longest = [int(seen.record_cycles[-1]) + 1 for seen in raw]
    return TestSetOutcome(
        images=len(images),
        mismatches=len(differing),
        divergences=tuple(divergences[:_KEPT]),
        cycles_as_scheduled=as_scheduled,
        cycles_per_image=spans / results if results else float(longest[0]),
        cycles=sum(longest),
        compile_seconds=compile_seconds,
        run_seconds=run_seconds(),
        winners=np.array(winners, dtype=np.int64),
    )
