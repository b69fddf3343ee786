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
from hw.design.design import Design
from hw.export import export
from hw.export_top import bundle_fields
from hw.parts.spike_word import output_record
from model.description import Network
from sim.bench_files import patience_cycles, settle_cycles
from sim.cases import Samples, flat_samples
from sim.cells import cell_models
from sim.choice import Choice
from sim.compare import Divergence
from sim.judges import Judge, Raw, make_judge
from sim.samples import sample_beats
from sim.verilator import build_executable

__all__ = ["SimulationError", "TestSetOutcome", "run_test_set"]

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


def run_test_set(
    network: Network,
    images: Samples,
    design: Design,
    *,
    choice: Choice | None = None,
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
        uint8 (N, features) or (N, height, width); events for a network of events.
    design
        Gateware; must hold the network.
    choice
        Members, seed and answers of a network with members.
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
    images = flat_samples(network, images)
    choice = choice or Choice()
    choice.check(network)
    image = device_image(network, design)
    begun = time.monotonic()
    simulator = _compile(design, cache)
    compiled = time.monotonic()
    count = min(len(images), processes or len(os.sched_getaffinity(0)))
    parts = np.array_split(np.arange(len(images)), count)
    with tempfile.TemporaryDirectory(prefix="popspike-") as folder:
        jobs = []
        for number, part in enumerate(parts):
            jobs.append(
                _prepare(Path(folder), number, design, network, image, images[part], choice)
            )
        _run_all(simulator, jobs, progress)
        raw = [_read(job, design, len(part)) for job, part in zip(jobs, parts, strict=True)]
    judge = make_judge(network, design, choice)
    return _judge(judge, images, parts, raw, compiled - begun, lambda: time.monotonic() - compiled)


def _compile(design: Design, cache: Path | None) -> Path:
    """Simulator of a design."""
    with tempfile.TemporaryDirectory(prefix="popspike-") as folder:
        memory = design.memory
        verilog, _ = export(design, folder, probes=memory is not None)
        harness = resources.files("sim") / "harness" / "test_set.cpp"
        with resources.as_file(harness) as main:
            return build_executable(
                sources=[verilog, *cell_models(design)],
                harness=[main],
                top="popspike",
                defines={} if memory is None else {"STATE_BITS": str(memory.state_bits)},
                cache=cache,
            )


def _prepare(
    folder: Path,
    number: int,
    design: Design,
    network: Network,
    image: bytes,
    images: Samples,
    choice: Choice,
) -> list[str]:
    """Write the input files of one process; returns its arguments."""
    samples = sample_beats(design, network, images)
    beat_bytes = (samples[0].width + 7) // 8
    answers = choice.answers(network)
    lengths = [len(sample.beats) for sample in samples]
    states = 0 if design.memory is None else network.memory.states
    header = np.array([beat_bytes, len(samples), answers, states, *lengths], dtype="<u4")
    paths = [folder / f"{name}{number}" for name in ("image", "samples", "results")]
    paths[0].write_bytes(image)
    paths[1].write_bytes(header.tobytes() + b"".join(sample.to_bytes() for sample in samples))
    members = network.members if choice.members is None else choice.members
    numbers = [2 * patience_cycles(design), settle_cycles(design)]
    for write in choice.writes(design, members):
        numbers += write
    return [*map(str, paths), *map(str, numbers)]


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


def _read(job: list[str], design: Design, samples: int) -> Raw:
    """Read the result file of one process."""
    content = Path(job[2]).read_bytes()
    record_bytes, count = np.frombuffer(content[:8], dtype="<u4").tolist()
    beats_end = 8 + 16 * samples
    beats = np.frombuffer(content[8:beats_end], dtype="<u8").reshape(samples, 2).astype(np.int64)
    digests_end = beats_end + 16 * count
    digests = np.frombuffer(content[beats_end:digests_end], dtype="<u8").reshape(count, 2)
    entry = np.dtype([("cycle", "<u8"), ("last", "u1"), ("data", "u1", (record_bytes,))])
    entries = np.frombuffer(content[digests_end:], dtype=entry)
    bits = np.unpackbits(entries["data"], axis=1, bitorder="little")
    records = {}
    for field in bundle_fields(output_record(design)):
        part = bits[:, field.offset : field.offset + field.width].astype(np.int64)
        weights = np.left_shift(np.int64(1), np.arange(field.width))
        if field.signed:
            weights[-1] = -weights[-1]
        records[field.name] = part @ weights
    records["cycle"] = entries["cycle"].astype(np.int64)
    records["last"] = entries["last"].astype(bool)
    return Raw(first_beats=beats[:, 0], last_beats=beats[:, 1], records=records, digests=digests)


def _judge(
    judge: Judge,
    images: Samples,
    parts: Sequence[np.ndarray],
    raw: Sequence[Raw],
    compile_seconds: float,
    run_seconds: Callable[[], float],
) -> TestSetOutcome:
    """Hold everything against the golden model and the schedule."""
    differing: set[int] = set()
    values: list[Divergence] = []
    cycles: list[Divergence] = []
    spans, results, winners = 0, 0, []
    for part, seen in zip(parts, raw, strict=True):
        found, late = judge.judge(images[part], seen)
        for divergences, kept in ((found, values), (late, cycles)):
            kept += [
                dataclasses.replace(each, sample=int(part[each.sample])) for each in divergences
            ]
        differing |= {int(part[each.sample]) for each in found}
        ends = judge.ends(seen)
        stamps = seen.records["cycle"][ends]
        spans += int(stamps[-1] - stamps[0])
        results += len(stamps) - 1
        winners.append(seen.records["winner"][ends])
    longest = [int(seen.records["cycle"][-1]) + 1 for seen in raw]
    return TestSetOutcome(
        images=len(images),
        mismatches=len(differing),
        divergences=tuple((values + cycles)[:_KEPT]),
        cycles_as_scheduled=not cycles,
        cycles_per_image=spans / results if results else float(longest[0]),
        cycles=sum(longest),
        compile_seconds=compile_seconds,
        run_seconds=run_seconds(),
        winners=np.concatenate(winners),
    )
