# SPDX-License-Identifier: Apache-2.0
"""System clock from a board's clock pin: PLL cell, reset until lock, power-on delay."""

import math

from amaranth import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.hdl import IOValue
from amaranth.lib import wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.io import Buffer, SingleEndedPort
from amaranth.lib.wiring import Out

from hw.vendor.pll import BYPASS, PllSetting

__all__ = ["ClockGenerator"]

# Block RAMs of the iCE40 read as zeros for about 3 us after configuration; five times that is
# waited on every chip.
_POWER_ON_SECONDS = 15e-6


class ClockGenerator(wiring.Component):
    """Clock of the wanted frequency, and a reset that ends when it is stable.

    The reset is released synchronously, 15 us after the PLL has locked, and comes back if the
    lock is lost.

    Parameters
    ----------
    setting
        PLL kind and dividers.
    clock_port
        The board's clock pin, requested with ``dir="-"``.

    Members
    -------
    clk : Out(1)
        System clock.
    rst : Out(1)
        Reset, active high, changes with ``clk``.
    """

    def __init__(self, *, setting: PllSetting, clock_port: SingleEndedPort) -> None:
        super().__init__({"clk": Out(1), "rst": Out(1)})
        self._setting = setting
        self._clock_port = clock_port

    @property
    def setting(self) -> PllSetting:
        """PLL kind and dividers."""
        return self._setting

    @property
    def power_on_cycles(self) -> int:
        """Cycles from lock to the end of the reset, without synchronizers."""
        return math.ceil(_POWER_ON_SECONDS * self._setting.output_hz)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        locked = Signal()
        kind = self._setting.kind
        if kind == "SB_PLL40_PAD":
            m.submodules.pll = self._ice40(self._clock_port.io, locked)
        else:
            m.submodules.pin = pin = Buffer("i", self._clock_port)
            if kind == BYPASS:
                m.d.comb += [self.clk.eq(pin.i), locked.eq(1)]
            elif kind == "rPLL":
                m.submodules.pll = self._gowin(pin.i, locked)
            else:
                m.submodules.pll = self._ecp5(pin.i, locked)

        m.domains += ClockDomain("lock", local=True)
        m.d.comb += ClockSignal("lock").eq(self.clk)
        m.submodules.lock = ResetSynchronizer(~locked, domain="lock")
        timer = Signal(range(self.power_on_cycles))
        # 1 is also the state after configuration.
        holding = Signal(init=1)
        m.d.comb += self.rst.eq(holding)
        with m.If(timer == self.power_on_cycles - 1):
            m.d.lock += holding.eq(0)
        with m.Else():
            m.d.lock += timer.eq(timer + 1)
        return m

    def _ice40(self, pin: IOValue, locked: Signal) -> Instance:
        setting = self._setting
        return Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            p_DIVR=Const(setting.reference_divider - 1, 4),
            p_DIVF=Const(setting.feedback_divider - 1, 7),
            p_DIVQ=Const(setting.output_divider.bit_length() - 1, 3),
            p_FILTER_RANGE=Const(setting.filter_range, 3),
            i_PACKAGEPIN=pin,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.clk,
            o_LOCK=locked,
        )

    def _ecp5(self, clock: Signal, locked: Signal) -> Instance:
        setting = self._setting
        returned = self.clk
        second = {}
        if setting.return_divider != setting.output_divider:
            returned = Signal()
            returned_hz = setting.vco_hz / setting.return_divider
            second = {
                "a_FREQUENCY_PIN_CLKOS": f"{setting.output_hz / 1e6:g}",
                "p_CLKOS_DIV": setting.output_divider,
                "p_CLKOS_ENABLE": "ENABLED",
                "p_CLKOS_CPHASE": setting.output_divider - 1,
                "p_CLKOS_FPHASE": 0,
                "o_CLKOS": self.clk,
            }
        else:
            returned_hz = setting.output_hz
        return Instance(
            "EHXPLLL",
            # Attributes that the open tools ask for beside the dividers.
            a_FREQUENCY_PIN_CLKI=f"{setting.input_hz / 1e6:g}",
            a_FREQUENCY_PIN_CLKOP=f"{returned_hz / 1e6:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=setting.reference_divider,
            p_CLKFB_DIV=setting.feedback_divider,
            p_CLKOP_DIV=setting.return_divider,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=setting.return_divider - 1,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_CLKI=clock,
            i_CLKFB=returned,
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=returned,
            o_LOCK=locked,
            **second,
        )

    def _gowin(self, clock: Signal, locked: Signal) -> Instance:
        setting = self._setting
        return Instance(
            "rPLL",
            p_FCLKIN=f"{setting.input_hz / 1e6:g}",
            p_IDIV_SEL=setting.reference_divider - 1,
            p_FBDIV_SEL=setting.feedback_divider - 1,
            p_ODIV_SEL=setting.output_divider,
            # Fed back inside; dividers, phase and duty cycle as configured.
            p_CLKFB_SEL="internal",
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_SDIV_SEL=2,
            p_PSDA_SEL="0000",
            p_DUTYDA_SEL="1000",
            p_DYN_DA_EN="false",
            i_CLKIN=clock,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=self.clk,
            o_LOCK=locked,
        )
