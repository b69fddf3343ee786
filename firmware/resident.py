# SPDX-License-Identifier: Apache-2.0
"""A network in the memories of a bitstream: the contents of `hw.formats.contents` from a
network."""

import zlib

from firmware.image import ImageReader, device_image
from hw.design.design import Design
from hw.formats.contents import Contents, check_contents, resident_head_bytes
from hw.formats.write_target import write_targets
from model.description import Network

__all__ = ["contents_of"]


def contents_of(network: Network, design: Design) -> Contents:
    """What the memories of a gateware must hold at power-up for a network to be active then.

    Raises
    ------
    hw.design.design.CapacityError
        If the gateware cannot hold the network; the text names the field.
    ValueError
        If weights are in SPRAM, which is empty at power-up.
    """
    image = device_image(network, design)
    reader = ImageReader(image, design)
    head = image[: resident_head_bytes(design) - 4]
    rows: dict[int, tuple[int, ...]] = {}
    for target in write_targets(design):
        mask = (1 << target.row_bits) - 1
        held = [int.from_bytes(row.tobytes(), "little") & mask for row in reader.memory(target)]
        sets, apart = 1, target.rows
        if target.name == "weights" and target.layer is not None:
            sets, apart = reader.sets(target.layer), design.layers[target.layer].rows_per_member
        size = len(held) // sets
        values = [0] * target.rows
        for member in range(sets):
            first = member * apart
            values[first : first + size] = held[member * size : (member + 1) * size]
        rows[target.number] = tuple(values)
    contents = Contents(head=head + zlib.crc32(head).to_bytes(4, "little"), rows=rows)
    return check_contents(contents, design)
