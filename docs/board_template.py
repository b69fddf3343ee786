# SPDX-License-Identifier: Apache-2.0
"""Template for the next board: copy to ``hw/boards/my_board.py`` and replace what is not yours.

`docs/extending.md` says what else to do. Leave out a resource that the board lacks; facts come from
schematic and data sheet, and their source stands beside them.
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import SPIFlashResources, SPIResource, UARTResource

from hw.boards.board import Board, Programmer

# One of the chips that are known; another one is another entry there.
from hw.boards.chips import LFE5U_25F

__all__ = ["MY_BOARD", "MyBoardPlatform"]

_LEVELS = Attrs(IO_TYPE="LVCMOS33")


# Or the class of `amaranth_boards`, if it has the board. For Gowin: `hw.boards.gowin`.
class MyBoardPlatform(LatticeECP5Platform):
    """Pins of the FPGA."""

    device = "LFE5U-25F"
    package = "BG256"
    speed = "6"
    default_clk = "clk25"
    resources = [
        # A pin that reaches a PLL.
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), _LEVELS),
        # As the FPGA sees it: rx comes in.
        UARTResource(0, rx="A1", tx="A2", attrs=_LEVELS),
        # Only where something else than a host shall own the board: `--link spi`.
        SPIResource(0, cs_n="B1", clk="B2", copi="B3", cipo="B4", role="peripheral", attrs=_LEVELS),
        # ECP5: the clock pin is reached through USRMCLK, and its name here is not used.
        *SPIFlashResources(0, cs_n="N8", clk="N9", copi="T8", cipo="T7", attrs=_LEVELS),
    ]
    connectors = []


MY_BOARD = Board(
    name="my-board",  # on the command line; the file is my_board.py
    title="My Board",
    chip="LFE5U-25F-6BG256C",
    platform=MyBoardPlatform,
    clock_hz=25e6,
    uart=("uart", 0),
    uart_through="FT231X",
    spi=("spi", 0),
    flash=("spi_flash_1x", 0),
    flash_bytes=16 << 20,
    flash_clock="USRMCLK",  # "pin" but for ECP5
    programmer=Programmer(
        load=("openFPGALoader", "-b", "my-board", "{file}"),
        flash=("openFPGALoader", "-b", "my-board", "-f", "{file}"),
        data=(
            *("openFPGALoader", "-b", "my-board", "-f"),
            *("-o", "{offset}", "--file-type", "raw", "{file}"),
        ),
    ),
    usb_ids=((0x0403, 0x6015),),
    # What the first builds achieve, less a tenth.
    target_mhz=80.0,
    series_target_mhz=60.0,
    notes=("What a user should know, a paragraph each.",),
    **LFE5U_25F,
)
