# SPDX-License-Identifier: Apache-2.0
"""What a user sees: figures on stdout, progress and errors on stderr."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

__all__ = ["err", "figures", "out", "print_json", "progress", "stage", "table"]

#: Results.
out = Console()
#: Progress, notes and errors.
err = Console(stderr=True)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON value on stdout and nothing else."""
    print(json.dumps(value, indent=2, default=str))


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    unbroken: Sequence[str] = (),
) -> Table:
    """Make a table with right-aligned columns after the first.

    Cells of the first column and of those that are named ``unbroken`` stay on one line.
    """
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        first = index == 0
        made.add_column(
            column,
            justify="left" if first else "right",
            overflow="fold",
            no_wrap=first or column in unbroken,
        )
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def figures(title: str, facts: Mapping[str, object]) -> None:
    """Print named figures, one a line."""
    made = Table(title=title, title_justify="left", show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None:
            made.add_row(name, str(value))
    out.print(made)


@contextlib.contextmanager
def progress(text: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a bar on stderr; yields a function that takes the number done so far, and the number
    of all if it was not known before."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
    with bar:
        task = bar.add_task(text, total=total)
        yield lambda done, all_=None: bar.update(task, completed=done, total=all_)


@contextlib.contextmanager
def stage(text: str) -> Iterator[Callable[[str], None]]:
    """Show a running clock on stderr; yields a function that changes the text."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
    with bar:
        task = bar.add_task(text, total=None)
        yield lambda changed: bar.update(task, description=changed)
