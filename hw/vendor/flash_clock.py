# SPDX-License-Identifier: Apache-2.0
"""Clock pin of the configuration flash of an ECP5, the twin of an ordinary output buffer."""

from amaranth import Const, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["FlashClock"]


class FlashClock(wiring.Component):
    """Drives the pin from which the chip clocks its flash during configuration.

    No ordinary buffer reaches it. Lattice (FPGA-TN-02039) names the cell for it.

    Members
    -------
    o : In(1)
        Level of the pin.
    """

    o: In(1)

    def elaborate(self, _platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.cell = Instance("USRMCLK", i_USRMCLKI=self.o, i_USRMCLKTS=Const(0, 1))
        return m
