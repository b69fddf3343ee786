# SPDX-License-Identifier: Apache-2.0
"""Bitstreams as the text that a tool makes of them, with a section for each block RAM."""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hw.flow.tools import MissingToolError, ToolError, run_tool
from hw.patch.unpacked import BitstreamError

__all__ = ["PACKED", "TEXT", "TextForm", "unpack"]

#: Names of the two files in the folder in which a tool works.
PACKED, TEXT = "packed", "text"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextForm:
    """Lines, and where sections stand in them.

    Parameters
    ----------
    lines
        All lines.
    starts
        First line of the contents of each block RAM, by place.
    size
        Lines of the contents.
    """

    lines: tuple[str, ...]
    starts: dict[str, int]
    size: int

    def section(self, place: str) -> Sequence[str]:
        """Lines of a block RAM."""
        start = self.starts[place]
        return self.lines[start : start + self.size]

    @property
    def rest(self) -> str:
        """Everything but the contents of block RAMs."""
        inside = {
            number for start in self.starts.values() for number in range(start, start + self.size)
        }
        return "\n".join(line for number, line in enumerate(self.lines) if number not in inside)


def unpack(path: Path, command: list[str], *, noun: str, section: str, size: int) -> TextForm:
    """Let a tool take a bitstream apart.

    Parameters
    ----------
    path
        The file.
    command
        Reads `PACKED` and writes `TEXT`.
    noun
        Family in print.
    section
        What begins the first line of a section; the rest of that line is the place.
    size
        Lines that follow it.

    Raises
    ------
    BitstreamError
        If the tool does not read the file.
    hw.flow.tools.MissingToolError
        If it is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder) / PACKED)
        try:
            run_tool(command, folder=Path(folder))
        except MissingToolError:
            raise
        except ToolError as error:
            raise BitstreamError(
                f"{path} must be a whole {noun} bitstream, and {command[0]} cannot read it"
            ) from error
        lines = (Path(folder) / TEXT).read_text(encoding="ascii").splitlines()
    starts = {
        line.removeprefix(section): number + 1
        for number, line in enumerate(lines)
        if line.startswith(section)
    }
    return TextForm(lines=tuple(lines), starts=starts, size=size)
