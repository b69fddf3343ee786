# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import numpy as np
import pytest

from firmware.answers import DeviceError
from firmware.boot import boot_slot, boot_status
from firmware.driver import Device
from firmware.flash import flash_file, slot_image
from firmware.image import device_image
from hw.design.design import Design, Fold
from hw.flash.layout import IMAGE_OFFSET, FlashMap
from hw.formats.image_layout import LoadState
from hw.formats.register_map import BootState
from sim import flash_boot
from sim.flash_boot import measure_boot
from sim.virtual_board import VirtualBoard
from tests.popspike.conftest import small_network

NETWORKS = [small_network(seed) for seed in range(3)]
DESIGN = Design.for_networks(NETWORKS, [Fold(lanes=4), Fold(lanes=3)])
CLOCK_HZ = 2_000_000
IMAGE = np.random.default_rng(1).integers(0, 256, (4, 5)).astype(np.uint8)


def test_from_power_up_to_a_class(monkeypatch, capsys, cache):
    found = measure_boot(NETWORKS[0], DESIGN, sample=IMAGE, clock_hz=CLOCK_HZ, cache=cache)
    assert found.winner == found.expected
    assert found.image_bytes == len(device_image(NETWORKS[0], DESIGN))
    # Reset; waking; four headers, each twice; the image: `hw.flash.boot.Boot`.
    pause, period = 128, 2
    boot = pause + 8 * period + 8 * (pause + 288 * period + 1)
    boot += pause + period * (32 + 8 * found.image_bytes) + 4
    assert found.boot_cycles == pytest.approx(4 + boot, abs=2)
    assert found.boot_cycles < found.answer_cycles
    monkeypatch.setattr(flash_boot, "measure_boot", lambda *_, **__: found)
    assert flash_boot.main(["bs4nn-digits", "--data", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dataclasses.asdict(found)
    wrong = dataclasses.replace(found, winner=found.expected + 1)
    monkeypatch.setattr(flash_boot, "measure_boot", lambda *_, **__: wrong)
    assert flash_boot.main(["bs4nn-digits", "--data", "digits"]) == 1
    assert f"{found.boot_cycles} cycles" in capsys.readouterr().out


def test_a_host_chooses_among_the_networks_in_flash(cache):
    flash = FlashMap()
    slots = {
        slot: slot_image(network, DESIGN, generation=9 - slot, flash=flash)
        for slot, network in enumerate(NETWORKS)
    }
    slots[2] = slots[2][:-9] + bytes(9)
    with (
        VirtualBoard(
            DESIGN,
            clock_hz=CLOCK_HZ,
            link="spi",
            flash=flash,
            flash_content=flash_file(b"", slots),
            stepped=True,
            cache=cache,
        ) as board,
        Device(board.connect(), timeout=0.05) as device,
    ):
        assert board.run_until_active(1_000_000)
        assert boot_status(device).slot == 0
        status = boot_slot(device, 1)
        assert (status.slot, status.slots, status.state) == (1, 4, BootState.IDLE)
        assert not status.is_resident
        assert device.status().fingerprint == NETWORKS[1].fingerprint()
        for slot, why in ((2, r"its image is refused \(crc\)"), (3, "it has no header of this")):
            with pytest.raises(DeviceError, match=why):
                boot_slot(device, slot)
            assert device.status().state is LoadState.NONE
        with pytest.raises(ValueError, match=r"^Slot must be in 0\.\.3, not 4$"):
            boot_slot(device, 4)
        device.load(NETWORKS[2])
        assert boot_status(device).slot is None
        assert boot_slot(device, 0).slot == 0
        assert device.status().fingerprint == NETWORKS[0].fingerprint()
    assert len(slots[0]) > IMAGE_OFFSET
