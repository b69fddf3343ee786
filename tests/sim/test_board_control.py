# SPDX-License-Identifier: Apache-2.0
"""What the virtual board's keeper can do to it: reset, power, counting, stepping."""

import fcntl
import struct
import time

import numpy as np
import pytest

from firmware.driver import Device
from firmware.flash import flash_file, slot_image
from firmware.image import device_image
from firmware.link import Frame, FrameParser, encode_frame
from firmware.transport import LinkError
from hw.flash.layout import IMAGE_OFFSET
from hw.formats.image_layout import LoadState
from hw.formats.structures import pack
from hw.link.packets import FrameType, LoadBegin, ReadRequest
from model.golden import run
from sim.fault_board import fault_design, fault_networks
from sim.flash_kinds import FAULT_FLASH, flash_board
from sim.virtual_board import VirtualBoard

NETWORKS = fault_networks()
NETWORK = NETWORKS[0]
# Of `flash_board`: its clock makes the speed of the terminal count.
CLOCK_HZ, DIVISOR = 1_000_000, 2
# From <asm/termbits.h>: read and write the settings of a terminal with any speed.
GET_SPEED, SET_SPEED, SPEED_MASK, OTHER_SPEED = 0x802C542A, 0x402C542B, 0x100F, 0x1000


@pytest.fixture(scope="module")
def stepped():
    with VirtualBoard(fault_design(), stepped=True) as board:
        yield board


def test_power_takes_the_network_and_a_reset_does_too(stepped):
    with Device(stepped.connect(), timeout=0.05) as device:
        for act in (stepped.reset, stepped.power_cycle):
            device.load(NETWORK)
            images = np.arange(NETWORK.features, dtype=np.uint8)[None] * 9
            golden = run(NETWORK, images)
            assert device.classify(images).scores.tolist() == golden.scores.tolist()
            before = device.status().samples
            act()
            status = device.status()
            assert (before, status.samples) == (1, 0)
            assert (status.state, status.fingerprint) == (LoadState.NONE, 0)


def test_bytes_under_way_are_lost_with_the_power(stepped):
    read = encode_frame(Frame(type=FrameType.READ, sequence=7, body=pack(ReadRequest, words=1)))
    line = stepped.connect()
    line.write(read)
    stepped.run(3 * 20)
    stepped.power_cycle()
    assert line.read(0.01) == b""
    line.write(read)
    stepped.run(3 * 20)
    stepped.reset()  # takes what the frame was, not what is behind it on the line
    assert FrameParser().feed(line.read(0.01)) == []
    line.write(read)
    [frame] = FrameParser().feed(line.read(0.01))
    assert (frame.type, frame.sequence, frame.body) == (FrameType.WORDS, 7, b"PSPK")


def test_line_use_and_same_commands_same_cycles():
    """Ten bits a byte each way; what a stepped board does depends on nothing but its commands."""
    image = device_image(NETWORK, fault_design())
    begin = pack(LoadBegin, length=len(image))
    message = encode_frame(Frame(type=FrameType.LOAD_BEGIN, sequence=1, body=begin))
    uses = []
    for _ in range(2):
        with VirtualBoard(fault_design(), stepped=True) as board:
            line = board.connect()
            start = board.line_use()
            line.write(message)
            reply = line.read(1.0)
            use = board.line_use()
            assert use.to_board - start.to_board == 20 * len(message)
            assert use.from_board - start.from_board == 20 * len(reply)
            assert use.cycles - start.cycles >= 20 * (len(message) + len(reply))
            board.run(1000)
            assert board.line_use().cycles == use.cycles + 1000
            uses.append(use)
    assert uses[0] == uses[1]


def test_the_terminals_speed_is_that_of_the_line():
    """A host at another speed than the board is not understood; at the board's it is."""
    with flash_board(stepped=False) as board:
        with Device(board.connect(), timeout=0.5, retries=1) as device:
            assert device.status().clock_hz == CLOCK_HZ
        line = board.connect()
        message = encode_frame(
            Frame(type=FrameType.READ, sequence=9, body=pack(ReadRequest, words=1))
        )
        for divisor, answers in ((2 * DIVISOR, 0), (DIVISOR, 1)):
            settings = bytearray(fcntl.ioctl(line._open_file(), GET_SPEED, bytes(44)))
            baud = CLOCK_HZ // divisor
            flags = struct.unpack_from("I", settings, 8)[0]
            struct.pack_into("I", settings, 8, flags & ~SPEED_MASK | OTHER_SPEED)
            struct.pack_into("II", settings, 36, baud, baud)
            fcntl.ioctl(line._open_file(), SET_SPEED, bytes(settings))
            time.sleep(0.2)  # the board looks now and then
            # Zeros let it forget what it took for bytes at the other speed.
            line.write(bytes(8) + message)
            frames, parser = [], FrameParser()
            while received := line.read(1.0):
                frames += parser.feed(received)
            assert len(frames) == answers
        line.close()


def test_the_flash_is_read_at_power_up():
    """What is written shows at the next power-up, and not before; 0xFF stands behind it."""
    with flash_board(stepped=True) as board:
        assert not board.run_until_active(60_000)
        images = [
            slot_image(each, fault_design(), generation=1, flash=FAULT_FLASH) for each in NETWORKS
        ]
        for network, image in zip(NETWORKS, images, strict=True):
            board.write_flash(flash_file(b"", {1: image}, flash=FAULT_FLASH))
            board.reset()
            with Device(board.connect(), timeout=0.05) as device:
                before = device.status().fingerprint
                assert before != network.fingerprint()
                board.power_cycle()
                begin = board.line_use().cycles
                assert board.run_until_active(60_000)
                # A bit of the image takes 2 cycles at least.
                assert board.line_use().cycles - begin > 16 * (len(image) - IMAGE_OFFSET)
                assert device.status().fingerprint == network.fingerprint()
    with VirtualBoard(fault_design(), stepped=True) as board:
        with pytest.raises(LinkError, match="The virtual board is off, or has no flash"):
            board.write_flash(b"")


def test_a_board_that_is_off_says_so():
    board = VirtualBoard(fault_design(), stepped=True)
    with pytest.raises(LinkError, match="The virtual board is off"):
        board.reset()
    with board, pytest.raises(LinkError, match="does not answer: unknown command: no-such"):
        board.command("no-such")
