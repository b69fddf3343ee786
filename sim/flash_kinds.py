# SPDX-License-Identifier: Apache-2.0
"""Kinds of faults in a board's flash and in its boot, and what the board may hold afterwards."""

import contextlib
import random
from collections.abc import Callable

from firmware.boot import boot_status
from firmware.flash import flash_file, slot_image, unused_slots
from firmware.link import crc16
from firmware.transport import LinkError
from hw.flash.layout import IMAGE_OFFSET, FlashMap, SlotHeader
from hw.formats.register_map import BootState, BootWord, register_address
from hw.formats.structures import byte_span, size_of, to_bits
from hw.link.packets import CRC_BYTES
from sim.fault_board import FaultBench, FaultError, fault_design, fault_networks
from sim.fault_kinds import Scene, load_frames
from sim.flash_writing import interrupted_write, write_operations
from sim.virtual_board import VirtualBoard

__all__ = ["FAULT_FLASH", "FLASH_KINDS", "FlashBench", "flash_board", "writing_operations"]

#: Small, so that a search is short.
FAULT_FLASH = FlashMap(first_slot=0x8000, slot_bytes=0x2000, slots=2)
# More than a search and a load of both slots take.
_BOOT_CYCLES = 60_000
_HEADER_BYTES = size_of(SlotHeader) + CRC_BYTES


def _slot(network: int, generation: int) -> bytes:
    return slot_image(
        fault_networks()[network], fault_design(), generation=generation, flash=FAULT_FLASH
    )


def writing_operations() -> int:
    """Operations of a programmer that writes a slot."""
    return len(write_operations(FAULT_FLASH.address(0), _slot(1, 1)))


def flash_board(*, stepped: bool) -> VirtualBoard:
    """A board of `sim.fault_board.fault_design` with a flash of `FAULT_FLASH`, at 1 MHz."""
    return VirtualBoard(fault_design(), flash=FAULT_FLASH, clock_hz=1_000_000, stepped=stepped)


class FlashBench(FaultBench):
    """A bench whose board boots from flash: a network that it holds at first comes from there.

    ``content`` is what stands in the flash, ``used`` the slot of that network, ``older`` the
    network of an earlier generation in the other slot, if there is one.
    """

    content: bytes = b""
    used: int = 0
    generation: int = 0
    older: int | None = None

    def begin(self, rng: random.Random, held: int | None) -> None:
        """Power on with one of the networks in flash, or with none."""
        self.used, self.generation = rng.randrange(2), rng.randrange(2, 1 << 32)
        slots = {}
        self.older = None
        if held is not None:
            slots[self.used] = _slot(held, self.generation)
            self.older = rng.choice([None, 0, 1])
        if self.older is not None:
            slots[1 - self.used] = _slot(self.older, rng.randrange(self.generation))
        self.content = flash_file(b"", slots, flash=FAULT_FLASH)
        self.power()

    def power(self) -> None:
        """The power comes, and the board boots."""
        self.board.write_flash(self.content)
        self.board.power_cycle()
        self.boot()

    def boot(self) -> None:
        """Let the time of a boot pass."""
        self.board.run_until_active(_BOOT_CYCLES)

    def check(self, rng: random.Random, allowed: set[int | None]) -> int | None:
        """What must hold after any fault; the boot must have come to an end, too."""
        status = boot_status(self.device(rng))
        if status.state is BootState.BUSY:
            raise FaultError("The boot must have come to an end")
        return super().check(rng, allowed)

    def change(self, place: int, change: Callable[[bytes], bytes], size: int) -> None:
        """Change bytes of the slot in use, from a place in it on."""
        start = FAULT_FLASH.address(self.used) + place
        held = bytearray(self.content)
        held[start : start + size] = change(bytes(held[start : start + size]))
        self.content = bytes(held)


def _writing(scene: Scene) -> set[int | None]:
    """A new network is written beside the one in use, and interrupted at operation ``number``."""
    bench, rng = _bench(scene), scene.rng
    generation = bench.generation + (bench.generation < (1 << 32) - 1)
    used = bench.used if scene.held is not None else None
    [slot] = unused_slots(1, used=used, flash=FAULT_FLASH)
    new = _slot(scene.wanted, generation)
    operations = writing_operations()
    at = scene.number % (operations + 1)
    address = FAULT_FLASH.address(slot)
    bench.content = interrupted_write(bench.content, address, new, at=at, rng=rng)
    bench.power()
    if at >= len(write_operations(address, new)):
        return {scene.wanted}
    # All bits may have turned in time.
    is_whole = bench.content[address : address + len(new)] == new
    return {scene.wanted if is_whole else scene.held}


def _rot(scene: Scene) -> set[int | None]:
    """Bits of the newest slot have turned: it is not booted, the older one is."""
    bench, rng = _bench(scene), scene.rng
    if scene.held is None:
        return {None}
    image = len(_slot(scene.held, 0)) - IMAGE_OFFSET
    for _ in range(rng.randint(1, 3)):
        is_header = rng.random() < 0.3
        place = rng.randrange(_HEADER_BYTES) if is_header else IMAGE_OFFSET + rng.randrange(image)
        bit = 1 << rng.randrange(8)
        before = bench.content
        bench.change(place, lambda held, bit=bit: bytes([held[0] ^ bit]), 1)
        assert bench.content != before
    bench.power()
    # Bits that turned twice are as they were.
    start = FAULT_FLASH.address(bench.used)
    whole = _slot(scene.held, bench.generation)
    if bench.content[start : start + len(whole)] == whole:
        return {scene.held}
    return {bench.older}


