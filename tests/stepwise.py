# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies: random stepwise networks, committees and their folds."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hw.design.design import Design, Fold
from model.description import Dynamics, Layer, Network, NeuronKind, Readout, Reset
from model.encoding import Encoding, LatencyEncoding, RateEncoding

__all__ = ["make_dynamics", "make_network", "stepwise_designs", "stepwise_networks"]


def make_dynamics(
    kind: NeuronKind, fan_in: int, steps: int, rng: np.random.Generator, *, narrow: bool = False
) -> Dynamics:
    """Random parameters; ``narrow`` widths saturate."""
    fields: dict[str, Any] = {}
    if kind is NeuronKind.INTEGRATOR:
        fields["burn_in"] = int(rng.integers(0, steps))
    else:
        fields["fraction_bits"] = int(rng.integers(0, 4))
        fields["membrane_shift"] = int(rng.integers(1, 5))
    if kind is NeuronKind.LIF:
        fields["reset"] = rng.choice([Reset.SUBTRACT, Reset.ZERO])
    if kind is NeuronKind.SPIKE_RESPONSE:
        fields["synapse_shift"] = int(rng.integers(1, 4))
        fields["refractory_shift"] = int(rng.integers(1, 4))
        fields["refractory_jump"] = int(rng.integers(0, 40))
    wide = Dynamics.bounded(kind=kind, fan_in=fan_in, steps=steps, **fields)
    if not narrow:
        return wide
    widths = {
        noun: max(3, getattr(wide, noun) - int(rng.integers(1, 5)))
        for noun in ("membrane_bits", "synapse_bits", "refractory_bits")
        if getattr(wide, noun)
    }
    return dataclasses.replace(wide, **widths)


def make_network(
    sizes: tuple[int, ...],
    *,
    seed: int,
    kind: NeuronKind | str = NeuronKind.LIF,
    members: int = 1,
    sampled: bool = False,
    encoding: Encoding | None = None,
    narrow: bool = False,
) -> Network:
    """A network with random weights, thresholds within reach, and random dynamics."""
    rng = np.random.default_rng(seed)
    encoding = encoding or LatencyEncoding(levels=(220, 180, 120, 60, 20), tail_steps=3)
    layers = []
    for index, (fan_in, neurons) in enumerate(zip(sizes, sizes[1:], strict=False)):
        here = NeuronKind.INTEGRATOR if index == len(sizes) - 2 else NeuronKind(kind)
        dynamics = make_dynamics(here, fan_in, encoding.steps, rng, narrow=narrow)
        scale = 1 << dynamics.fraction_bits
        low, high = (-3, 4) if here is NeuronKind.INTEGRATOR else (1, 2 + 3 * scale)
        signs = rng.choice([-1, 1], (members, neurons, fan_in), p=[0.4, 0.6])
        layer = Layer.from_signs(
            signs, rng.integers(low, high, neurons), kind=here, dynamics=dynamics
        )
        if sampled:
            mask = np.packbits(rng.random((neurons, fan_in)) < 0.3, axis=1, bitorder="little")
            layer = dataclasses.replace(layer, weights=layer.weights & ~mask, undecided=mask)
        layers.append(layer)
    return Network(encoding=encoding, layers=tuple(layers), readout=Readout.FINAL_POTENTIAL)


@st.composite
def stepwise_networks(
    draw: st.DrawFn,
    *,
    max_layers: int = 3,
    max_inputs: int = 24,
    max_neurons: int = 12,
    max_steps: int = 12,
    max_members: int = 3,
) -> Network:
    """A random network of neurons with a state; weights come from a drawn seed."""
    sizes = [draw(st.integers(1, max_inputs))]
    sizes += draw(st.lists(st.integers(1, max_neurons), min_size=1, max_size=max_layers))
    steps = draw(st.integers(1, max_steps))
    seed = draw(st.integers(0, 2**32 - 1))
    encoding: Encoding = RateEncoding(steps=steps, phase=seed % 256)
    if draw(st.booleans()):
        rng = np.random.default_rng(seed)
        tail = draw(st.integers(0, steps - 1))
        levels = tuple(sorted(rng.integers(1, 256, steps - tail).tolist(), reverse=True))
        encoding = LatencyEncoding(levels=levels, tail_steps=tail)
    sampled = draw(st.booleans())
    return make_network(
        tuple(sizes),
        seed=seed,
        kind=draw(st.sampled_from([NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE])),
        members=1 if sampled else draw(st.integers(1, max_members)),
        sampled=sampled,
        encoding=encoding,
        narrow=draw(st.booleans()),
    )


@st.composite
def stepwise_designs(draw: st.DrawFn, network: Network, **fields: Any) -> Design:
    """A design that holds the network; random lanes, inputs and members."""
    choices = [1, 2, 4] if network.is_sampled else [1, 2, 3, 4]
    inputs = [draw(st.sampled_from(choices)) for _ in network.layers]
    folds = []
    for index, layer in enumerate(network.layers):
        times = inputs[index + 1] if index + 1 < len(inputs) else 1
        lanes = times * draw(st.integers(1, max(1, -(-(layer.neurons + 2) // times))))
        folds.append(Fold(lanes=lanes, inputs_per_cycle=inputs[index], times_per_cycle=times))
    rates = isinstance(network.encoding, RateEncoding)
    fields.setdefault("pixels_per_cycle", inputs[0] * (1 if rates else draw(st.integers(1, 2))))
    fields.setdefault("store_banks", draw(st.sampled_from([1, 2])))
    if network.is_sampled:
        fields.setdefault("members", draw(st.integers(1, 3)))
    return Design.for_networks([network], folds, **fields)
