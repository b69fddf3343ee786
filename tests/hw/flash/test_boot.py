# SPDX-License-Identifier: Apache-2.0
import dataclasses
import random

import pytest

from firmware.flash import slot_image
from firmware.image import device_image
from firmware.link import crc16
from firmware.resident import contents_of
from hw.flash.layout import IMAGE_OFFSET, FlashMap
from hw.formats.image_layout import LoadError
from hw.formats.register_map import NOT_FROM_FLASH, BootState
from tests.hw.flash.powered import DESIGN, MAP, NETWORKS, flash_with, powered

PRINTS = [network.fingerprint() for network in NETWORKS]
NOTHING = (None, NOT_FROM_FLASH)
TWO = FlashMap(first_slot=0x8000, slot_bytes=0x2000, slots=2)


def booted(slot):
    """What is held after a boot from a slot of `flash_with`."""
    return PRINTS[slot], slot


def altered(content, place, value=None):
    """Content with another byte; without a value its lowest bit is flipped."""
    content = bytearray(content)
    content[place] = content[place] ^ 1 if value is None else value
    return bytes(content)


def in_image(slot, place):
    """Address of a byte of an image."""
    return MAP.address(slot) + IMAGE_OFFSET + place


def boots(content, *, flash=MAP):
    """What is held after power-up, the cycles until then, and the addresses that were read."""
    outcome = []

    async def play(board):
        cycles = await board.boot()
        outcome.append((board.held(), board.state(), cycles))

    model = powered(play, content, flash=flash)
    return *outcome[0], model.reads


ORDERS = [{0: 5}, {3: 5}, {0: 1, 1: 2, 2: 3, 3: 4}, {0: 4, 1: 3, 2: 2}, {1: 7, 2: 7}]
#: Numbers whose bytes have to be looked at in the right order.
ORDERS += [{0: 0x0100_00FF, 1: 0x0200_0000, 2: 0xFF_FFFF, 3: 0x01FF_FFFF}, {0: 0, 2: 0}]
ORDERS.append(dict(enumerate(random.Random(1).choices(range(1 << 32), k=4))))


@pytest.mark.parametrize("generations", ORDERS, ids=str)
def test_the_highest_generation_is_booted(generations):
    newest = max(generations, key=lambda slot: (generations[slot], -slot))
    held, state, cycles, reads = boots(flash_with(generations))
    assert (held, state) == (booted(newest), BootState.IDLE)
    # Headers in order, each that is better than all before it once more; then the image.
    expected, best = [], -1
    for slot in range(MAP.slots):
        expected.append(MAP.address(slot))
        if generations.get(slot, -1) > best:
            best = generations[slot]
            expected.append(MAP.address(slot))
    assert reads == [*expected, in_image(newest, 0)]
    size = len(device_image(NETWORKS[newest], DESIGN))
    # As the docstring says, with a pause of 16 cycles and a period of 2.
    headers = 16 + 8 * 2 + len(expected) * (16 + 288 * 2 + 1)
    assert cycles == headers + 16 + 2 * (32 + 8 * size) + 4


@pytest.mark.parametrize("byte", [0x00, 0x55, 0xFF, None])
def test_an_empty_flash_ends_soon(byte):
    content = random.Random(1).randbytes(MAP.end) if byte is None else bytes([byte]) * MAP.end
    held, state, cycles, reads = boots(content)
    assert (held, state) == (NOTHING, BootState.NONE_VALID)
    assert reads == [MAP.address(slot) for slot in range(MAP.slots)]
    assert cycles == 16 + 8 * 2 + 4 * (16 + 288 * 2 + 1) + 1


def test_headers_that_are_not_valid_are_passed_over():
    both = flash_with({0: 3, 1: 9})
    place = MAP.address(1)
    other = slot_image(
        NETWORKS[1],
        dataclasses.replace(DESIGN, steps=DESIGN.steps + 1),
        generation=10,
        flash=MAP,
    )
    headers = [altered(both, place + at)[place : place + 32] for at in (0, 12, 20, 31)]
    headers.append(other[:32])
    for at, value in ((4, 2), (5, 1), (8, both[place + 8] ^ 0x80)):
        header = altered(both[place : place + 30], at, value)
        headers.append(header + crc16(header).to_bytes(2, "big"))

    async def play(board):
        for header in headers:
            board.model.content = both[:place] + header + both[place + 32 :]
            board.model.reads.clear()
            await board.pulse("reset")
            await board.boot()
            assert board.held() == booted(0)
            assert board.model.reads == [0x8000, 0x8000, 0xA000, 0x9000]

    powered(play, both, flash=TWO)


