# SPDX-License-Identifier: Apache-2.0
"""What pictures share: colours, rows of axes, curves of model and hardware, legend and title."""

from pathlib import Path
from typing import Any

import numpy as np

from model.description import Network

__all__ = ["HARDWARE", "MODEL", "finish", "mark", "membranes", "rows"]

#: Colours of what the golden model gives, and of what the hardware did.
MODEL = "#9db8d9"
HARDWARE = "#c1272d"


def rows(count: int) -> tuple[Any, np.ndarray]:
    """A figure, and its axes: a row for each layer, two columns."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.2 + 2.6 * count), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(count, 2, squeeze=False)


def finish(figure: Any, network: Network, winner: int, path: Path, source: str | None) -> Path:
    """Legend and title, then the file."""
    handles, labels = [mark(figure.axes[0], MODEL, "s")], ["golden model"]
    if source is not None:
        handles.append(mark(figure.axes[0], HARDWARE, "x"))
        labels.append(source)
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    figure.suptitle(
        f"{'-'.join(map(str, network.sizes))}, {network.steps} steps: class {winner}",
        x=0.02,
        ha="left",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, format="png")
    return path


def mark(axes: Any, color: str, marker: str) -> Any:
    """An empty series for the legend."""
    return axes.plot([], [], marker, color=color, linestyle="none")[0]


def membranes(
    axes: Any,
    golden: np.ndarray,
    hardware: np.ndarray | None,
    chosen: np.ndarray,
    winner: int | None,
    title: str,
) -> None:
    """Potentials over time."""
    time = np.arange(len(golden))
    for neuron in chosen:
        wide = 3.0 if neuron == winner else 1.6
        axes.step(time, golden[:, neuron], where="mid", color=MODEL, linewidth=wide)
        if hardware is not None:
            axes.plot(time, hardware[:, neuron], "x", color=HARDWARE, markersize=3, mew=0.7)
    axes.set(title=title, xlabel="step")
