# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies: random networks, images that hit their corners, random folds."""

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from hw.design.design import Design, Fold
from model.description import LatencyEncoding, Layer, Network, Readout

__all__ = ["core_runs", "designs", "images_for", "networks"]


def core_runs(examples: int) -> settings:
    """Settings of a test that runs a core for each example."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        # Each run takes a second or so: report the first failure instead of shrinking for minutes.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        print_blob=True,
    )


def _thresholds(rng: np.random.Generator, fan_in: int, neurons: int) -> np.ndarray:
    """Mostly within reach, some that fire at once, some that never fire."""
    near = rng.integers(-1, max(2, int(2 * fan_in**0.5)), neurons)
    kind = rng.random(neurons)
    never = np.full(neurons, fan_in + 1)
    at_once = rng.integers(-fan_in, 1, neurons)
    return np.where(kind < 0.1, at_once, np.where(kind < 0.2, never, near))


@st.composite
def networks(
    draw: st.DrawFn,
    *,
    max_layers: int = 3,
    max_inputs: int = 40,
    max_neurons: int = 20,
    steps: tuple[int, int] = (2, 64),
    readout: Readout | None = None,
) -> Network:
    """A random network; weights come from a drawn seed, so that only sizes shrink."""
    sizes = [draw(st.integers(1, max_inputs))]
    sizes += draw(st.lists(st.integers(1, max_neurons), min_size=1, max_size=max_layers))
    count = draw(st.integers(*steps))
    readout = readout or draw(st.sampled_from(list(Readout)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bias = rng.choice([0.3, 0.5, 0.7, 0.9])
    layers = [
        Layer.from_signs(
            np.where(rng.random((neurons, fan_in)) < bias, 1, -1),
            _thresholds(rng, fan_in, neurons),
        )
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(sorted(rng.integers(1, 256, count).tolist(), reverse=True))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers), readout=readout)


def images_for(network: Network, *, count: int, seed: int) -> np.ndarray:
    """Random images uint8 (count, features): sparse, dense, all black, all white, two-valued."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, network.features), dtype=np.uint8)
    for index in range(count):
        match index % 5:
            case 0:
                images[index, rng.random(network.features) < 0.8] = 0
            case 2:
                images[index] = rng.choice(np.array([0, 255], np.uint8))
            case 3:
                images[index] = rng.choice(images[index, :2], network.features)
    return images


def _larger(network: Network, rng: np.random.Generator) -> Network:
    """A network with as many layers, each side and the number of steps at least as large."""
    sizes = [size + int(rng.integers(0, 4)) for size in network.sizes]
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (after, before)), rng.integers(-2, 6, after))
        for before, after in zip(sizes, sizes[1:], strict=False)
    ]
    steps = network.steps + int(rng.integers(0, 3))
    return Network(
        encoding=LatencyEncoding(levels=(9,) * steps),
        layers=tuple(layers),
        readout=rng.choice(list(Readout)),
    )


@st.composite
def designs(draw: st.DrawFn, network: Network) -> Design:
    """A design that holds the network and often more; random lanes, inputs, times and pixels."""
    held = [network]
    if draw(st.booleans()):
        extra = draw(st.integers(0, 2**32 - 1))
        held.append(_larger(network, np.random.default_rng(extra)))
    inputs = [draw(st.sampled_from([1, 1, 2, 3, 4])) for _ in network.layers]
    folds = []
    for index, layer in enumerate(network.layers):
        following = inputs[index + 1] if index + 1 < len(inputs) else None
        times = 1 if following is None else following * draw(st.integers(1, 2))
        lanes = times * draw(st.integers(1, max(1, -(-(layer.neurons + 2) // times))))
        folds.append(Fold(lanes=lanes, inputs_per_cycle=inputs[index], times_per_cycle=times))
    inputs_may_be_words = len(network.layers) > 1 or all(
        held_network.readout is not Readout.SUMMED_POTENTIAL for held_network in held
    )
    kinds = ["pixels", "pixels", "words"] if inputs_may_be_words else ["pixels"]
    kind = draw(st.sampled_from(kinds))
    stoppable = (kind == "pixels" or len(network.layers) > 1) and all(
        folds[-1].lanes >= held_network.classes for held_network in held
    )
    return Design.for_networks(
        held,
        folds,
        pixels_per_cycle=inputs[0] * draw(st.integers(1, 2)),
        sample_input=kind,
        store_banks=draw(st.sampled_from([1, 2])),
        early_stop=stoppable and draw(st.booleans()),
    )
