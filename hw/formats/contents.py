# SPDX-License-Identifier: Apache-2.0
"""A network that stands in the gateware's memories when it powers up. Pure Python."""

import dataclasses
from collections.abc import Mapping

from hw.design.design import Design
from hw.formats.image_layout import ImageLayer, head_bytes
from hw.formats.structures import size_of
from hw.formats.write_target import write_targets

__all__ = ["Contents", "check_contents", "resident_head_bytes"]


def resident_head_bytes(design: Design) -> int:
    """Bytes of `Contents.head`."""
    return head_bytes(design) + size_of(ImageLayer) * len(design.layers) + 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contents:
    """What the memories of a gateware hold at power-up.

    ``firmware/resident.py`` makes it from a network. It is data, not a promise: a head that is not
    one of the design's is refused by the loader at power-up, and no network is active then.

    Parameters
    ----------
    head
        Device image (`hw.formats.image_layout`) without its memories: header, `ImageMemory` where
        the gateware has a Legendre memory, an `ImageLayer` a layer, then the CRC-32 of these bytes.
    rows
        By `hw.formats.write_target.WriteTarget.number`: every row of that memory, as many as the
        target says, each an integer of its ``row_bits``; bit 0 is the lowest bit of the row's first
        byte. Rows that the network does not use are 0.
    """

    head: bytes
    rows: Mapping[int, tuple[int, ...]]


def check_contents(contents: Contents, design: Design) -> Contents:
    """Return contents that have the sizes of a design.

    Raises
    ------
    ValueError
        If a memory is in SPRAM, which has no contents at power-up, or if a size is another one;
        the text names it.
    """
    if design.weight_memory == "spram":
        raise ValueError(
            "Design of a network in the bitstream must have no SPRAM, which is empty at power-up; "
            "load from flash instead"
        )
    size = resident_head_bytes(design)
    if len(contents.head) != size:
        raise ValueError(f"Head of contents must have {size} bytes, not {len(contents.head)}")
    targets = write_targets(design)
    numbers = [target.number for target in targets]
    if sorted(contents.rows) != numbers:
        raise ValueError(f"Memories of contents must be {numbers}, not {sorted(contents.rows)}")
    for target in targets:
        rows = contents.rows[target.number]
        if len(rows) != target.rows:
            raise ValueError(
                f"Rows of memory {target.number} ({target.name}) must be {target.rows}, "
                f"not {len(rows)}"
            )
        if rows and not 0 <= min(rows) <= max(rows) < 1 << target.row_bits:
            raise ValueError(
                f"Rows of memory {target.number} ({target.name}) must have {target.row_bits} bits"
            )
    return contents