def test_an_image_that_is_refused_leaves_the_next_slot():
    content = flash_with({0: 8, 1: 9, 2: 7, 3: 10})
    size = len(device_image(NETWORKS[3], DESIGN))
    bad = altered(content, in_image(3, 30))  # wrong CRC
    worse = altered(bad, in_image(1, size - 1))  # as well
    worst = altered(worse, in_image(0, 4))  # another version
    for case, slot in ((content, 3), (bad, 1), (worse, 0), (worst, 2)):
        held, state, _, _ = boots(case)
        assert (held, state) == (booted(slot), BootState.IDLE)


def test_without_a_whole_image_there_is_no_network():
    content = flash_with({0: 8, 1: 9})

    async def play(board):
        await board.boot()
        assert (board.held(), board.state()) == (NOTHING, BootState.NONE_VALID)
        # The reason stays to be seen; a host loads all the same.
        assert board.ctx.get(board.dut.error) == LoadError.CRC
        await board.load(device_image(NETWORKS[2], DESIGN))
        assert (board.held(), board.state()) == ((PRINTS[2], NOT_FROM_FLASH), BootState.IDLE)

    powered(play, altered(altered(content, in_image(0, 31)), in_image(1, 31)), flash=TWO)


def test_a_network_is_written_and_the_cable_pulled_at_any_byte():
    """Before each cut the slot held an older network; a sector is erased before it is written.

    Many more cuts: ``python -m sim.faults --board flash``.
    """
    old = slot_image(NETWORKS[2], DESIGN, generation=3, flash=MAP)
    new = slot_image(NETWORKS[1], DESIGN, generation=9, flash=MAP)
    running = flash_with({0: 5})
    rng = random.Random(1)
    blank = bytes([0xFF]) * len(new)
    # Half erased, then written up to a byte: of header, gap and image.
    contents = [rng.randbytes(len(new)), blank, blank[:IMAGE_OFFSET] + old[IMAGE_OFFSET:]]
    cuts = [18, 32, IMAGE_OFFSET + 9, IMAGE_OFFSET + 40, len(new) - 1]
    contents += [new[:cut] + blank[cut:] for cut in cuts]
    # What was written last may be wrong, too.
    contents += [altered(new, cut) for cut in (IMAGE_OFFSET, len(new) - 1)]

    async def play(board):
        for content in [*contents, new]:
            board.model.content = running.ljust(TWO.address(1), b"\xff") + content
            await board.pulse("reset")
            await board.boot()
            if content == new:
                assert board.held() == booted(1)
            else:
                assert board.held() == booted(0)

    powered(play, running, flash=TWO)


@pytest.mark.parametrize("when", ["wake", "header", "image", "last byte"])
def test_a_host_that_loads_during_a_boot_wins(when):
    content = flash_with({1: 4})
    cycles = {"wake": 20, "header": 400, "image": 2100, "last byte": 2860}[when]
    image = device_image(NETWORKS[3], DESIGN)

    async def play(board):
        await board.ctx.tick().repeat(cycles)
        assert board.state() == BootState.BUSY
        await board.load(image)
        assert board.state() == BootState.IDLE
        assert board.held() == (PRINTS[3], NOT_FROM_FLASH)
        await board.ctx.tick().repeat(3000)
        assert board.held() == (PRINTS[3], NOT_FROM_FLASH)
        # A network that is dropped does not come back.
        await board.pulse("drop")
        await board.ctx.tick().repeat(3000)
        assert (board.held(), board.state()) == (NOTHING, BootState.IDLE)

    powered(play, content, flash=TWO)


