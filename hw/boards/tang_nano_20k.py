# SPDX-License-Identifier: Apache-2.0
"""Tang Nano 20K: GW2AR-18C, 27 MHz oscillator, UART through its USB chip.

Pins are those of the maker's schematic and wiki.
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth_boards.resources import SPIFlashResources, UARTResource

from hw.boards.board import Board, Programmer
from hw.boards.chips import GW2AR_18
from hw.boards.gowin import HimbaechelPlatform

__all__ = ["TANG_NANO_20K", "TangNano20kPlatform"]

_CALL = ("openFPGALoader", "-b", "tangnano20k")
_LEVELS = Attrs(IO_TYPE="LVCMOS33")


class TangNano20kPlatform(HimbaechelPlatform):
    """Pins of the FPGA."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    chip_family = "GW2A-18C"
    pack_options = "--sspi_as_gpio --mspi_as_gpio"
    default_clk = "clk27"
    resources = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), _LEVELS),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(PULL_MODE="UP", IO_TYPE="LVCMOS33")),
        *SPIFlashResources(0, cs_n="60", clk="59", copi="61", cipo="62", attrs=_LEVELS),
    ]
    connectors = []


TANG_NANO_20K = Board(
    name="tang-nano-20k",
    title="Tang Nano 20K",
    chip="GW2AR-LV18QN88C8/I7",
    platform=TangNano20kPlatform,
    clock_hz=27e6,
    uart=("uart", 0),
    uart_through="BL616",
    flash=("spi_flash_1x", 0),
    flash_bytes=8 << 20,
    programmer=Programmer(
        load=(*_CALL, "{file}"),
        flash=(*_CALL, "-f", "{file}"),
        data=(*_CALL, "--external-flash", "-o", "{offset}", "--file-type", "raw", "{file}"),
    ),
    usb_ids=((0x0403, 0x6010),),
    target_mhz=81.0,
    series_target_mhz=54.0,
    **GW2AR_18,
)
