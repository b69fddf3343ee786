# SPDX-License-Identifier: Apache-2.0
"""Pictures: spike raster and membrane traces, golden model with the hardware drawn over it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.description import Network
from model.golden import Trace
from model.golden import run as run_golden
from model.step_trace import StepwiseTrace
from sim.drawing import HARDWARE, MODEL, finish, membranes, rows
from sim.series_plots import draw_series
from sim.verify import Verification

__all__ = ["plot_network", "plot_verification"]

#: Hidden neurons whose membrane is drawn: those that fire first, or most.
_TRACES = 6
#: Spikes of a layer from which on they are drawn smaller.
_MANY = 2000

# Steps and neurons of the spikes of a layer, its steps and neurons in all.
_Spikes = tuple[np.ndarray, np.ndarray, int, int]


def plot_verification(
    network: Network,
    verification: Verification,
    path: str | os.PathLike[str],
    *,
    image: int = 0,
) -> Path:
    """Draw one image of a verification: every potential that the simulated hardware had.

    Of a stepwise network the membranes after each step, of a committee those of its first member;
    of one that reads a memory see `sim.series_plots`.

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
    if isinstance(verification.trace, StepwiseTrace):
        if verification.rtl_series is not None:
            return draw_series(network, verification, image, Path(path))
        return _draw_steps(network, verification.trace, image, seen, Path(path))
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
    steps = network.steps
    figure, axes = rows(len(network.layers) + 1)
    arrivals = trace.input_steps[image].numpy()

    shape = network.input_shape if len(network.input_shape) == 2 else (1, network.features)
    picture = np.where(arrivals < steps, steps - arrivals, 0).reshape(shape)
    axes[0, 1].imshow(picture, cmap="gray", aspect="equal" if shape[0] > 1 else "auto")
    axes[0, 1].set(title="input (bright = early spike)", xticks=[], yticks=[])
    _raster(axes[0, 0], _first_spikes(arrivals, steps), _spiking("input", arrivals, steps))

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
        spikes = None if found is None else _first_spikes(found, steps)
        _raster(
            axes[layer + 1, 0], _first_spikes(fired, steps), _spiking(name, fired, steps), spikes
        )
        chosen = np.argsort(fired, kind="stable")[: len(fired) if is_output else _TRACES]
        winner = int(trace.winners[image]) if is_output else None
        what = "all outputs, the class bold" if is_output else "the first to spike"
        title = f"{name}: potential - threshold ({what})"
        membranes(axes[layer + 1, 1], golden, hardware, chosen, winner, title)
        axes[layer + 1, 1].axhline(0, color="black", linewidth=0.8, linestyle=":")
    has_hardware = output_steps is not None or any(layer is not None for layer in seen)
    return finish(
        figure, network, int(trace.winners[image]), path, source if has_hardware else None
    )


def _draw_steps(
    network: Network,
    trace: StepwiseTrace,
    image: int,
    seen: Sequence[np.ndarray | None],
    path: Path,
) -> Path:
    """One row a layer of a stepwise network: what enters it left, its membranes right."""
    figure, axes = rows(len(network.layers))
    entering = [trace.input_spikes[image], *(spikes[0, image] for spikes in trace.spikes)]
    winner = int(trace.winners[image])
    for layer, (states, given) in enumerate(zip(trace.states, entering, strict=True)):
        is_output = layer == len(network.layers) - 1
        spikes = np.nonzero(given.numpy())
        name = "input" if layer == 0 else f"hidden layer {layer - 1}"
        _raster(axes[layer, 0], (*spikes, *given.shape), f"{name}: {len(spikes[0])} spikes")
        golden = states["membrane"][0, image].numpy()
        counts = np.zeros(golden.shape[1]) if is_output else trace.spikes[layer][0, image].sum(0)
        chosen = np.argsort(-np.asarray(counts), kind="stable")
        name = "output" if is_output else f"hidden layer {layer}"
        what = "all outputs, the class bold" if is_output else "the busiest"
        membranes(
            axes[layer, 1],
            golden,
            seen[layer],
            chosen if is_output else chosen[:_TRACES],
            winner if is_output else None,
            f"{name}: membrane after the step ({what})",
        )
    return finish(figure, network, winner, path, "simulated RTL")


def _first_spikes(fired: np.ndarray, steps: int) -> _Spikes:
    """Spikes of a layer whose neurons fire once, from the step of each."""
    (neurons,) = np.nonzero(fired < steps)
    return fired[neurons], neurons, steps, len(fired)


def _spiking(name: str, fired: np.ndarray, steps: int) -> str:
    """How many of a layer fire."""
    what = "inputs" if name == "input" else "neurons"
    return f"{name}: {int((fired < steps).sum())} of {len(fired)} {what} spike"


def _raster(axes: Any, spikes: _Spikes, title: str, found: _Spikes | None = None) -> None:
    """Spikes of a layer: step to the right, neuron upwards."""
    times, neurons, steps, count = spikes
    axes.plot(times, neurons, "s", color=MODEL, markersize=5 if len(times) < _MANY else 2)
    if found is not None:
        axes.plot(found[0], found[1], "x", color=HARDWARE, markersize=3.5, mew=0.8)
    axes.set(
        title=title,
        xlim=(-0.5, steps - 0.5),
        ylim=(-0.5, count - 0.5),
        xlabel="step",
        ylabel="neuron",
    )
    axes.yaxis.get_major_locator().set_params(integer=True)
