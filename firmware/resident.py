# SPDX-License-Identifier: Apache-2.0
"""A network in the memories of a bitstream: the contents of `hw.contents` from a network."""

import zlib

from firmware.image import device_image
from hw.contents import Contents, check_contents, resident_head_bytes
from hw.design import Design
from hw.image_layout import ImageHeader
from hw.structures import size_of, unpack
from hw.write_target import ENCODER_TARGET, MEMORY_TARGETS, write_targets
from model.description import Network

__all__ = ["contents_of"]


def contents_of(network: Network, design: Design) -> Contents:
    """What the memories of a gateware must hold at power-up for a network to be active then.

    Raises
    ------
    hw.design.CapacityError
        If the gateware cannot hold the network; the text names the field.
    ValueError
        If weights are in SPRAM, which is empty at power-up.
    """
    image = device_image(network, design)
    head = image[: resident_head_bytes(design) - 4]
    sets = max(1, unpack(ImageHeader, image[: size_of(ImageHeader)])["members"])
    place = len(head)
    rows: dict[int, tuple[int, ...]] = {}
    for target in write_targets(design):
        room = None if target.layer is None else design.layers[target.layer]
        # First row and number of rows of each piece that follows in the image.
        pieces = [(0, target.rows)]
        if target.name == ENCODER_TARGET:
            pieces = [(0, network.features)]
        elif target.name in MEMORY_TARGETS and network.memory is not None:
            is_first = target.name == MEMORY_TARGETS[0]
            pieces = [(0, network.memory.order if is_first else network.memory.states)]
        elif room is not None and target.layer is not None:
            blocks = -(-network.layers[target.layer].neurons // room.lanes)
            pieces = [(0, blocks * room.beats)]
            if target.name == "weights":
                size = blocks * room.rows_per_block
                members = 1 if room.members == 1 else sets
                pieces = [(member * room.rows_per_member, size) for member in range(members)]
        values = [0] * target.rows
        mask = (1 << target.row_bits) - 1
        for first, count in pieces:
            for row in range(first, first + count):
                raw = image[place : place + target.row_bytes]
                values[row] = int.from_bytes(raw, "little") & mask
                place += target.row_bytes
        rows[target.number] = tuple(values)
    assert place == len(image) - 4  # every byte of the image has its place
    contents = Contents(head=head + zlib.crc32(head).to_bytes(4, "little"), rows=rows)
    return check_contents(contents, design)
