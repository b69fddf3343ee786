# SPDX-License-Identifier: Apache-2.0
"""Pictures: spike raster and membrane traces, golden model with the hardware drawn over it."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.description import Network
from model.golden import Trace
from model.golden import run as run_golden
from sim.verify import Verification

__all__ = ["plot_network", "plot_verification"]

_MODEL = "#9db8d9"
_HARDWARE = "#c1272d"
#: Hidden neurons whose membrane is drawn: those that fire first.
_TRACES = 6


def plot_verification(
    network: Network,
    verification: Verification,
    path: str | os.PathLike[str],
    *,
    image: int = 0,
) -> Path:
    """Draw one image of a verification: every potential that the simulated hardware had.

    Parameters
    ----------
    network
        What ran.
    verification
        From `sim.verify.verify`.
    path
        PNG file to write.
    image
        Index of the image.

    Returns
    -------
    pathlib.Path
        The file.
    """
    if not 0 <= image < verification.images:
        raise ValueError(f"Image must be below {verification.images}, not {image}")
    seen = [layer[image] if image < len(layer) else None for layer in verification.rtl_potentials]
    return _draw(network, verification.trace, image, seen, None, Path(path), "simulated RTL")


def plot_network(
    network: Network,
    image: np.ndarray,
    path: str | os.PathLike[str],
    *,
    output_steps: Sequence[int] | None = None,
) -> Path:
    """Draw what the golden model does with one image, and what a board answered.

    Parameters
    ----------
    network
        The network.
    image
        uint8, as many values as the network has features.
    path
        PNG file to write.
    output_steps
        Spike step of each output neuron as a board gave it, T where silent.

    Returns
    -------
    pathlib.Path
        The file.
    """
    trace = run_golden(network, np.asarray(image)[None], record_potentials=True)
    nothing = [None] * len(network.layers)
    return _draw(network, trace, 0, nothing, output_steps, Path(path), "board")


def _draw(
    network: Network,
    trace: Trace,
    image: int,
    seen: Sequence[np.ndarray | None],
    output_steps: Sequence[int] | None,
    path: Path,
    source: str,
) -> Path:
    """One row a layer, inputs first: raster on the left, membranes on the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = network.steps
    rows = len(network.layers) + 1
    figure = Figure(figsize=(11, 2.2 + 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, squeeze=False)
    arrivals = trace.input_steps[image].numpy()

    shape = network.input_shape if len(network.input_shape) == 2 else (1, network.features)
    picture = np.where(arrivals < steps, steps - arrivals, 0).reshape(shape)
    axes[0, 1].imshow(picture, cmap="gray", aspect="equal" if shape[0] > 1 else "auto")
    axes[0, 1].set(title="input (bright = early spike)", xticks=[], yticks=[])
    _raster(axes[0, 0], arrivals, None, steps, "input")

    for layer, potentials in enumerate(trace.potentials):
        is_output = layer == len(network.layers) - 1
        name = "output" if is_output else f"hidden layer {layer}"
        golden = potentials[image].numpy()
        fired = trace.spike_steps[layer][image].numpy()
        hardware = seen[layer]
        if hardware is not None:
            reached = hardware >= 0
            found = np.where(reached.any(0), reached.argmax(0), steps)
        else:
            found = np.asarray(output_steps) if is_output and output_steps is not None else None
        _raster(axes[layer + 1, 0], fired, found, steps, name)
        chosen = np.argsort(fired, kind="stable")[: len(fired) if is_output else _TRACES]
        winner = int(trace.winners[image]) if is_output else None
        _membranes(axes[layer + 1, 1], golden, hardware, chosen, winner, name)
    handles, labels = [_mark(axes[0, 0], _MODEL, "s")], ["golden model"]
    if output_steps is not None or any(layer is not None for layer in seen):
        handles.append(_mark(axes[0, 0], _HARDWARE, "x"))
        labels.append(source)
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    figure.suptitle(
        f"{'-'.join(map(str, network.sizes))}, {steps} steps: class {int(trace.winners[image])}",
        x=0.02,
        ha="left",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, format="png")
    return path


def _mark(axes: object, color: str, marker: str) -> object:
    """An empty series for the legend."""
    return axes.plot([], [], marker, color=color, linestyle="none")[0]


def _raster(
    axes: object, fired: np.ndarray, found: np.ndarray | None, steps: int, name: str
) -> None:
    """Spikes of a layer: step to the right, neuron upwards."""
    neurons = np.arange(len(fired))
    spikes = fired < steps
    axes.plot(fired[spikes], neurons[spikes], "s", color=_MODEL, markersize=5)
    if found is not None:
        spikes = found < steps
        axes.plot(found[spikes], neurons[spikes], "x", color=_HARDWARE, markersize=3.5, mew=0.8)
    what = "inputs" if name == "input" else "neurons"
    axes.set(
        title=f"{name}: {int((fired < steps).sum())} of {len(fired)} {what} spike",
        xlim=(-0.5, steps - 0.5),
        ylim=(-0.5, len(fired) - 0.5),
        xlabel="step",
        ylabel="neuron",
    )
    axes.yaxis.get_major_locator().set_params(integer=True)


def _membranes(
    axes: object,
    golden: np.ndarray,
    hardware: np.ndarray | None,
    chosen: np.ndarray,
    winner: int | None,
    name: str,
) -> None:
    """Potentials over time; 0 is the threshold."""
    time = np.arange(len(golden))
    for neuron in chosen:
        wide = 3.0 if neuron == winner else 1.6
        axes.step(time, golden[:, neuron], where="mid", color=_MODEL, linewidth=wide)
        if hardware is not None:
            axes.plot(time, hardware[:, neuron], "x", color=_HARDWARE, markersize=3, mew=0.7)
    axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
    what = "all outputs, the class bold" if winner is not None else "the first to spike"
    axes.set(title=f"{name}: potential - threshold ({what})", xlabel="step")
