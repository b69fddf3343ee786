# SPDX-License-Identifier: Apache-2.0
"""Pictures of predictions: reliability diagrams, spike rasters, decision surfaces.

Each is written as PNG and as SVG. matplotlib is imported where a picture is drawn.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.calibration import Reliability
from model.committee import run_stepwise
from model.data.moons import population_code
from model.description import Network
from model.events import Events
from model.predictions import predict

if TYPE_CHECKING:
    from model.yardstick import Yardstick

__all__ = ["draw_gains", "draw_raster", "draw_reliability", "draw_surface"]

_COLORS = ("#2b5f9e", "#c1272d", "#3a8f4b")
_DPI = 110
_COLORS_OF_PNG = 128
#: Points a side of the plane that decision surfaces are sampled at.
_GRID = 64


def draw_reliability(
    stem: Path, curves: Mapping[str, tuple[Reliability, float]], *, title: str
) -> list[Path]:
    """Draw accuracy over confidence, with the number of samples of each bin below.

    Parameters
    ----------
    stem
        Path of the files without ``.png`` and ``.svg``.
    curves
        By name, a curve and its calibration error.
    title
        Words above.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    figure = _figure(5.0, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    for color, (name, (curve, error)) in zip(_COLORS, curves.items(), strict=False):
        filled = curve.counts > 0
        above.plot(
            curve.confidence[filled],
            curve.accuracy[filled],
            "o-",
            color=color,
            markersize=4,
            linewidth=1.2,
            label=f"{name}: ECE {error:.3f}",
        )
        below.stairs(curve.counts, curve.edges, color=color, linewidth=1.2)
    bins = len(next(iter(curves.values()))[0].counts)
    above.set(ylabel="accuracy", title=title, xlim=(0, 1), ylim=(0, 1))
    above.legend(loc="upper left", frameon=False)
    below.set(xlabel=f"confidence ({bins} bins)", ylabel="samples", yscale="log")
    return _save(figure, stem)


def draw_raster(
    stem: Path, network: Network, sample: np.ndarray | Events, *, seed: int | None, title: str
) -> list[Path]:
    """Draw one sample through a stepwise network: spikes of every layer, then the scores.

    Parameters
    ----------
    stem
        Path of the files without ``.png`` and ``.svg``.
    network
        A stepwise network; the first member of a committee is shown.
    sample
        One sample, with its sample axis.
    seed
        Where members are drawn.
    title
        Words above.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    trace = run_stepwise(network, sample, members=1, seed=seed)
    layers = [("input", trace.input_spikes[0].numpy())]
    layers += [
        (f"hidden layer {index}", spikes[0, 0].numpy()) for index, spikes in enumerate(trace.spikes)
    ]
    figure = _figure(7.0, 1.9 * (len(layers) + 1) + 0.6)
    axes = figure.subplots(len(layers) + 1, 1, sharex=True, squeeze=False)[:, 0]
    for axis, (name, spikes) in zip(axes, layers, strict=False):
        steps, neurons = np.nonzero(spikes)
        size = max(0.5, min(4.0, 160 / spikes.shape[1]))
        axis.plot(steps, neurons, "s", color=_COLORS[0], markersize=size, mew=0, rasterized=True)
        axis.set(
            title=f"{name}: {len(steps)} spikes",
            ylabel=f"{spikes.shape[1]} inputs" if name == "input" else f"{spikes.shape[1]} neurons",
            ylim=(-0.5, spikes.shape[1] - 0.5),
        )
    scores = trace.running_scores[0].numpy()  # (T, classes)
    winner = int(trace.winners[0])
    for label in range(scores.shape[1]):
        wide = 2.4 if label == winner else 1.0
        axes[-1].step(np.arange(len(scores)), scores[:, label], where="mid", linewidth=wide)
        axes[-1].annotate(str(label), (len(scores) - 1, scores[-1, label]), fontsize=8)
    axes[-1].set(
        title=f"scores of the classes, class {winner} bold",
        xlabel="step",
        xlim=(-0.5, network.steps - 0.5),
    )
    figure.suptitle(title, x=0.02, ha="left")
    return _save(figure, stem)


def draw_surface(
    stem: Path,
    network: "Network | Yardstick",
    points: np.ndarray,
    labels: np.ndarray,
    *,
    members: int | None,
    seed: int | None,
    title: str,
) -> list[Path]:
    """Draw what a network of two classes says of every point of the plane, and how sure it is.

    Left: probability of class 1 and the border of the decision. Middle: entropy of the
    probabilities in bits. Right, of committees: share of the members that vote for the other
    class.

    Parameters
    ----------
    stem
        Path of the files without ``.png`` and ``.svg``.
    network
        Network or yardstick for population-coded points.
    points, labels
        Points in [0, 1] x [0, 1] that are drawn over the surface, and their classes 0 and 1.
    members, seed
        As for `model.predictions.predict`.
    title
        Words above.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    ValueError
        If the network does not have two classes.
    """
    axis = (np.arange(_GRID) + 0.5) / _GRID
    plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    prediction = predict(network, population_code(plane), members=members, seed=seed)
    if prediction.scores.shape[1] != 2:
        raise ValueError(
            f"Network must have 2 classes for a decision surface, not {prediction.scores.shape[1]}"
        )
    shares = prediction.probabilities.clip(1e-12, 1)
    panels = [
        ("probability of class 1", shares[:, 1], "RdBu_r"),
        ("uncertainty: entropy, bits", -(shares * np.log2(shares)).sum(axis=1), "viridis"),
    ]
    if prediction.members > 1:
        other = 1 - prediction.vote_shares[np.arange(len(plane)), prediction.winners]
        panels.append((f"share of {prediction.members} members against it", other, "viridis"))
    figure = _figure(4.2 * len(panels), 3.9)
    for shown, (name, values, colors) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        top = 0.5 if "members" in name else 1
        picture = shown.imshow(
            values.reshape(_GRID, _GRID),
            origin="lower",
            extent=(0, 1, 0, 1),
            cmap=colors,
            vmin=0,
            vmax=top,
        )
        border = prediction.winners.reshape(_GRID, _GRID)
        if 0 < border.mean() < 1:
            shown.contour(axis, axis, border, levels=[0.5], colors="black", linewidths=1)
        for label, mark in ((0, "o"), (1, "^")):
            chosen = points[labels == label]
            shown.plot(
                *chosen.T,
                mark,
                color="white",
                markeredgecolor="black",
                markersize=3,
                mew=0.4,
                rasterized=True,
            )
        shown.set(title=name, xlim=(0, 1), ylim=(0, 1))
        figure.colorbar(picture, ax=shown, shrink=0.85)
    figure.suptitle(title, x=0.02, ha="left")
    return _save(figure, stem)


def draw_gains(stem: Path, study: Mapping[str, Any]) -> list[Path]:
    """Draw accuracy over the gain of the quantisers, and over the bits that they send.

    Parameters
    ----------
    stem
        Path of the files without ``.png`` and ``.svg``.
    study
        As `model.train.lmu.study.gain_study` returns it.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    runs = study["runs"]
    accuracy = [100 * run["validation_accuracy"] for run in runs]
    hidden = [run["layers"][-1] for run in runs]
    figure = _figure(8.4, 3.6)
    left, right = figure.subplots(1, 2, sharey=True)
    gains = [run["gain"] for run in runs]
    left.plot(gains, accuracy, "o-", color=_COLORS[0], markersize=5, linewidth=1.2)
    left.set_xscale("log", base=2)
    left.set(xlabel="gain: levels for each deviation", ylabel="validation accuracy, %")
    bits = [layer["significant_bits"] for layer in hidden]
    right.plot(bits, accuracy, "o-", color=_COLORS[1], markersize=5, linewidth=1.2)
    for run, across, up in zip(runs, bits, accuracy, strict=True):
        right.annotate(
            f"{run['gain']:g}", (across, up), (4, -10), textcoords="offset points", fontsize=8
        )
    right.set_xscale("log", base=2)
    right.set(xlabel="set bits of a hidden neuron a read")
    for axis in (left, right):
        axis.grid(linewidth=0.3)
    name, size = study["recipe"], study["hidden"]
    figure.suptitle(f"{name} with {size} hidden neurons, trained for each gain", x=0.02, ha="left")
    return _save(figure, stem)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, stem: Path) -> list[Path]:
    """Write both forms; nothing in them depends on the day or on chance."""
    from matplotlib import rc_context
    from PIL import Image

    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{form}") for form in ("png", "svg")]
    with rc_context({"svg.hashsalt": "popspike"}):
        figure.savefig(paths[1], dpi=_DPI, metadata={"Date": None})
        figure.set_dpi(_DPI)
        figure.canvas.draw()
    # 128 colours: a third of the size, and no difference that shows.
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    picture.quantize(_COLORS_OF_PNG, dither=Image.Dither.NONE).save(paths[0], optimize=True)
    return paths
