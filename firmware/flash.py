# SPDX-License-Identifier: Apache-2.0
"""Contents of a board's SPI flash: a bitstream, and slots with networks.

The format stands in ``hw/flash/layout.py``.
"""

import contextlib
import dataclasses
import time
from collections.abc import Mapping

from firmware.image import device_image
from firmware.link import crc16
from hw.design.design import Design
from hw.flash.layout import IMAGE_OFFSET, SLOT_MAGIC, SLOT_VERSION, FlashMap, SlotHeader
from hw.formats.structures import pack, size_of, unpack
from hw.link.packets import CRC_BYTES
from model.description import Network

__all__ = [
    "ERASED",
    "FlashError",
    "SlotFields",
    "flash_file",
    "generation_now",
    "parse_slot",
    "slot_image",
    "slots_of",
    "unused_slots",
]

#: A byte that has been erased and not written.
ERASED = 0xFF

_MOST_GENERATION = (1 << 32) - 1


class FlashError(ValueError):
    """What cannot stand in a flash, or does not stand there whole; the text names it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlotFields:
    """What the header of a valid slot says; see `hw.flash.layout.SlotHeader`."""

    design_hash: int
    generation: int
    length: int
    fingerprint: int


def generation_now() -> int:
    """Generation of what is written now: seconds since 1970."""
    return int(time.time()) & _MOST_GENERATION


def slot_image(
    network: Network, design: Design, *, generation: int, flash: FlashMap | None = None
) -> bytes:
    """Bytes of a slot, from its first address on.

    Parameters
    ----------
    network
        What the slot shall hold.
    design
        Gateware that boots it.
    generation
        0..2^32 - 1; the slot with the highest one is booted.
    flash
        Gives the size of a slot.

    Raises
    ------
    hw.design.design.CapacityError
        If the gateware cannot hold the network; the text names the field.
    FlashError
        If the generation is out of range, or the image too large for a slot.
    """
    flash = flash or FlashMap()
    if not 0 <= generation <= _MOST_GENERATION:
        raise FlashError(f"Generation must be in 0..{_MOST_GENERATION}, not {generation!r}")
    image = device_image(network, design)
    if len(image) > flash.room:
        raise FlashError(f"Image of a slot must have at most {flash.room} bytes, not {len(image)}")
    header = pack(
        SlotHeader,
        magic=int.from_bytes(SLOT_MAGIC, "little"),
        version=SLOT_VERSION,
        design_hash=design.design_hash(),
        generation=generation,
        length=len(image),
        fingerprint=network.fingerprint(),
    )
    header += crc16(header).to_bytes(CRC_BYTES, "big")
    return header.ljust(IMAGE_OFFSET, bytes([ERASED])) + image


def parse_slot(raw: bytes) -> SlotFields:
    """Header of a slot.

    Raises
    ------
    FlashError
        If it is not one; the text names the field.
    """
    size = size_of(SlotHeader)
    header = raw[: size + CRC_BYTES]
    if len(header) < size + CRC_BYTES:
        raise FlashError(f"Slot header must have {size + CRC_BYTES} bytes, not {len(header)}")
    if crc16(header) != 0:
        raise FlashError("CRC-16 of slot header must match its bytes")
    fields = unpack(SlotHeader, header[:size])
    for name, wanted in (
        ("magic", int.from_bytes(SLOT_MAGIC, "little")),
        ("version", SLOT_VERSION),
        ("zero", 0),
        ("more_zero", 0),
    ):
        if fields[name] != wanted:
            raise FlashError(f"Slot header must have the {name} {wanted:#x}")
    return SlotFields(**{each.name: fields[each.name] for each in dataclasses.fields(SlotFields)})


def slots_of(content: bytes, *, flash: FlashMap | None = None) -> dict[int, SlotFields]:
    """Slots of a flash's content, from address 0 on, that begin with a valid header."""
    flash = flash or FlashMap()
    found = {}
    for slot in range(flash.slots):
        with contextlib.suppress(FlashError):
            found[slot] = parse_slot(content[flash.address(slot) :])
    return found


def unused_slots(count: int, *, used: int | None, flash: FlashMap | None = None) -> list[int]:
    """Slots for new networks: from the one behind the slot in use on, never that one itself.

    Parameters
    ----------
    count
        How many.
    used
        Slot that the board booted from; None: not known, or not from flash.
    flash
        Gives the number of slots.

    Raises
    ------
    FlashError
        If there are not as many.
    """
    flash = flash or FlashMap()
    first = 0 if used is None else used + 1
    slots = [(first + step) % flash.slots for step in range(flash.slots)]
    slots = [slot for slot in slots if slot != used]
    if count > len(slots):
        kept = "" if used is None else f", as slot {used} is in use"
        raise FlashError(f"Networks for the flash must be at most {len(slots)}{kept}, not {count}")
    return slots[:count]


def flash_file(
    bitstream: bytes, slots: Mapping[int, bytes], *, flash: FlashMap | None = None
) -> bytes:
    """The whole flash from address 0 to the end of the last slot that is filled.

    Raises
    ------
    FlashError
        If the bitstream reaches into the slots.
    """
    flash = flash or FlashMap()
    if len(bitstream) > flash.first_slot:
        raise FlashError(
            f"Bitstream must have at most {flash.first_slot} bytes, not {len(bitstream)}"
        )
    content = bytearray(bitstream)
    for slot, raw in sorted(slots.items()):
        content += bytes([ERASED]) * (flash.address(slot) - len(content)) + raw
    return bytes(content)
