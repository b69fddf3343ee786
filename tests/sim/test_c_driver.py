# SPDX-License-Identifier: Apache-2.0
"""The C driver, sanitizers on, drives the gateware behind the virtual board's terminal."""

import pytest

from firmware.image import device_image
from hw.design import Design, Fold
from hw.image_layout import LoadState
from hw.link.packets import SILENT
from hw.register_map import PROTOCOL_VERSION
from model import zoo
from model.data import open_dataset
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
