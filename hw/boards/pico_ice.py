# SPDX-License-Identifier: Apache-2.0
"""pico-ice: iCE40 UP5K beside an RP2040, which gives it clock, UART and SPI.

Pins are those that the maker's `pico_ice.pcf` and board header name (pico-ice-sdk).
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeICE40Platform
from amaranth_boards.resources import SPIFlashResources, SPIResource, UARTResource

from hw.boards.board import Board, Programmer
from hw.boards.chips import UP5K

__all__ = ["PICO_ICE", "PicoIcePlatform"]

_LEVELS = Attrs(IO_STANDARD="SB_LVCMOS")


class PicoIcePlatform(LatticeICE40Platform):
    """Pins of the FPGA."""

    device = "iCE40UP5K"
    package = "SG48"
    default_clk = "clk12"
    resources = [
        # GPIO 24 of the RP2040; its default firmware makes 12 MHz there.
        Resource(
            "clk12",
            0,
            Pins("35", dir="i"),
            Clock(12e6),
            Attrs(GLOBAL=True, IO_STANDARD="SB_LVCMOS"),
        ),
        # UART0 of the RP2040: GPIO 0 sends, GPIO 1 receives.
        UARTResource(0, rx="27", tx="25", attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
        # SPI0 of the RP2040: GPIO 5 select, 7 sends, 4 receives, 6 clock.
        SPIResource(0, cs_n="23", copi="18", cipo="26", clk="20", role="peripheral", attrs=_LEVELS),
        # On the bus by which the RP2040 programs it; the default firmware then lets the bus go.
        *SPIFlashResources(
            0, cs_n="16", clk="15", copi="14", cipo="17", wp_n="12", hold_n="13", attrs=_LEVELS
        ),
    ]
    connectors = []


PICO_ICE = Board(
    name="pico-ice",
    title="pico-ice",
    chip="iCE40UP5K-SG48",
    platform=PicoIcePlatform,
    clock_hz=12e6,
    uart=("uart", 0),
    uart_through="RP2040 with the maker's default firmware, second serial port",
    spi=("spi", 0),
    flash=("spi_flash_1x", 0),
    flash_bytes=4 << 20,
    programmer=Programmer(
        load=("dfu-util", "-d", "1209:b1c0", "-a", "1", "-D", "{file}"),
        flash=("dfu-util", "-d", "1209:b1c0", "-a", "0", "-D", "{file}", "-R"),
        data=(),
    ),
    usb_ids=((0x1209, 0xB1C0),),
    target_mhz=30.0,
    series_target_mhz=27.375,
    notes=(
        "The FPGA's clock comes from the RP2040: with other firmware than the maker's default, "
        "GPIO 24 must give 12 MHz before anything works.",
        "An SPI link (`--link spi`) is on SPI0 of the RP2040: GPIO 5 select, 7 to the FPGA, 4 from "
        "the FPGA, 6 clock.",
        "`dfu-util` writes the flash from its beginning only: bitstream and networks go there as "
        "one file.",
    ),
    **UP5K,
)
