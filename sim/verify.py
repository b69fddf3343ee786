# SPDX-License-Identifier: Apache-2.0
"""Every potential of every step, every spike, record and cycle: exported Verilog = golden model."""

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hw.design import Design
from hw.export import export
from hw.schedule import Schedule, schedule
from model.description import Network
from model.golden import Trace
from model.golden import run as run_golden
from sim.bench_files import Seen, read_seen, write_bench
from sim.cells import cell_models
from sim.compare import Divergence, Record, compare, compare_cycles, unfold
from sim.simulator import BenchError, Simulator, build_simulator, run_bench

__all__ = ["Verification", "verify"]

_TOP = "popspike"
_BENCH = "sim.benches.every_step"
#: Probability that a side pauses in a cycle of the run with stalls.
_STALL = 0.4
#: Divergences that are kept.
_KEPT = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What came out.

    Parameters
    ----------
    images
        Images run, once without and once with stalls.
    mismatches
        Images with at least one value that differs from the golden model's, in either run.
    divergences
        The first of the differences: values, then cycles.
    cycles_as_scheduled
        Whether every observation and every record of the run without stalls came in the cycle
        that the schedule gives.
    cycles_per_image
        Mean cycles from result to result, images sent back to back; the latency for one image.
    potentials
        Potentials compared, over both runs; steps that the hardware skips are not counted.
    simulators
        What it ran on.
    waveform
        Waveform of the first image that differs, if any.
    seconds
        Time of everything.
    trace
        The golden model's run.
    rtl_potentials
        Per layer, int64 (N, T, neurons), from the hardware alone.
    """

    images: int
    mismatches: int
    divergences: tuple[Divergence, ...]
    cycles_as_scheduled: bool
    cycles_per_image: float
    potentials: int
    simulators: tuple[str, ...]
    waveform: Path | None
    seconds: float
    trace: Trace = dataclasses.field(repr=False)
    rtl_potentials: list[np.ndarray] = dataclasses.field(repr=False)

    @property
    def ok(self) -> bool:
        """Equal in every value and in every cycle."""
        return not self.mismatches and self.cycles_as_scheduled


def verify(
    network: Network,
    images: np.ndarray,
    design: Design,
    *,
    simulators: tuple[str, ...] = ("verilator",),
    verilog: Path | None = None,
    folder: Path | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    cache: Path | None = None,
) -> Verification:
    """Run images through the exported Verilog and compare all that happens.

    Each simulator runs twice: images back to back, everything compared, cycles too; then with
    random pauses on both sides, where only cycles may differ.

    Parameters
    ----------
    network
        Loaded through the accelerator's own loader.
    images
        uint8 (N, features) or (N, height, width).
    design
        Gateware; must hold the network.
    simulators
        Names, see `sim.simulator.available_simulators`.
    verilog
        Verilog with probes to run instead of the design's own export.
    folder
        Where a waveform is left; ``build/verify`` if not given.
    seed
        Of the pauses.
    progress
        Called with what begins.
    cache
        Folder of compiled simulators.

    Returns
    -------
    Verification
        Equal or not; a hardware that stops answering is not.

    Raises
    ------
    sim.simulator.BenchError
        If a bench never ran, or the network could not be loaded.
    """
    if not len(images):
        raise ValueError("Images must number at least 1, not 0")
    if not simulators:
        raise ValueError("Simulators must be at least one, not none")
    design.check(network)
    images = np.asarray(images).reshape(len(images), -1)
    say = progress or (lambda _: None)
    begun = time.monotonic()
    say("golden model")
    trace = run_golden(network, images, record_potentials=True, early_stop=design.early_stop)
    arrivals = [times.numpy() for times in (trace.input_steps, *trace.spike_steps)]
    plan = schedule(design, network, arrivals)
    differing: set[int] = set()
    values: list[Divergence] = []
    cycles: list[Divergence] = []
    compared = 0
    reference = None
    with tempfile.TemporaryDirectory(prefix="popspike-") as temporary:
        place = Path(temporary)
        if verilog is None:
            say("Verilog")
            verilog, _ = export(design, place, name=_TOP, probes=True)
        sources = (verilog, *cell_models(design))
        for name in simulators:
            say(f"compile with {name}")
            simulator = build_simulator(name, sources, top=_TOP, cache=cache)
            for stall in (0.0, _STALL):
                say(f"{name}, {'random pauses' if stall else 'back to back'}")
                seen = _run(
                    simulator, place / f"{name}-{bool(stall)}", design, network, images, stall, seed
                )
                found = list(
                    compare(
                        design=design,
                        network=network,
                        trace=trace,
                        observations=seen.observations,
                        records=seen.records,
                    )
                )
                if seen.failure and not found:
                    raise BenchError(seen.failure)
                values += found
                differing |= {divergence.image for divergence in found}
                compared += sum(len(one.potentials) for part in seen.observations for one in part)
                if not stall:
                    cycles += _cycles(network, plan, seen)
                reference = reference or seen
        waveform = None
        if values or cycles:
            say("waveform of the first difference")
            first = min((values or cycles), key=lambda divergence: divergence.image).image
            target = Path(folder or "build/verify") / f"image{first}.vcd"
            waveform = _waveform(
                simulators[0], sources, place, design, network, images, first, target, cache
            )
    return Verification(
        images=len(images),
        mismatches=len(differing),
        divergences=tuple((values[:_KEPT] + cycles)[:_KEPT]),
        cycles_as_scheduled=not cycles,
        cycles_per_image=_cycles_per_image(reference.records),
        potentials=compared,
        simulators=tuple(simulators),
        waveform=waveform,
        seconds=time.monotonic() - begun,
        trace=trace,
        rtl_potentials=unfold(design, network, reference.observations),
    )


def _cycles(network: Network, plan: Schedule, seen: Seen) -> list[Divergence]:
    return list(
        compare_cycles(
            network=network,
            schedule=plan,
            first_beats=seen.first_beats,
            last_beats=seen.last_beats,
            observations=seen.observations,
            records=seen.records,
        )
    )


def _cycles_per_image(records: list[Record]) -> float:
    """Mean distance of results; cycles from the first beat to the result for one image."""
    ends = [record.cycle for record in records if record.last]
    if len(ends) < 2:
        return float(ends[0] + 1) if ends else 0.0
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _run(
    simulator: Simulator,
    folder: Path,
    design: Design,
    network: Network,
    images: np.ndarray,
    stall: float,
    seed: int,
    *,
    waves: bool = False,
) -> Seen:
    """One run of the bench."""
    folder.mkdir(parents=True)
    write_bench(folder, design, network, images, stall=stall, seed=seed)
    failure = None
    try:
        run_bench(simulator, bench=_BENCH, folder=folder, waves=waves)
    except BenchError as error:
        if not (folder / "seen.npz").exists():
            raise
        failure = str(error)
    return read_seen(folder / "seen.npz", design, failure)


def _waveform(
    name: str,
    sources: tuple[Path, ...],
    place: Path,
    design: Design,
    network: Network,
    images: np.ndarray,
    image: int,
    target: Path,
    cache: Path | None,
) -> Path:
    """Run the image again, after the two before it, with a waveform."""
    simulator = build_simulator(name, sources, top=_TOP, waves=True, cache=cache)
    folder = place / "waveform"
    part = images[max(0, image - 2) : image + 1]
    _run(simulator, folder, design, network, part, 0.0, 0, waves=True)
    made = next(path for path in sorted(folder.iterdir()) if path.suffix in (".vcd", ".fst"))
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(made, target.with_suffix(made.suffix)))
