# SPDX-License-Identifier: Apache-2.0
"""Networks in the flash of a board that answers: which one it has, and another one instead."""

import dataclasses
import time

from firmware.answers import DeviceError
from firmware.driver import Device
from hw.formats.image_layout import LoadError
from hw.formats.register_map import NOT_FROM_FLASH, BootState, BootWord, register_address
from hw.formats.structures import to_bits, unpack

__all__ = ["BootStatus", "boot_slot", "boot_status"]

# Of a boot: the largest image at the slowest clock takes less.
_TIMEOUT_S = 5.0
# Between two looks; the line is busy for less.
_PAUSE_S = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True)
class BootStatus:
    """The register `hw.formats.register_map.BootWord`.

    Parameters
    ----------
    slot
        Slot that the active network came from; None: it did not come from flash.
    slots
        How many there are; 0: the gateware does not boot from flash.
    state
        What the boot does.
    is_resident
        A network stands in the bitstream.
    """

    slot: int | None
    slots: int
    state: BootState
    is_resident: bool


def boot_status(device: Device) -> BootStatus:
    """Ask a board.

    Raises
    ------
    DeviceError
        If it does not answer.
    """
    raw = device.read_registers(register_address("boot"), 1)[0]
    word = unpack(BootWord, raw.to_bytes(4, "little"))
    return BootStatus(
        slot=None if word["slot"] == NOT_FROM_FLASH else word["slot"],
        slots=word["slots"],
        state=BootState(word["state"]),
        is_resident=bool(word["resident"]),
    )


def boot_slot(device: Device, slot: int, *, timeout: float = _TIMEOUT_S) -> BootStatus:
    """Make the network of a slot active; the one in use is forgotten.

    Parameters
    ----------
    device
        The board.
    slot
        Number of the slot.
    timeout
        Seconds that the boot may take.

    Raises
    ------
    ValueError
        If there is no such slot; nothing is sent.
    DeviceError
        If the slot holds no whole network of this gateware, so that no network is active; or if the
        board does not answer, or not in time.
    """
    status = boot_status(device)
    if status.slots == 0:
        raise DeviceError("The board's gateware does not boot from flash")
    if not 0 <= slot < status.slots:
        raise ValueError(f"Slot must be in 0..{status.slots - 1}, not {slot!r}")
    device.write_register(register_address("boot"), to_bits(BootWord, slot=slot))
    deadline = time.monotonic() + timeout
    while (status := boot_status(device)).state is BootState.BUSY:
        if time.monotonic() > deadline:
            raise DeviceError(f"The boot from slot {slot} does not end within {timeout:g} s")
        time.sleep(_PAUSE_S)
    if status.slot != slot:
        error = device.status().load_error
        why = "it has no header of this gateware's design"
        if error is not LoadError.NONE:
            why = f"its image is refused ({error.name.lower()})"
        raise DeviceError(
            f"Slot {slot} holds no network for this board: {why}; no network is active"
        )
    return status
