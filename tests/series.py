# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies: random networks on series, with and without a Legendre memory."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st

from model.description import (
    Dynamics,
    Layer,
    LegendreMemory,
    Network,
    NeuronKind,
    Readout,
    SeriesEncoding,
)
from tests.stepwise import make_dynamics

__all__ = [
    "make_memory",
    "make_parallel",
    "make_recurrent",
    "make_series",
    "parallel_networks",
    "recurrent_networks",
    "series_for",
    "series_networks",
]


def make_memory(
    rng: np.random.Generator,
    *,
    order: int,
    window: int,
    channels: int = 1,
    emission_bits: int = 4,
    reads: int = 1,
    narrow: bool = False,
) -> LegendreMemory:
    """Random precision and emission shifts; ``narrow``: inputs so large that states saturate."""
    memory = LegendreMemory.for_window(
        order=order,
        window=window,
        channels=channels,
        coefficient_bits=int(rng.integers(4, 13)),
        fraction_bits=int(rng.integers(4, 15)),
        guard_bits=int(rng.integers(0, 5)),
        emission_bits=emission_bits,
        reads=reads,
    )
    most = min(memory.state_bits, memory.fraction_bits + 2)
    shifts = rng.integers(0, most, channels * order).astype(np.uint8)
    scale = 65535 if narrow else memory.input_scale
    shift = max(1, memory.input_shift - 4) if narrow else memory.input_shift
    return dataclasses.replace(memory, emission_shifts=shifts, input_scale=scale, input_shift=shift)


def make_layers(
    rng: np.random.Generator,
    sizes: tuple[int, ...],
    *,
    steps: int,
    number: tuple[int, bool],
    kinds: tuple[NeuronKind, ...],
    emission: tuple[int, bool] | None = None,
    members: int = 1,
    narrow: bool = False,
) -> tuple[Layer, ...]:
    """Hidden layers of kinds and an integrator behind them; the first sees such numbers."""
    layers = []
    for index, kind in enumerate((*kinds, NeuronKind.INTEGRATOR)):
        fan_in, neurons = sizes[index : index + 2]
        peak = 1 << (number[0] - number[1]) if number[0] > 1 else 1
        gains = None
        if kind is NeuronKind.DIFFUSED:
            bits, signed = emission or (int(rng.integers(1, 5)), bool(rng.integers(0, 2)))
            dynamics = Dynamics.bounded(
                kind=kind,
                fan_in=fan_in,
                fraction_bits=int(rng.integers(1, 9)),
                emission_bits=max(bits, 1 + signed),
                emission_signed=signed,
            )
            gains = rng.integers(0, 8, neurons).astype(np.uint8)
        else:
            dynamics = make_dynamics(kind, fan_in * peak, steps, rng, narrow=narrow)
        low = 1 if kind in (NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE) else -3 * peak
        layer = Layer.from_signs(
            rng.choice([-1, 1], (members, neurons, fan_in)),
            rng.integers(low, 3 * peak + 2, neurons),
            kind=kind,
            dynamics=dynamics,
            gains=gains,
            input_bits=number[0],
            input_signed=number[1],
        )
        number = layer.output_bits, layer.output_signed
        layers.append(layer)
    return tuple(layers)


def make_parallel(
    *,
    seed: int,
    order: int = 6,
    channels: int = 1,
    steps: int = 12,
    hidden: tuple[int, ...] = (5,),
    classes: int = 3,
    reads: int = 2,
    emission_bits: int = 4,
    kinds: tuple[NeuronKind, ...] | None = None,
    emission: tuple[int, bool] | None = None,
    members: int = 1,
    narrow: bool = False,
) -> Network:
    """A network of the parallel form: memory, layers that read it, an integrator."""
    rng = np.random.default_rng(seed)
    memory = make_memory(
        rng,
        order=order,
        channels=channels,
        window=max(2, steps),
        emission_bits=emission_bits,
        reads=reads,
        narrow=narrow,
    )
    layers = make_layers(
        rng,
        (memory.states, *hidden, classes),
        steps=reads,
        number=(emission_bits, True),
        kinds=kinds or (NeuronKind.DIFFUSED,) * len(hidden),
        emission=emission,
        members=members,
        narrow=narrow,
    )
    encoding = SeriesEncoding(steps=steps, channels=channels, zero=int(rng.integers(0, 256)))
    return Network(encoding=encoding, layers=layers, memory=memory, readout=Readout.FINAL_POTENTIAL)


