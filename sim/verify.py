# SPDX-License-Identifier: Apache-2.0
"""Every potential of every step, every spike, record and cycle: exported Verilog = golden model."""

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hw.design.design import Design
from hw.export import export
from model.description import Network
from model.golden import StepwiseTrace, Trace
from sim.cases import Case, Samples, flat_samples, make_case
from sim.cells import cell_models
from sim.choice import Choice
from sim.compare import Divergence
from sim.monitor import TOP, monitor_verilog
from sim.simulator import BenchError, Simulator, build_simulator, run_bench
from sim.step_case import SeriesSeen

__all__ = ["Verification", "verify"]

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
        Potentials, or states, compared over both runs; steps that the hardware skips are not
        counted.
    simulators
        What it ran on.
    waveform
        Waveform of the first image that differs, if any.
    seconds
        Time of everything.
    trace
        The golden model's run.
    rtl_potentials
        Per layer, int64 (N, T, neurons), from the hardware alone; of a committee the membranes of
        its first member.
    rtl_series
        Of a network with a memory, what else was seen of the hardware.
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
    trace: Trace | StepwiseTrace = dataclasses.field(repr=False)
    rtl_potentials: list[np.ndarray] = dataclasses.field(repr=False)
    rtl_series: SeriesSeen | None = dataclasses.field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Equal in every value and in every cycle."""
        return not self.mismatches and self.cycles_as_scheduled


def verify(
    network: Network,
    images: Samples,
    design: Design,
    *,
    choice: Choice | None = None,
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
        uint8 (N, features) or (N, height, width); events for a network of events, series
        (N, steps, channels) for one on series.
    design
        Gateware; must hold the network.
    choice
        Members, seed and answers of a network with members.
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
    images = flat_samples(network, images)
    say = progress or (lambda _: None)
    begun = time.monotonic()
    say("golden model")
    case = make_case(network, images, design, choice or Choice())
    differing: set[int] = set()
    values: list[Divergence] = []
    cycles: list[Divergence] = []
    compared = 0
    reference = None
    with tempfile.TemporaryDirectory(prefix="popspike-") as temporary:
        place = Path(temporary)
        if verilog is None:
            say("Verilog")
            verilog, _ = export(design, place, probes=True)
        around = place / f"{TOP}.v"
        around.write_text(monitor_verilog(design))
        sources = (verilog, *cell_models(design), around)
        for name in simulators:
            say(f"compile with {name}")
            simulator = build_simulator(name, sources, top=TOP, cache=cache)
            for stall in (0.0, _STALL):
                say(f"{name}, {'random pauses' if stall else 'back to back'}")
                seen = _run(simulator, place / f"{name}-{bool(stall)}", case, images, stall, seed)
                found = case.differences(seen)
                if seen.failure and not found:
                    raise BenchError(seen.failure)
                values += found
                differing |= {divergence.sample for divergence in found}
                compared += case.compared(seen)
                if not stall:
                    cycles += case.late(seen)
                reference = reference or seen
        waveform = None
        if values or cycles:
            say("waveform of the first difference")
            first = min((values or cycles), key=lambda divergence: divergence.sample).sample
            target = Path(folder or "build/verify") / f"sample{first}.vcd"
            waveform = _waveform(simulators[0], sources, place, case, images, first, target, cache)
    return Verification(
        images=len(images),
        mismatches=len(differing),
        divergences=tuple((values[:_KEPT] + cycles)[:_KEPT]),
        cycles_as_scheduled=not cycles,
        cycles_per_image=_cycles_per_image(case.results(reference)),
        potentials=compared,
        simulators=tuple(simulators),
        waveform=waveform,
        seconds=time.monotonic() - begun,
        trace=case.trace,
        rtl_potentials=case.unfold(reference),
        rtl_series=case.unfold_series(reference),
    )


def _cycles_per_image(ends: Sequence[int]) -> float:
    """Mean distance of results; cycles from the first beat to the result for one image."""
    if len(ends) < 2:
        return float(ends[0] + 1) if ends else 0.0
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _run(
    simulator: Simulator,
    folder: Path,
    case: Case,
    images: Samples,
    stall: float,
    seed: int,
    *,
    waves: bool = False,
) -> Any:
    """One run of the bench."""
    folder.mkdir(parents=True)
    case.write(folder, images, stall=stall, seed=seed)
    failure = None
    try:
        run_bench(simulator, bench=_BENCH, folder=folder, waves=waves)
    except BenchError as error:
        if not (folder / "seen.npz").exists():
            raise
        failure = str(error)
    return case.read(folder, failure)


def _waveform(
    name: str,
    sources: tuple[Path, ...],
    place: Path,
    case: Case,
    images: Samples,
    image: int,
    target: Path,
    cache: Path | None,
) -> Path:
    """Run the image again, after the two before it, with a waveform."""
    simulator = build_simulator(name, sources, top=TOP, waves=True, cache=cache)
    folder = place / "waveform"
    part = images[max(0, image - 2) : image + 1]
    _run(simulator, folder, case, part, 0.0, 0, waves=True)
    made = next(path for path in sorted(folder.iterdir()) if path.suffix in (".vcd", ".fst"))
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(made, target.with_suffix(made.suffix)))
