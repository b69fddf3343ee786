# SPDX-License-Identifier: Apache-2.0
"""From power-up to the first class without a computer: network out of flash, sample over SPI.

The virtual board is the gateware of a board build with its flash boot and an SPI link; behind its
pins are a model of a flash and a microcontroller that asks, sends one sample and takes the answer.
Time is counted from the end of the chip's own configuration on, which is not simulated. ::

    python -m sim.flash_boot bs4nn-mnist-256 --board icebreaker --clock 30
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware.boot import boot_status
from firmware.driver import Device
from firmware.flash import flash_file, slot_image
from firmware.transport import LinkError
from hw.boards import find_board
from hw.design.design import Design
from hw.fit.fold import default_design
from hw.flash.layout import IMAGE_OFFSET, FlashMap
from model import zoo
from model.data import open_dataset
from model.description import Network
from model.golden import run
from sim.virtual_board import VirtualBoard

__all__ = ["BootFigures", "main", "measure_boot"]

# Simulated: of an answer over SPI.
_TIMEOUT_S = 0.05
# The largest image that a slot has room for, and a search before it, take less.
_MOST_CYCLES = 20_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class BootFigures:
    """One power-up.

    Parameters
    ----------
    clock_hz
        Clock of the gateware.
    image_bytes
        Device image that was read from the flash.
    boot_cycles
        Clock cycles from power-up, 4 of reset among them, until the network is active.
    answer_cycles
        The same until the answer to the first sample, sent then, is with the microcontroller.
    core_cycles
        Clock cycles of the sample in the accelerator, waiting for the link left out.
    winner, expected
        Class that the board answered, and that of the golden model.
    """

    clock_hz: int
    image_bytes: int
    boot_cycles: int
    answer_cycles: int
    core_cycles: int
    winner: int
    expected: int


def measure_boot(
    network: Network,
    design: Design,
    *,
    sample: np.ndarray,
    clock_hz: int,
    cache: Path | None = None,
) -> BootFigures:
    """Power a virtual board up with a network in flash, and classify one sample.

    All slots hold networks of the gateware, the newest one the last: the longest search.

    Parameters
    ----------
    network
        What the newest slot holds, and, with other generations, the others.
    design
        Gateware that holds it; its samples are pixels.
    sample
        uint8 (height, width): an image.
    clock_hz
        Clock of the gateware.
    cache
        Folder of compiled simulators; the user's cache folder if not given.
    """
    flash = FlashMap()
    slots = {
        slot: slot_image(network, design, generation=1 + slot, flash=flash)
        for slot in range(flash.slots)
    }
    with (
        VirtualBoard(
            design,
            clock_hz=clock_hz,
            link="spi",
            flash=flash,
            flash_content=flash_file(b"", slots, flash=flash),
            stepped=True,
            cache=cache,
        ) as board,
        Device(board.connect(), timeout=_TIMEOUT_S) as device,
    ):
        if not board.run_until_active(_MOST_CYCLES):
            raise LinkError(f"No network is active after {_MOST_CYCLES} cycles")
        booted = board.line_use().cycles
        assert boot_status(device).slot == flash.slots - 1
        answer = device.classify(sample[None], window=1)
        return BootFigures(
            clock_hz=clock_hz,
            image_bytes=len(slots[0]) - IMAGE_OFFSET,
            boot_cycles=booted,
            answer_cycles=board.line_use().cycles,
            core_cycles=int(answer.cycles[0]),
            winner=int(answer.winners[0]),
            expected=int(run(network, sample[None]).winners[0]),
        )


def _time(cycles: int, clock_hz: int) -> str:
    return f"{cycles} cycles, {1e3 * cycles / clock_hz:.2f} ms"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the times; return 1 if the board answered another class than the golden model."""
    parser = argparse.ArgumentParser(prog="python -m sim.flash_boot", description=__doc__)
    parser.add_argument("network", help="name of a shipped network, or a file; of pictures")
    parser.add_argument("--board", default="icebreaker", help="board whose fold is taken")
    parser.add_argument("--clock", type=float, help="MHz; default: what the board's builds aim at")
    parser.add_argument("--data", default="mnist-samples", help="set whose first image is sent")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    board = find_board(chosen.board)
    network = zoo.load(chosen.network)
    found = measure_boot(
        network,
        default_design([network], chosen.board),
        sample=open_dataset(chosen.data).part().images[0],
        clock_hz=round(1e6 * (chosen.clock or board.target_mhz)),
    )
    if chosen.json:
        print(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        rows = {
            "image in flash": f"{found.image_bytes} bytes",
            "network active": _time(found.boot_cycles, found.clock_hz),
            "first class": _time(found.answer_cycles, found.clock_hz)
            + ", sample and answer over SPI at an eighth of the clock",
            "in the accelerator": _time(found.core_cycles, found.clock_hz),
            "class": f"{found.winner}, golden model {found.expected}",
        }
        print(
            f"{chosen.network}, fold of {chosen.board}, {found.clock_hz / 1e6:g} MHz; simulated, "
            "from the end of the chip's own configuration on"
        )
        for name, value in rows.items():
            print(f"  {name:<20}{value}")
    return int(found.winner != found.expected)


if __name__ == "__main__":
    sys.exit(main())