def make_recurrent(
    *,
    seed: int,
    order: int = 5,
    memory_channels: int = 1,
    channels: int = 1,
    steps: int = 12,
    hidden: int = 4,
    classes: int = 3,
    bits: int = 3,
    narrow: bool = False,
) -> Network:
    """A recurrent network: the encoder's sums enter the memory, hidden neurons see themselves."""
    rng = np.random.default_rng(seed)
    memory = make_memory(
        rng,
        order=order,
        channels=memory_channels,
        window=max(2, steps),
        emission_bits=bits,
        narrow=narrow,
    )
    features = memory.states + channels + hidden
    layers = make_layers(
        rng,
        (features, hidden, classes),
        steps=steps,
        number=(bits, True),
        kinds=(NeuronKind.DIFFUSED,),
        emission=(bits, True),
    )
    encoder = Layer.from_signs(
        rng.choice([-1, 1], (memory_channels, features)),
        np.zeros(memory_channels),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics.bounded(kind=NeuronKind.INTEGRATOR, fan_in=features << bits),
        input_bits=bits,
        input_signed=True,
    )
    return Network(
        encoding=SeriesEncoding(
            steps=steps,
            channels=channels,
            zero=int(rng.integers(0, 256)),
            bits=bits,
            shift=int(rng.integers(0, 9)),
        ),
        layers=layers,
        memory=memory,
        encoder=encoder,
        encoder_shifts=tuple(int(each) for each in rng.integers(0, 8, 3)),
        readout=Readout.FINAL_POTENTIAL,
    )


def make_series(
    *,
    seed: int,
    channels: int = 3,
    steps: int = 10,
    hidden: tuple[int, ...] = (5,),
    classes: int = 3,
    kinds: tuple[NeuronKind, ...] | None = None,
    members: int = 1,
    narrow: bool = False,
) -> Network:
    """A network whose first layer sees every step of a series."""
    rng = np.random.default_rng(seed)
    encoding = SeriesEncoding(
        steps=steps,
        channels=channels,
        zero=int(rng.integers(0, 256)),
        bits=int(rng.integers(2, 10)),
        shift=int(rng.integers(0, 9)),
    )
    layers = make_layers(
        rng,
        (channels, *hidden, classes),
        steps=steps,
        number=(encoding.bits, True),
        kinds=kinds or (NeuronKind.DIFFUSED,) * len(hidden),
        members=members,
        narrow=narrow,
    )
    return Network(encoding=encoding, layers=layers, readout=Readout.FINAL_POTENTIAL)


_HIDDEN_KINDS = st.sampled_from(
    [NeuronKind.DIFFUSED, NeuronKind.DIFFUSED, NeuronKind.LIF, NeuronKind.SPIKE_RESPONSE]
)


@st.composite
def parallel_networks(draw: st.DrawFn, **fields: Any) -> Network:
    """A random network of the parallel form, of one or two hidden layers, committees among them."""
    kinds = tuple(draw(st.lists(_HIDDEN_KINDS, min_size=0, max_size=2)))
    chosen: dict[str, Any] = {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "order": draw(st.integers(2, 9)),
        "channels": draw(st.integers(1, 3)),
        "steps": draw(st.integers(1, 14)),
        "hidden": tuple(draw(st.integers(1, 6)) for _ in kinds),
        "kinds": kinds,
        "classes": draw(st.integers(1, 4)),
        "reads": draw(st.sampled_from([1, 2, 4, 8])),
        "emission_bits": draw(st.integers(2, 8)),
        "members": draw(st.integers(1, 3)),
        "narrow": draw(st.booleans()),
    }
    return make_parallel(**(chosen | fields))


@st.composite
def recurrent_networks(draw: st.DrawFn) -> Network:
    """A random recurrent network."""
    return make_recurrent(
        seed=draw(st.integers(0, 2**32 - 1)),
        order=draw(st.integers(2, 7)),
        memory_channels=draw(st.integers(1, 2)),
        channels=draw(st.integers(1, 3)),
        steps=draw(st.integers(1, 14)),
        hidden=draw(st.integers(1, 5)),
        classes=draw(st.integers(1, 4)),
        bits=draw(st.integers(2, 6)),
        narrow=draw(st.booleans()),
    )


@st.composite
def series_networks(draw: st.DrawFn) -> Network:
    """A random network that sees every step of a series."""
    kinds = tuple(draw(st.lists(_HIDDEN_KINDS, min_size=0, max_size=2)))
    return make_series(
        seed=draw(st.integers(0, 2**32 - 1)),
        channels=draw(st.integers(1, 5)),
        steps=draw(st.integers(1, 12)),
        hidden=tuple(draw(st.integers(1, 6)) for _ in kinds),
        kinds=kinds,
        members=draw(st.integers(1, 3)),
        narrow=draw(st.booleans()),
    )


def series_for(network: Network, *, count: int, seed: int) -> np.ndarray:
    """Random series uint8 (count, T, channels): sparse, dense, at the bounds, and constant ones."""
    encoding = network.encoding
    assert isinstance(encoding, SeriesEncoding)
    rng = np.random.default_rng(seed)
    series = rng.integers(0, 256, (count, encoding.steps, encoding.channels), dtype=np.uint8)
    for index in range(count):
        match index % 4:
            case 0:
                series[index, rng.random(series.shape[1:]) < 0.7] = encoding.zero
            case 2:
                series[index] = rng.choice(np.array([0, 255], np.uint8), series.shape[1:])
            case 3:
                series[index] = rng.choice(np.array([0, 255], np.uint8))
    return series
