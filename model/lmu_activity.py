# SPDX-License-Identifier: Apache-2.0
"""How busy a network of the parallel LMU is: bits of activities, of weights, operations.

Definitions, for what the memory sends and for each hidden layer, over samples, reads and neurons:

* *activity bits*: entropy of the integers that one neuron emits, mean over the neurons;
* *range bits*: bits that hold the least and the largest integer that a neuron emitted, with a
  sign where there is one, mean over the neurons;
* *significant bits*: bits that are set in an integer, as planes of two's complement are sent;
  each costs one addition at each weight that it meets;
* *active share*: share of the integers that are not 0.

Synaptic operations of a layer are its set bits times the neurons that they reach. The weights
themselves have one bit each, their sign.
"""

import dataclasses
from typing import Any

import numpy as np
import torch

from model.committee import run_trains
from model.description import Network

__all__ = ["LayerActivity", "activity"]

_BATCH = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerActivity:
    """Figures of what one layer sends, see the module.

    Parameters
    ----------
    layer
        ``memory``, or ``hidden 0`` and so on.
    emission_bits
        Bits of an integer, as built.
    activity_bits, range_bits, significant_bits, active_share
        See the module.
    set_bits
        Mean set bits of a sample: all reads, all neurons.
    synaptic_operations
        Mean additions of a sample that these bits cause.
    """

    layer: str
    emission_bits: int
    activity_bits: float
    range_bits: float
    significant_bits: float
    active_share: float
    set_bits: float
    synaptic_operations: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def activity(network: Network, sent: torch.Tensor) -> list[LayerActivity]:
    """Count what the memory and each hidden layer send.

    Parameters
    ----------
    network
        A network of the parallel form.
    sent
        int8 (N, R, states): what the memory sends of N samples.
    """
    assert network.memory is not None
    counts: list[_Counts] = [_Counts(network.memory.emission_bits, network.layers[0].neurons)]
    for layer, after in zip(network.layers, network.layers[1:], strict=False):
        counts.append(_Counts(layer.output_bits, after.neurons))
    for part in sent.split(_BATCH):
        trace = run_trains(network, part.to(torch.int16))
        counts[0].add(part.numpy())
        for count, emitted in zip(counts[1:], trace.spikes, strict=True):
            count.add(emitted[0].numpy())
    names = ["memory", *(f"hidden {index}" for index in range(len(counts) - 1))]
    return [count.figures(name) for name, count in zip(names, counts, strict=True)]


class _Counts:
    """How often each neuron emits each integer."""

    def __init__(self, bits: int, reached: int) -> None:
        self._bits, self._reached = bits, reached
        self._histogram = np.zeros((0, 2 << bits), dtype=np.int64)
        self._samples = 0

    def add(self, emitted: np.ndarray) -> None:
        """Integers (N, R, neurons), from -2^b to 2^b - 1."""
        neurons, wide = emitted.shape[-1], 2 << self._bits
        if not len(self._histogram):
            self._histogram = np.zeros((neurons, wide), dtype=np.int64)
        places = emitted.astype(np.int64) + wide // 2 + wide * np.arange(neurons)
        self._histogram += np.bincount(places.ravel(), minlength=neurons * wide).reshape(-1, wide)
        self._samples += len(emitted)

    def figures(self, name: str) -> LayerActivity:
        wide = self._histogram.shape[1]
        values = np.arange(wide) - wide // 2
        shares = self._histogram / self._histogram.sum(1, keepdims=True)
        logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
        occurs = self._histogram > 0
        lowest = np.where(occurs, values, wide).min(1)
        highest = np.where(occurs, values, -wide).max(1)
        magnitude = np.maximum(highest, -1 - lowest).clip(min=0)
        ranges = np.ceil(np.log2(magnitude + 1)) + (lowest < 0)
        planes = values & ((1 << self._bits) - 1)
        weights = np.array([int(plane).bit_count() for plane in planes])
        total = float((self._histogram * weights).sum())
        return LayerActivity(
            layer=name,
            emission_bits=self._bits,
            activity_bits=float(-(shares * logs).sum(1).mean()),
            range_bits=float(ranges.mean()),
            significant_bits=total / float(self._histogram.sum()),
            active_share=float(1 - shares[:, wide // 2].mean()),
            set_bits=total / self._samples,
            synaptic_operations=total / self._samples * self._reached,
        )