def _unused_bytes(scene: Scene) -> set[int | None]:
    """Anything stands between header and image, and behind the image: it does not matter."""
    bench, rng = _bench(scene), scene.rng
    if scene.held is not None:
        bench.change(_HEADER_BYTES, lambda held: rng.randbytes(len(held)), 64)
        bench.content += rng.randbytes(64)
        bench.power()
    return {scene.held}


def _other_design(scene: Scene) -> set[int | None]:
    """The newest slot is of another design, magic or version, with a right CRC."""
    bench, rng = _bench(scene), scene.rng
    if scene.held is None:
        return {None}
    span = byte_span(SlotHeader, rng.choice(["magic", "version", "zero", "design_hash"]))

    def other(header: bytes) -> bytes:
        fields = bytearray(header[:-CRC_BYTES])
        fields[rng.randrange(span.start, span.stop)] ^= rng.randrange(1, 256)
        return bytes(fields) + crc16(bytes(fields)).to_bytes(CRC_BYTES, "big")

    bench.change(0, other, _HEADER_BYTES)
    bench.power()
    return {bench.older}


def _noise(scene: Scene) -> set[int | None]:
    """Anything stands in the flash."""
    bench, rng = _bench(scene), scene.rng
    size = FAULT_FLASH.end - FAULT_FLASH.first_slot
    bench.content = bytes(FAULT_FLASH.first_slot) + rng.randbytes(size)
    bench.power()
    return {None}


def _in_mid_boot(act: Callable[[VirtualBoard], None]) -> Callable[[Scene], set[int | None]]:
    """Reset, or power, in the midst of a boot; it begins anew."""

    def fault(scene: Scene) -> set[int | None]:
        bench, rng = _bench(scene), scene.rng
        bench.board.power_cycle()
        for _ in range(rng.randint(1, 3)):
            bench.board.run(rng.randrange(1, 14_000))
            act(bench.board)
        bench.boot()
        return {scene.held}

    return fault


def _load_in_mid_boot(scene: Scene) -> set[int | None]:
    """A host loads a network while the board boots another; or begins to, and leaves."""
    bench, rng = _bench(scene), scene.rng
    bench.board.power_cycle()
    bench.board.run(rng.randrange(1, 14_000))
    if rng.random() < 0.5:
        return scene.load(bench.board.connect()) & {scene.wanted}
    frames = load_frames(scene.wanted, rng, 128)
    scene.send(b"".join(frames[: rng.randrange(1, len(frames) - 1)]))
    return {None}


def _asked(scene: Scene) -> set[int | None]:
    """A host asks for a slot, perhaps in mid-boot or in mid-load, perhaps the empty one."""
    bench, rng = _bench(scene), scene.rng
    way = rng.randrange(3)
    if way == 1:
        bench.board.power_cycle()
        bench.board.run(rng.randrange(1, 14_000))
    if way == 2:
        frames = load_frames(scene.wanted, rng, 128)
        scene.send(b"".join(frames[: rng.randrange(1, len(frames))]))
    slot = rng.randrange(2)
    word = to_bits(BootWord, slot=slot)
    bench.device(rng).write_register(register_address("boot"), word)
    if rng.random() < 0.3:
        # The host goes on with a load that is no more.
        scene.send(b"".join(load_frames(scene.wanted, rng, 128)[1:-2]))
    bench.boot()
    return {scene.held if slot == bench.used else bench.older}


def _lost_in_mid_boot(scene: Scene) -> set[int | None]:
    """A host asks for a slot again and again while it boots, and talks of other things."""
    bench, rng = _bench(scene), scene.rng
    device = bench.device(rng)
    slot = bench.used
    for _ in range(rng.randint(1, 5)):
        slot = rng.randrange(2)
        device.write_register(register_address("boot"), to_bits(BootWord, slot=slot))
        if rng.random() < 0.5:
            bench.board.run(rng.randrange(12_000))
        if rng.random() < 0.5:
            # There may be no network, or one of another size.
            with contextlib.suppress(LinkError, ValueError, FaultError):
                bench.classify(device, rng.randrange(2))
    bench.boot()
    return {scene.held if slot == bench.used else bench.older}


def _bench(scene: Scene) -> FlashBench:
    assert isinstance(scene.bench, FlashBench)
    return scene.bench


#: Kinds by name, as `sim.fault_kinds.KINDS`.
FLASH_KINDS: dict[str, Callable[[Scene], set[int | None]]] = {
    "writing interrupted": _writing,
    "bits of flash turned": _rot,
    "unused bytes of flash": _unused_bytes,
    "slot of another design": _other_design,
    "noise in flash": _noise,
    "reset in mid-boot": _in_mid_boot(VirtualBoard.reset),
    "power loss in mid-boot": _in_mid_boot(VirtualBoard.power_cycle),
    "load in mid-boot": _load_in_mid_boot,
    "slot asked for": _asked,
    "slots asked for in mid-boot": _lost_in_mid_boot,
}