def test_the_host_asks_for_slots():
    content = altered(flash_with({0: 3, 1: 9, 3: 2}), in_image(3, 33))

    async def play(board):
        await board.boot()
        assert board.held() == booted(1)
        for slot, held in ((0, booted(0)), (1, booted(1)), (2, NOTHING), (0, booted(0))):
            await board.boot_slot(slot)
            await board.ctx.tick().repeat(2)
            assert board.held() == NOTHING
            assert board.state() == BootState.BUSY
            await board.boot()
            assert board.held() == held
            assert board.state() == (BootState.NONE_VALID if slot == 2 else BootState.IDLE)
        # A bad image: no other slot is tried.
        await board.boot_slot(3)
        await board.boot()
        assert (board.held(), board.state()) == (NOTHING, BootState.NONE_VALID)
        # In the midst of another boot, and after a load.
        await board.boot_slot(0)
        await board.ctx.tick().repeat(1500)
        await board.boot_slot(1)
        await board.boot()
        assert board.held() == booted(1)
        await board.load(device_image(NETWORKS[2], DESIGN))
        assert board.held() == (PRINTS[2], NOT_FROM_FLASH)
        await board.boot_slot(0)
        await board.boot()
        assert board.held() == booted(0)

    powered(play, content)


def test_a_request_ends_an_image_that_is_being_sent():
    image = device_image(NETWORKS[2], DESIGN)

    async def play(board):
        await board.boot()
        await board.load(image[:40])
        await board.boot_slot(1)
        await board.boot()
        assert board.held() == booted(1)

    powered(play, flash_with({1: 9}), flash=TWO)


@pytest.mark.parametrize("flash", [None, TWO])
def test_a_network_in_the_bitstream_comes_first(flash):
    contents = contents_of(NETWORKS[2], DESIGN)
    content = flash_with({0: 9})

    async def play(board):
        await board.boot()
        await board.ctx.tick().repeat(400)
        assert board.held() == (PRINTS[2], NOT_FROM_FLASH)
        assert board.ctx.get(board.dut.boot.resident) == 1
        assert board.ctx.get(board.dut.boot.slots) == (0 if flash is None else 2)
        await board.pulse("reset")
        await board.ctx.tick().repeat(400)
        assert board.held() == (PRINTS[2], NOT_FROM_FLASH)
        # Once a host has begun to load, memories may hold anything: the head is not given again.
        await board.load(device_image(NETWORKS[3], DESIGN)[:50])
        await board.pulse("reset")
        await board.ctx.tick().repeat(400)
        await board.boot()
        assert board.held() == (NOTHING if flash is None else booted(0))

    model = powered(play, content, flash=flash, contents=contents)
    assert len(model.reads) == (0 if flash is None else 4)


def test_a_head_that_is_not_right_is_refused():
    contents = contents_of(NETWORKS[2], DESIGN)
    bad = dataclasses.replace(contents, head=altered(contents.head, 10))

    async def play(board):
        await board.ctx.tick().repeat(400)
        await board.boot()
        assert board.held() == booted(0)
        await board.load(device_image(NETWORKS[3], DESIGN))
        assert board.held() == (PRINTS[3], NOT_FROM_FLASH)

    powered(play, flash_with({0: 9}), flash=TWO, contents=bad)


@pytest.mark.parametrize("cycles", [1, 10, 100])
def test_a_host_that_loads_before_the_head_is_read_wins(cycles):
    contents = contents_of(NETWORKS[2], DESIGN)

    async def play(board):
        await board.ctx.tick().repeat(cycles)
        await board.load(device_image(NETWORKS[3], DESIGN))
        await board.ctx.tick().repeat(400)
        assert board.held() == (PRINTS[3], NOT_FROM_FLASH)

    powered(play, flash=None, contents=contents)


def test_maps_that_cannot_be():
    for fields, text in (
        ({"slot_bytes": 0x1800}, "Slot bytes must be a power of two in 8192..16777216, not 6144"),
        ({"slots": 3}, "Slots must be a power of two in 1..128, not 3"),
        (
            {"first_slot": 0x100000},
            r"First slot must be a multiple of 0x200000 in 0\.\.0xe00000, not 0x100000",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{text}$"):
            FlashMap(**fields)
    with pytest.raises(ValueError, match=r"^Slot must be in 0\.\.3, not 4$"):
        FlashMap().address(4)
