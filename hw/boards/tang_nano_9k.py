# SPDX-License-Identifier: Apache-2.0
"""Tang Nano 9K: GW1NR-9C, 27 MHz oscillator, UART through its USB chip."""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from hw.boards.board import Board, Programmer
from hw.boards.chips import GW1NR_9
from hw.boards.gowin import HimbaechelPlatform

__all__ = ["TANG_NANO_9K"]

_CALL = ("openFPGALoader", "-b", "tangnano9k")


class _Platform(HimbaechelPlatform, TangNano9kPlatform):
    chip_family = "GW1N-9C"


TANG_NANO_9K = Board(
    name="tang-nano-9k",
    title="Tang Nano 9K",
    chip="GW1NR-LV9QN88PC6/I5",
    platform=_Platform,
    clock_hz=27e6,
    uart=("uart", 0),
    uart_through="BL702",
    flash=("spi_flash_1x", 0),
    flash_bytes=4 << 20,
    programmer=Programmer(
        load=(*_CALL, "{file}"),
        flash=(*_CALL, "-f", "{file}"),
        data=(*_CALL, "--external-flash", "-o", "{offset}", "--file-type", "raw", "{file}"),
    ),
    usb_ids=((0x0403, 0x6010),),
    target_mhz=54.0,
    series_target_mhz=40.5,
    notes=(
        "The bitstream stands in the chip's own flash; only networks go into the SPI flash beside "
        "it.",
    ),
    **GW1NR_9,
)
