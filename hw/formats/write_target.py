# SPDX-License-Identifier: Apache-2.0
"""The core's memories that a device image fills: their numbers and rows. Pure Python."""

import dataclasses

from hw.design.design import Design, ceil_div
from hw.design.layer_design import index_bits

__all__ = [
    "ENCODER_TARGET",
    "MEMORY_TARGETS",
    "WriteTarget",
    "memory_target",
    "threshold_target",
    "weight_target",
    "write_row_bits",
    "write_targets",
]

#: Names of the memories of a Legendre memory, in order.
MEMORY_TARGETS = ("coefficients", "emission shifts")
#: Name of the weights of an encoder.
ENCODER_TARGET = "encoder weights"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WriteTarget:
    """One memory that is written row by row.

    Parameters
    ----------
    number
        Value of the core's ``write_target``.
    name
        ``"table"``, ``"weights"``, ``"thresholds"``, one of `MEMORY_TARGETS`, or
        `ENCODER_TARGET`.
    layer
        Layer; None for what belongs to no layer.
    rows, row_bits
        Rows of a full-size network, and bits of one.
    """

    number: int
    name: str
    layer: int | None = None
    rows: int
    row_bits: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, as they come: lowest first."""
        return ceil_div(self.row_bits, 8)


def weight_target(layer: int) -> int:
    """Number of the weight memory of a layer."""
    return 1 + layer


def threshold_target(design: Design, layer: int) -> int:
    """Number of the threshold memory of a layer of a stepwise design."""
    return 1 + len(design.layers) + layer


def memory_target(design: Design) -> int:
    """Number of the first memory of a Legendre memory."""
    return 1 + 2 * len(design.layers)


def write_targets(design: Design) -> tuple[WriteTarget, ...]:
    """All memories of a design, in the order of their numbers, which is that of an image.

    0: intensity table, where pixels become spike times (256 rows of 16 bits: spike step, 0xFFFF
    for none). 1 + l: weight memory of layer l, row ``member * rows_per_member + block *
    rows_per_block + planes + group``. 1 + L + l: threshold memory of layer l of a stepwise design
    of L layers, row ``neuron // U`` with U signed thresholds of ``threshold_bits``, lowest neuron
    lowest. 1 + 2 L: coefficients of a Legendre memory, row i. 2 + 2 L: its emission shifts, row
    ``channel * q + i``. 3 + 2 L: weights of an encoder, row = input, bit c = channel c.
    """
    targets = []
    if design.has_table:
        targets.append(WriteTarget(number=0, name="table", rows=256, row_bits=16))
    for index, layer in enumerate(design.layers):
        targets.append(
            WriteTarget(
                number=weight_target(index),
                name="weights",
                layer=index,
                rows=layer.rows,
                row_bits=layer.row_bits,
            )
        )
    for index, layer in enumerate(design.layers if design.is_stepwise else ()):
        targets.append(
            WriteTarget(
                number=threshold_target(design, index),
                name="thresholds",
                layer=index,
                rows=layer.state_rows,
                row_bits=layer.threshold_row_bits,
            )
        )
    if design.memory is not None:
        sizes = (
            (design.memory.order, design.memory.coefficient_bits + 1),
            (design.memory.states, design.memory.shift_bits),
        )
        for place, (name, (rows, bits)) in enumerate(zip(MEMORY_TARGETS, sizes, strict=True)):
            number = memory_target(design) + place
            targets.append(WriteTarget(number=number, name=name, rows=rows, row_bits=bits))
    if design.encoder is not None:
        targets.append(
            WriteTarget(
                number=memory_target(design) + len(MEMORY_TARGETS),
                name=ENCODER_TARGET,
                rows=design.encoder.features,
                row_bits=design.encoder.channels,
            )
        )
    return tuple(targets)


def write_row_bits(design: Design) -> int:
    """Width of a row number of all memories: 16 bits, more where a memory has more rows."""
    return max(16, *(index_bits(target.rows) for target in write_targets(design)))
