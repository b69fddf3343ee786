# SPDX-License-Identifier: Apache-2.0
"""Where bitstream and networks stand in the SPI flash of a board; the only definition.

The bitstream stands at 0. Each slot holds one network: a `SlotHeader` with its CRC-16 at the
slot's first byte, and the device image (`hw.formats.image_layout`) `IMAGE_OFFSET` bytes further on,
a whole erase sector. Numbers are little endian; the CRC is that of frames (`hw.link.packets`), most
significant byte first.
"""

import dataclasses

from amaranth.lib import data

from hw.formats.structures import field_spans, size_of, span_text
from hw.link.packets import CRC_BYTES

__all__ = [
    "ADDRESS_BITS",
    "IMAGE_OFFSET",
    "SLOT_MAGIC",
    "SLOT_VERSION",
    "FlashMap",
    "SlotHeader",
    "map_rows",
    "slot_rows",
]

#: First four bytes of a slot.
SLOT_MAGIC = b"PSSL"
#: Version of the slot header.
SLOT_VERSION = 1
#: Bytes from the beginning of a slot to its device image: the smallest erase sector.
IMAGE_OFFSET = 0x1000

#: Bits of an address in the flash.
ADDRESS_BITS = 24


class SlotHeader(data.Struct):
    """Start of a slot.

    Members: ``magic``, ``version``, ``design_hash`` (register 8 of the gateware that the image is
    for), ``generation`` (the valid slot with the highest one is booted), ``length`` (bytes of the
    image) and ``fingerprint`` (of its network). The gateware does not look at what follows the
    generation: it knows where an image ends.
    """

    magic: 32
    version: 8
    zero: 24
    design_hash: 32
    more_zero: 32
    generation: 32
    length: 32
    fingerprint: 32
    last_zero: 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlashMap:
    """Places of the slots, for all boards the same.

    Parameters
    ----------
    first_slot
        Address of slot 0, a multiple of the size of all slots.
    slot_bytes
        Bytes of a slot, a power of two above `IMAGE_OFFSET`.
    slots
        How many, 1..128, a power of two.

    Raises
    ------
    ValueError
        If the slots do not stand so, or reach beyond the addresses of 24 bits.
    """

    first_slot: int = 0x200000
    slot_bytes: int = 0x80000
    slots: int = 4

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("Slot bytes", self.slot_bytes, 2 * IMAGE_OFFSET, 1 << ADDRESS_BITS),
            ("Slots", self.slots, 1, 128),
        ):
            if not least <= value <= most or value & (value - 1):
                raise ValueError(f"{name} must be a power of two in {least}..{most}, not {value!r}")
        size = self.slots * self.slot_bytes
        most = (1 << ADDRESS_BITS) - size
        if self.first_slot % size or not 0 <= self.first_slot <= most:
            raise ValueError(
                f"First slot must be a multiple of {size:#x} in 0..{most:#x}, "
                f"not {self.first_slot:#x}"
            )

    @property
    def room(self) -> int:
        """Most bytes of an image."""
        return self.slot_bytes - IMAGE_OFFSET

    @property
    def end(self) -> int:
        """First address behind the last slot."""
        return self.first_slot + self.slots * self.slot_bytes

    def address(self, slot: int) -> int:
        """Address of a slot.

        Raises
        ------
        ValueError
            If there is no such slot.
        """
        if not 0 <= slot < self.slots:
            raise ValueError(f"Slot must be in 0..{self.slots - 1}, not {slot!r}")
        return self.first_slot + slot * self.slot_bytes


def map_rows() -> list[tuple[str, str, str]]:
    """Rows of a table of the flash: address, bytes, contents."""
    flash = FlashMap()
    rows = [("0x000000", f"{flash.first_slot:#x}", "bitstream")]
    for slot in range(flash.slots):
        rows.append((f"{flash.address(slot):#08x}", f"{flash.slot_bytes:#x}", f"slot {slot}"))
    return rows


def slot_rows() -> list[tuple[str, str]]:
    """Rows of a table of a slot: byte offsets, field."""
    rows = [(span_text(span), field) for field, span in field_spans(SlotHeader)]
    size = size_of(SlotHeader)
    rows.append((span_text(range(size, size + CRC_BYTES)), "CRC-16 of the bytes before"))
    rows.append((f"{IMAGE_OFFSET}...", "device image"))
    return rows
