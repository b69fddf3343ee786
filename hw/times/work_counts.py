# SPDX-License-Identifier: Apache-2.0
"""What a gateware does for one sample: operations and memory bits, counted.

Energy goes with these counts. They follow from sizes, and behind the memory from the words that
the samples make; nothing here is measured on a chip.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hw.design.design import Design, ceil_div
from hw.parts.step_shapes import neuron_state
from hw.times.step_sources import busy_words
from model.description import Network

__all__ = ["Work", "work_of"]

# Sums for a state and an input value: input term, entry, forward loop, rounding; backward loop,
# difference, rounding, new state.
_STATE_SUMS = 8
# And for each state of a read: the rounding offset.
_READ_SUMS = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """Work of one part of a gateware for one sample.

    Parameters
    ----------
    multiplications, additions
        Products, and sums of two numbers, those of lanes without a neuron left out.
    bits_read
        Bits that are read from memories.
    """

    multiplications: float
    additions: float
    bits_read: float

    def __add__(self, other: "Work") -> "Work":
        return Work(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in dataclasses.fields(self)
            }
        )

    def to_json(self) -> dict[str, float]:
        """Plain values."""
        return dataclasses.asdict(self)


def work_of(
    design: Design, network: Network, spikes: Sequence[np.ndarray], *, members: int = 1
) -> dict[str, Work]:
    """Work by part, mean over the samples: ``memory`` and ``encoder`` (where there is
    one), ``layer0``, ...

    Parameters
    ----------
    design, network
        A stepwise design, and what is loaded.
    spikes
        As `hw.schedule.schedule` takes them.
    members
        Members in use.
    """
    parts = {}
    if design.memory is not None:
        parts["memory"] = _memory_work(design, network)
    if design.encoder is not None:
        # The words of the first layer.
        words = float(busy_words(np.asarray(spikes[0]), design.layers[0]).sum()) / len(spikes[0])
        sums = words * network.memory.channels
        parts["encoder"] = Work(multiplications=0.0, additions=sums, bits_read=sums)
    for index, (layer, room) in enumerate(zip(network.layers, design.layers, strict=True)):
        train = np.asarray(spikes[index])
        # Samples come first, behind the members.
        passes = members if index == 0 else 1
        count = train.shape[0] if index == 0 else train.shape[1]
        words = passes * float(busy_words(train, room).sum()) / count
        steps = members * network.steps
        blocks = ceil_div(layer.neurons, room.lanes)
        updates = steps * layer.neurons
        state_bits = room.threshold_bits + room.gain_bits + neuron_state(room).size
        # Each word is added in each lane; a neuron's sum goes to its state, less the threshold.
        parts[f"layer{index}"] = Work(
            multiplications=0.0,
            additions=words * layer.neurons * room.inputs_per_cycle + 2.0 * updates,
            bits_read=words * blocks * room.row_bits + float(updates * state_bits),
        )
    return parts


def _memory_work(design: Design, network: Network) -> Work:
    memory, room = network.memory, design.memory
    steps = network.encoding.steps
    passes = steps * memory.states  # of the multiplier, up and down
    # At the end of a series, or in every step of a recurrent network.
    reads = memory.reads * memory.states * (1 if design.evaluates else steps)
    # A state, its coefficient and the forward value once each, state and coefficient twice.
    value_bits = 2 * room.state_bits + 2 * (room.coefficient_bits + 1) + room.forward_bits
    return Work(
        multiplications=2.0 * passes,
        additions=_STATE_SUMS * passes
        + steps * memory.channels * room.input_bits
        + _READ_SUMS * reads,
        bits_read=float(passes * value_bits + reads * (room.state_bits + room.shift_bits)),
    )
