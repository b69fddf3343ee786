# SPDX-License-Identifier: Apache-2.0
"""Faults on the line of a virtual board, thousands of them, from a seed.

``python -m sim.faults --cases 2400 --seed 1`` cuts a load at every byte, flips, drops, repeats and
reorders bytes, takes the power away, and more (`sim.fault_kinds`). After each case the board must
answer, hold the old network, the new one or none, never half of one, classify as the golden model
does, and take the next load at once. With ``--board spi`` the line is SPI; with ``--board speed``
its speed is raised (`sim.speed_kinds`); with ``--board flash``
the faults are in the flash and in the boot from it (`sim.flash_kinds`). Each case begins with the
power and depends on nothing but the seed and its number: ``--case N`` runs one again.
"""

import argparse
import collections
import dataclasses
import json
import random
import sys
import time
import traceback
from collections.abc import Callable

from sim.fault_board import FaultBench, fault_design
from sim.fault_kinds import KINDS, SERIAL_KINDS, Scene, load_frames
from sim.flash_kinds import FLASH_KINDS, FlashBench, flash_board, writing_operations
from sim.speed_kinds import SPEED_KINDS, SpeedBench, speed_board
from sim.virtual_board import VirtualBoard

__all__ = ["BOARDS", "FaultCase", "FaultOutcome", "fault_cases", "main", "run_case", "run_faults"]

#: Boards of which campaigns are made.
BOARDS = ("serial", "spi", "speed", "flash")
_ALL_KINDS = KINDS | SPEED_KINDS | FLASH_KINDS
_FIRST_KINDS = (next(iter(KINDS)), next(iter(FLASH_KINDS)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaultCase:
    """One case.

    Parameters
    ----------
    number
        Its place in the campaign.
    kind
        Name of one of `sim.fault_kinds.KINDS` or `sim.flash_kinds.FLASH_KINDS`.
    of_kind
        Its place among those of its kind.
    seed
        Of the campaign.
    """

    number: int
    kind: str
    of_kind: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaultOutcome:
    """What came out of a campaign.

    Parameters
    ----------
    cases
        How many, by kind.
    held
        What the board held after them: ``old``, ``new`` or ``none``.
    failures
        Number of each case that failed, its kind and why.
    cycles
        Clock cycles simulated.
    seconds
        Time it took, compilation included.
    """

    cases: dict[str, int]
    held: dict[str, int]
    failures: tuple[tuple[int, str, str], ...]
    cycles: int
    seconds: float


def _kinds(board: str) -> dict[str, Callable[[Scene], set[int | None]]]:
    if board in ("speed", "flash"):
        return SPEED_KINDS if board == "speed" else FLASH_KINDS
    return {name: do for name, do in KINDS.items() if board == "serial" or name not in SERIAL_KINDS}


def _make_bench(board: str) -> FaultBench:
    if board == "flash":
        return FlashBench(flash_board(stepped=True))
    if board == "speed":
        return SpeedBench(speed_board())
    link = "uart" if board == "serial" else "spi"
    return FaultBench(VirtualBoard(fault_design(), link=link, stepped=True))


def fault_cases(count: int, seed: int, *, board: str = "serial") -> list[FaultCase]:
    """Cases of all kinds in turn.

    Of the first kind there is one for each place: each byte of a load is cut, or each operation of
    a programmer interrupted, if half of the cases are enough for that; else some of the places.
    """
    others = [*_kinds(board)]
    first = others[0]
    places = 0
    if board == "flash":
        places = writing_operations() + 1  # it stays with the others: the bits that turn differ
    elif first == "cut":
        places = len(b"".join(load_frames(1, random.Random(0), 128)))
        others.remove(first)
    some = min(places, count // 2)
    kinds = [(first, index * places // max(1, some)) for index in range(some)]
    kinds += [(others[index % len(others)], index // len(others)) for index in range(count - some)]
    return [
        FaultCase(number=number, kind=kind, of_kind=of_kind, seed=seed)
        for number, (kind, of_kind) in enumerate(kinds)
    ]


def run_case(bench: FaultBench, case: FaultCase) -> str:
    """Run one case; returns what the board held after the fault: ``old``, ``new`` or ``none``.

    Raises
    ------
    FaultError
        If the board held what it must not, or answered wrongly.
    Exception
        Any other is a fault of the driver.
    """
    rng = random.Random(f"{case.seed} {case.number}")
    # Of the same network, so that every place has its turn.
    wanted = 1 if case.kind in _FIRST_KINDS else rng.randrange(2)
    held = None if rng.random() < 0.2 else 1 - wanted
    bench.begin(rng, held)
    scene = Scene(bench=bench, rng=rng, number=case.of_kind, held=held, wanted=wanted)
    allowed = _ALL_KINDS[case.kind](scene)
    found = bench.check(rng, allowed)
    return "none" if found is None else "new" if found == wanted else "old"


def run_faults(
    cases: list[FaultCase],
    *,
    board: str = "serial",
    progress: Callable[[int, int], None] | None = None,
) -> FaultOutcome:
    """Run cases on one board.

    Parameters
    ----------
    cases
        Which.
    board
        One of `BOARDS`.
    progress
        Called with the number of cases that are done and of all.
    """
    began = time.monotonic()
    counts, held = collections.Counter[str](), collections.Counter[str]()
    failures = []
    with _make_bench(board) as bench:
        for case in cases:
            counts[case.kind] += 1
            try:
                held[run_case(bench, case)] += 1
            except Exception as error:  # whatever it is, it is what is looked for
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
                failures.append(
                    (case.number, case.kind, f"{type(error).__name__}: {error} ({where})")
                )
            if progress is not None:
                progress(sum(counts.values()), len(cases))
        cycles = bench.board.line_use().cycles
    return FaultOutcome(
        cases=dict(counts),
        held=dict(held),
        failures=tuple(failures),
        cycles=cycles,
        seconds=time.monotonic() - began,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit code is 0 if no case failed."""
    parser = argparse.ArgumentParser(prog="python -m sim.faults", description=__doc__)
    parser.add_argument("--cases", type=int, default=2400, help="how many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="run only this one, again")
    parser.add_argument("--board", choices=BOARDS, default=BOARDS[0], help="what is done harm to")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    cases = fault_cases(chosen.cases, chosen.seed, board=chosen.board)
    if chosen.case is not None:
        if not 0 <= chosen.case < len(cases):
            parser.error(f"case must lie in 0..{len(cases) - 1}, not {chosen.case}")
        cases = [case for case in cases if case.number == chosen.case]
    outcome = run_faults(cases, board=chosen.board)
    if chosen.json:
        print(json.dumps(dataclasses.asdict(outcome)))
        return 1 if outcome.failures else 0
    for kind, count in outcome.cases.items():
        print(f"{kind:24}{count:6}")
    print("held afterwards: " + ", ".join(f"{each} {outcome.held[each]}" for each in outcome.held))
    for number, kind, text in outcome.failures[:20]:
        print(f"FAILED: {kind}: {text}")
        print(
            f"  again: python -m sim.faults --board {chosen.board} --cases {chosen.cases} "
            f"--seed {chosen.seed} --case {number}"
        )
    print(
        f"{sum(outcome.cases.values())} cases, {len(outcome.failures)} failures, "
        f"{outcome.cycles} cycles, {outcome.seconds:.0f} s, seed {chosen.seed}"
    )
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
