# SPDX-License-Identifier: Apache-2.0
"""The C driver, sanitizers on, drives the gateware of the virtual board."""

import numpy as np
import pytest

from firmware.flash import flash_file, slot_image
from firmware.image import device_image
from hw.design.design import Design, Fold
from hw.flash.layout import FlashMap
from hw.formats.image_layout import LoadState
from hw.formats.register_map import PROTOCOL_VERSION, BootState, BootWord, register_address
from hw.formats.structures import to_bits
from hw.link.packets import SILENT, RefusalReason
from model import zoo
from model.data import open_dataset
from model.description import LatencyEncoding, Layer, Network
from model.golden import run
from sim.virtual_board import VirtualBoard
from tests.firmware.c_console import Console, TransportLine, build_console

DIGITS = 20


@pytest.mark.slow
def test_mnist_digits(tmp_path):
    network = zoo.load("bs4nn-mnist-256")
    design = Design.for_networks([network], [Fold(lanes=4), Fold(lanes=5)])
    image = device_image(network, design)
    digits = open_dataset("mnist-samples").part().images[:DIGITS].reshape(DIGITS, -1)
    golden = run(network, digits)
    with VirtualBoard(design) as board, board.connect() as transport:
        with Console(build_console(tmp_path), TransportLine(transport)) as driver:
            # Simulated time runs at the pace that the machine allows.
            driver.call("timeout", 10_000)
            identity = driver.call("identify")
            assert identity.error == "OK"
            assert identity.values[:2] == [PROTOCOL_VERSION, design.design_hash()]
            driver.image = lambda offset, count: image[offset : offset + count]
            assert driver.call("load_from", len(image), 1024).error == "OK"
            status = driver.call("status").values
            assert status[:3] == [network.fingerprint(), 0, LoadState.ACTIVE.value]
            assert status[4:] == [784, 10]
            for index, digit in enumerate(digits):
                answer = driver.call("classify", 66, digit.tobytes())
                assert answer.error == "OK"
                winner, classes, cycles, *entries = answer.values
                assert (winner, classes) == (golden.winners[index], 10)
                assert cycles > 0
                spikes = [network.steps if step == SILENT else step for step in entries[::2]]
                assert spikes == golden.spike_steps[-1][index].tolist()
                assert entries[1::2] == golden.scores[index].tolist()
            assert driver.call("status").values[1] == 0


def small_network(seed):
    """The last layer has a block for each class in the design below, and each a pass that is longer
    than SPI takes for an entry of the answer: so the answer comes in pieces."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (neurons, fan_in)), rng.integers(-9, 1, neurons))
        for fan_in, neurons in ((20, 700), (700, 4))
    ]
    return Network(encoding=LatencyEncoding(levels=(200, 100, 50)), layers=tuple(layers))


def wait_for_boot(driver):
    """Let the boot at power-up come to its end."""
    busy = to_bits(BootWord, state=BootState.BUSY.value)
    while driver.call("read", register_address("boot"), 1).values[0] & busy:
        pass


@pytest.mark.slow
def test_over_spi_and_from_flash(tmp_path):
    networks = [small_network(seed) for seed in range(3)]
    design = Design.for_networks(networks, [Fold(lanes=16), Fold(lanes=1)])
    samples = np.random.default_rng(4).integers(0, 256, (3, 20), dtype=np.uint8)
    slots = {
        slot: slot_image(networks[slot], design, generation=slot, flash=FlashMap())
        for slot in (0, 1)
    }

    def assert_golden(driver, network):
        golden = run(network, samples)
        for index, sample in enumerate(samples):
            answer = driver.call("classify", 30, sample.tobytes())
            assert answer.error == "OK"
            # Measured, so no try before it was lost.
            assert answer.values[2] > 700 * 4
            assert answer.values[0] == golden.winners[index]
            assert answer.values[4::2] == golden.scores[index].tolist()

    with VirtualBoard(
        design,
        link="spi",
        stepped=True,
        flash=FlashMap(),
        flash_content=flash_file(b"", slots, flash=FlashMap()),
    ) as board:
        with Console(build_console(tmp_path), TransportLine(board.connect())) as driver:
            driver.call("timeout", 100)
            wait_for_boot(driver)
            assert driver.call("status").values[0] == networks[1].fingerprint()
            assert_golden(driver, networks[1])
            assert driver.call("boot", 0, 1000).error == "OK"
            assert driver.call("status").values[0] == networks[0].fingerprint()
            assert_golden(driver, networks[0])
            assert driver.call("boot", 2, 1000).error == "SLOT"
            refused = driver.call("boot", 4, 1000)
            assert (refused.error, refused.reason) == ("REFUSED", RefusalReason.VALUE.value)
            assert driver.call("load", device_image(networks[2], design)).error == "OK"
            assert_golden(driver, networks[2])
