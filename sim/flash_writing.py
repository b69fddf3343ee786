# SPDX-License-Identifier: Apache-2.0
"""What a flash holds while a programmer writes to it, and when that is interrupted."""

import random

from firmware.flash import ERASED

__all__ = ["PAGE_BYTES", "SECTOR_BYTES", "interrupted_write", "write_operations"]

#: What is erased at a time.
SECTOR_BYTES = 4096
#: What is programmed at a time, at most.
PAGE_BYTES = 256


def write_operations(offset: int, data: bytes) -> list[tuple[str, int, bytes]]:
    """Operations of a programmer: all sectors are erased, then pages are programmed, upwards.

    Parameters
    ----------
    offset
        Address, the beginning of a sector.
    data
        What shall stand there. Pages that are erased anyway are left out.

    Returns
    -------
    list
        ``erase`` or ``program``, an address, and the bytes of a page.
    """
    operations = [("erase", offset + place, b"") for place in range(0, len(data), SECTOR_BYTES)]
    for place in range(0, len(data), PAGE_BYTES):
        page = data[place : place + PAGE_BYTES]
        if page.strip(bytes([ERASED])):
            operations.append(("program", offset + place, page))
    return operations


def interrupted_write(
    content: bytes, offset: int, data: bytes, *, at: int, rng: random.Random
) -> bytes:
    """Contents of a flash of which the power went during operation number ``at``.

    Erasing turns bits to 1 and programming turns bits to 0; of the operation that was interrupted
    any of the bits have turned, each by itself, or all of the first bytes and none of the others.

    Parameters
    ----------
    content
        Before, from address 0 on.
    offset, data
        As of `write_operations`.
    at
        As many operations are whole; none is interrupted if that is all of them.
    rng
        Chooses the bits.
    """
    operations = write_operations(offset, data)
    size = max(len(content), -(-(offset + len(data)) // SECTOR_BYTES) * SECTOR_BYTES)
    held = bytearray(content.ljust(size, bytes([ERASED])))
    for number, (kind, address, page) in enumerate(operations[: at + 1]):
        length = SECTOR_BYTES if kind == "erase" else len(page)
        before = bytes(held[address : address + length])
        after = bytes([ERASED]) * length
        if kind == "program":
            after = bytes(old & new for old, new in zip(before, page, strict=True))
        if number == at:
            if rng.random() < 0.5:
                place = rng.randrange(length)
                after = after[:place] + before[place:]
            else:
                turned = rng.randbytes(length)
                after = bytes(
                    old ^ ((old ^ new) & chosen)
                    for old, new, chosen in zip(before, after, turned, strict=True)
                )
        held[address : address + length] = after
    return bytes(held)
