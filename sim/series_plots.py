# SPDX-License-Identifier: Apache-2.0
"""Picture of a network with a memory: series, states, what is sent, scores."""

from pathlib import Path
from typing import Any

import numpy as np

from model.description import Network, SeriesEncoding
from sim.drawing import HARDWARE, MODEL, finish, membranes, rows
from sim.verify import Verification

__all__ = ["draw_series"]

# States of the first channel that are drawn, the lowest ones; marks of the hardware on a curve.
_STATES = 5
_MARKS = 80
# Channels that are drawn as curves; more become a picture.
_CURVES = 4


def draw_series(network: Network, verification: Verification, sample: int, path: Path) -> Path:
    """Draw one series of a verification.

    Series and states of the memory; what the first layer sees and what the hidden neurons emit at
    the last answer, of the first member; membranes of the output neurons at that answer, and the
    scores of all answers. In a recurrent network the last answer is the whole sample.

    Parameters
    ----------
    network
        One with a memory.
    verification
        From `sim.verify.verify`.
    sample
        Index of the series.
    path
        PNG file to write.

    Returns
    -------
    pathlib.Path
        The file.
    """
    trace, seen = verification.trace, verification.rtl_series
    encoding, memory = network.encoding, network.memory
    assert isinstance(encoding, SeriesEncoding)
    assert memory is not None
    assert seen is not None
    answers = len(seen.steps)
    answer = (sample + 1) * answers - 1  # the last one of the sample
    winner = int(trace.winners[answer])
    hidden = [spikes[0, answer].numpy() for spikes in trace.spikes]
    figure, axes = rows(2 + (len(hidden) + 2) // 2)

    _series(axes[0, 0], trace.memory_inputs[sample].numpy())
    states = trace.memory_states[sample].numpy()
    found = seen.memory[sample] if sample < len(seen.memory) else None
    _states(axes[0, 1], states, found, min(_STATES, memory.order), memory.fraction_bits)

    grids = [axis for row in axes[1:-1] for axis in row]
    sent = trace.input_spikes[answer].numpy()
    name = "step" if network.is_recurrent else "read"
    _integers(grids[0], sent, None, name, "seen by layer 0")
    for layer, (golden, emitted) in enumerate(zip(hidden, seen.emitted, strict=True)):
        found = emitted[answer] if answer < len(emitted) else None
        _integers(grids[1 + layer], golden, found, name, f"emitted by hidden layer {layer}")
    for axis in grids[1 + len(hidden) :]:
        axis.set_axis_off()

    output = verification.rtl_potentials[-1]
    golden = trace.states[-1]["membrane"][0].numpy()
    title = f"output: membrane after each {name} (all, the class bold)"
    found = output[answer] if answer < len(output) else None
    membranes(axes[-1, 0], golden[answer], found, np.arange(network.classes), winner, title)
    thresholds = network.layers[-1].thresholds
    first = answer + 1 - answers
    _scores(
        axes[-1, 1],
        golden[first : answer + 1, -1] - thresholds,
        output[first : answer + 1, -1] - thresholds,
        seen.steps,
        winner,
    )
    return finish(figure, network, winner, path, "simulated RTL")


def _series(axes: Any, inputs: np.ndarray) -> None:
    """Integers that enter the memory, (T, channels)."""
    steps, channels = inputs.shape
    title = f"series: {steps} steps, {channels} channel{'s' if channels > 1 else ''}"
    if channels > _CURVES:
        axes.imshow(inputs.T, cmap="gray", aspect="auto", interpolation="nearest")
        axes.set(title=title, xlabel="step", ylabel="channel")
        return
    axes.step(np.arange(steps), inputs, where="mid", color="black", linewidth=0.8)
    axes.set(title=title, xlabel="step")


def _states(
    axes: Any, states: np.ndarray, found: np.ndarray | None, count: int, fraction_bits: int
) -> None:
    """The lowest states after each step, (T, states), as fractions of the largest input."""
    time, one = np.arange(len(states)), 1 << fraction_bits
    marked = time[:: max(1, len(time) // _MARKS)]
    for index in range(count):
        axes.plot(time, states[:, index] / one, color=MODEL, linewidth=2.2)
        axes.text(len(time), states[-1, index] / one, f" {index}", va="center", fontsize=8)
        if found is not None:
            values = found[marked, index] / one
            axes.plot(marked, values, "x", color=HARDWARE, markersize=3, mew=0.7)
    axes.set(title=f"memory: states 0 to {count - 1} after each step", xlabel="step")


def _integers(
    axes: Any, golden: np.ndarray, found: np.ndarray | None, name: str, title: str
) -> None:
    """Small integers (reads or steps, neurons), those in which the hardware differs crossed out."""
    image = axes.imshow(golden, cmap="coolwarm", aspect="auto", interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, pad=0.01)
    text = ""
    if found is not None:
        read, neuron = np.nonzero(golden != found)
        axes.plot(neuron, read, "x", color="black", markersize=5)
        text = f", {len(read)} of {golden.size} differ in RTL"
    what = "input" if found is None else "neuron"
    axes.set(title=f"{title}{text}", xlabel=what, ylabel=name)
    axes.yaxis.get_major_locator().set_params(integer=True)


def _scores(
    axes: Any, golden: np.ndarray, found: np.ndarray, steps: tuple[int, ...], winner: int
) -> None:
    """Scores of the answers on the way, or bars of a single one; (A, classes)."""
    if len(steps) == 1:
        classes = np.arange(golden.shape[1])
        axes.bar(
            classes,
            golden[0],
            color=MODEL,
            edgecolor=["black" if k == winner else "none" for k in classes],
        )
        if len(found):
            axes.plot(classes, found[0], "x", color=HARDWARE)
        axes.set(title="scores (the class framed)", xlabel="class", xticks=classes)
        return
    for index in range(golden.shape[1]):
        wide = 3.0 if index == winner else 1.4
        axes.plot(steps, golden[:, index], color=MODEL, linewidth=wide)
        axes.plot(steps[: len(found)], found[:, index], "x", color=HARDWARE, markersize=3, mew=0.7)
    axes.set(title="scores of the answers on the way (the class bold)", xlabel="input step")
