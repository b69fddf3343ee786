# SPDX-License-Identifier: Apache-2.0
"""Files into the flash of a board, with the program that the board's file names."""

import dataclasses
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hw.boards import Board
from hw.design.design import Design
from hw.flash.layout import FlashMap

__all__ = ["Built", "ProgrammerError", "commands_for", "read_built", "run_commands"]


class ProgrammerError(RuntimeError):
    """A programmer that is missing or failed; the text says what to type."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Built:
    """What `popspike build` left: the ``bitstream``, its ``design``, and the ``flash`` map (None:
    it does not boot from flash)."""

    bitstream: Path
    design: Design
    flash: FlashMap | None


def read_built(bitstream: Path, board: str) -> Built:
    """Read the ``report.json`` beside a bitstream.

    Raises
    ------
    FileNotFoundError
        If bitstream or report are not there.
    ValueError
        If the report is not one of `popspike build`, or of another board or bitstream; or if the
        bitstream is not as long as it was.
    """
    report = bitstream.with_name("report.json")
    for noun, path in (("Bitstream", bitstream), ("Report of the bitstream", report)):
        if not path.is_file():
            raise FileNotFoundError(
                f"{noun} must be at {path}, and is not: run `popspike build NET --board {board}`, "
                "or name another one with --bitstream"
            )
    try:
        facts: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        design, flash = Design.from_json(facts["design"]), facts["flash"]
        length = int(facts["bitstream_bytes"])
        built = Built(
            bitstream=bitstream,
            design=design,
            flash=None if flash is None else FlashMap(**flash),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{report} must be a report of `popspike build`: {error!r}") from None
    for noun, wanted, value in (
        ("Board", board, facts["board"]),
        ("Bitstream", bitstream.name, Path(facts["bitstream"]).name),
    ):
        if wanted != value:
            raise ValueError(f"{noun} of {report} must be {wanted}, not {value}")
    if bitstream.stat().st_size != length:
        raise ValueError(
            f"{bitstream} must have the {length} bytes that were built, not "
            f"{bitstream.stat().st_size}: build it again"
        )
    return built


def commands_for(
    board: Board, slots: Sequence[tuple[int, Path]], *, bitstream: Path | None
) -> list[list[str]]:
    """Command lines that write files to addresses of the flash, and a bitstream after them.

    Raises
    ------
    ProgrammerError
        If the board's programmer writes whole flash files only.
    """
    if not board.programmer.data:
        raise ProgrammerError(
            f"{board.programmer.tool} writes the flash of {board.name} from its beginning only: "
            "make one file with --out FILE, and type: "
            + shlex.join(part.format(file="FILE") for part in board.programmer.flash)
        )
    lines = [
        [part.format(file=path, offset=f"{address:#x}") for part in board.programmer.data]
        for address, path in slots
    ]
    if bitstream is not None:
        lines.append([part.format(file=bitstream) for part in board.programmer.flash])
    return lines


def run_commands(lines: Sequence[Sequence[str]], *, say: Callable[[str], None]) -> None:
    """Run programmers one after the other.

    Raises
    ------
    ProgrammerError
        If one is missing or fails; the text has all lines that are left to type.
    """
    for index, line in enumerate(lines):
        left = "; then type:\n" + "\n".join(map(shlex.join, lines[index:]))
        if shutil.which(line[0]) is None:
            raise ProgrammerError(
                f"Programmer {line[0]} must be on PATH, and is not: install it{left}"
            )
        say(shlex.join(line))
        done = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()[-3:]
            raise ProgrammerError(
                f"Programmer {line[0]} failed with {done.returncode}: {' '.join(words)}; "
                f"see that the board is plugged in and yours to use{left}"
            )
