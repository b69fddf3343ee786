# SPDX-License-Identifier: Apache-2.0
"""Answers on the way through a series, shown while the board gives them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from firmware.answers import DeviceError, Result
from firmware.driver import Device
from firmware.group import DeviceGroup
from model.data import Samples
from model.description import Network
from model.encoding import SeriesEncoding
from popspike.console import out
from sim.choice import Choice

__all__ = ["check_stream", "stream"]

_BAR = 40
# Answers a sample, unless it is said how many.
_ANSWERS = 28


def check_stream(network: Network, every: int | None) -> int:
    """Steps from answer to answer of a network.

    Raises
    ------
    ValueError
        If it has no memory that is read on the way, or the number of steps is out of range.
    """
    encoding = network.encoding
    if network.memory is None or network.is_recurrent or not isinstance(encoding, SeriesEncoding):
        raise ValueError("A stream must go to a network with a Legendre memory and no encoder")
    steps = max(1, encoding.steps // _ANSWERS) if every is None else every
    Choice(step_results=steps).check(network)
    return steps


def stream(
    device: Device | DeviceGroup, network: Network, samples: Samples, *, every: int, quiet: bool
) -> dict[str, Any]:
    """Send series to a board that holds the network, and show every answer as it comes.

    On a terminal, a bar for each class moves; elsewhere, each answer is a line.

    Parameters
    ----------
    device
        The board.
    network
        On it; see `check_stream`.
    samples
        Series with labels.
    every
        Steps from answer to answer.
    quiet
        Show nothing.

    Returns
    -------
    dict
        Figures and the comparison of each answer with the golden model.
    """
    from model.golden import run_every

    device.choose(members=1, step_results=every)
    with _shown(network, samples, every, quiet=quiet) as show:
        answer = device.classify(samples.images, window=1, on_answer=show)
    device.choose(members=1)
    golden = run_every(network, samples.images, every=every)
    running, winners, expected = (
        answer.running_scores,
        answer.running_winners,
        golden.scores.numpy(),
    )
    if running is None or winners is None or running.shape != expected.shape:
        raise DeviceError(f"The board must answer each series {len(golden.steps)} times")
    different = (running != expected).any(axis=(1, 2))
    return {
        "dataset": samples.origin,
        "images": len(samples),
        "every": every,
        "answer_steps": list(golden.steps),
        "mismatches": int(different.sum()),
        "accuracy": float((answer.winners == samples.labels).mean()),
        "accuracy_after": (winners == samples.labels[:, None]).mean(axis=0).tolist(),
        "cycles_per_image": float(answer.cycles.mean()),
        "classes": answer.winners.tolist(),
        "running_classes": winners.tolist(),
        "running_scores": running.tolist(),
        "cycles": answer.cycles.tolist(),
    }


@contextlib.contextmanager
def _shown(
    network: Network, samples: Samples, every: int, *, quiet: bool
) -> Iterator[Callable[[int, int, Result], None] | None]:
    """Yields what shows an answer: sample, number, answer."""
    steps, beta = network.encoding.steps, network.inverse_temperature

    def facts(number: int, result: Result) -> tuple[int, np.ndarray]:
        heights = beta * result.scores
        powers = np.exp(heights - heights.max())
        return min((number + 1) * every, steps), powers / powers.sum()

    if quiet:
        yield None
    elif out.is_terminal:
        with Live(console=out, refresh_per_second=20) as live:
            yield lambda index, number, result: live.update(
                _bars(
                    index, int(samples.labels[index]), result.winner, steps, facts(number, result)
                ),
                refresh=True,
            )
    else:

        def line(index: int, number: int, result: Result) -> None:
            step, likely = facts(number, result)
            out.print(
                f"series {index} (label {int(samples.labels[index])}), step {step:4d} of {steps}: "
                f"class {result.winner}, probability {likely[result.winner]:.2f}",
                highlight=False,
            )

        yield line


def _bars(index: int, label: int, winner: int, steps: int, facts: tuple[int, np.ndarray]) -> Group:
    """A bar for each class."""
    step, likely = facts
    rows = Table.grid(padding=(0, 1))
    for number, share in enumerate(likely.tolist()):
        style = "green" if number == winner == label else "red" if number == winner else "dim"
        bar = "█" * round(_BAR * share)
        rows.add_row(str(number), Text(bar.ljust(_BAR), style=style), f"{share:.2f}")
    done = round(_BAR * step / steps)
    head = f"series {index} (label {label}): step {step} of {steps} " + "━" * done
    return Group(Text(head), rows)
