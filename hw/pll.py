# SPDX-License-Identifier: Apache-2.0
"""PLL arithmetic: divider settings for a wanted clock, with the data sheets' ranges.

Pure Python. The cells themselves stand in ``hw/vendor/clock_generator.py``.
"""

import dataclasses
import math

__all__ = [
    "BYPASS",
    "ECP5_INPUT_MHZ",
    "ECP5_VCO_MHZ",
    "ICE40_INPUT_MHZ",
    "ICE40_OUTPUT_MHZ",
    "ICE40_PHASE_MHZ",
    "ICE40_VCO_MHZ",
    "PLL_KINDS",
    "PllError",
    "PllSetting",
    "choose_ecp5_pll",
    "choose_ice40_pll",
    "choose_pll",
]

#: Kind of a setting that uses the board's clock as it is.
BYPASS = "none"

#: iCE40 sysCLOCK PLL (Lattice FPGA-TN-02052): reference, phase detector, VCO and output, MHz.
ICE40_INPUT_MHZ = (10.0, 133.0)
ICE40_PHASE_MHZ = (10.0, 133.0)
ICE40_VCO_MHZ = (533.0, 1066.0)
ICE40_OUTPUT_MHZ = (16.0, 275.0)

#: ECP5 sysCLOCK PLL (Lattice FPGA-DS-02012): reference (phase detector too), VCO, output, MHz.
ECP5_INPUT_MHZ = (8.0, 400.0)
ECP5_PHASE_MHZ = (10.0, 400.0)
ECP5_VCO_MHZ = (400.0, 800.0)
ECP5_OUTPUT_MHZ = (3.125, 400.0)


class PllError(ValueError):
    """A clock that a PLL cannot make; the text names the rule."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PllSetting:
    """How a PLL (or none) makes the system clock.

    Parameters
    ----------
    kind
        ``"SB_PLL40_PAD"``, ``"EHXPLLL"``, or `BYPASS`.
    input_hz, output_hz
        Board clock and system clock.
    vco_hz
        Oscillator frequency; 0 for `BYPASS`.
    reference_divider, feedback_divider, output_divider
        Integer ratios: ``vco = input / reference * feedback * (output divider on ECP5, whose
        feedback is the divided output; 1 on iCE40)``, ``output = vco / output_divider``.
    """

    kind: str
    input_hz: float
    output_hz: float
    vco_hz: float = 0.0
    reference_divider: int = 1
    feedback_divider: int = 1
    output_divider: int = 1

    @property
    def output_mhz(self) -> float:
        """System clock in MHz."""
        return self.output_hz / 1e6

    @property
    def filter_range(self) -> int:
        """FILTER_RANGE of the iCE40 cell, from the phase detector's frequency."""
        phase = self.input_hz / self.reference_divider / 1e6
        limits = (17, 26, 44, 66, 101)
        return 1 + sum(phase >= limit for limit in limits)


def _check_input(input_hz: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= input_hz / 1e6 <= high:
        raise PllError(f"Board clock must be {low} to {high} MHz, not {input_hz / 1e6:g} MHz")


def _within(hz: float, limits: tuple[float, float]) -> bool:
    return limits[0] * 1e6 <= hz <= limits[1] * 1e6


def choose_ice40_pll(*, input_hz: float, wanted_hz: float) -> PllSetting:
    """Fastest clock of an SB_PLL40 in SIMPLE feedback that is not above the wanted one.

    ``output = input / (DIVR + 1) * (DIVF + 1) / 2**DIVQ`` with DIVR 0..15, DIVF 0..127 (63 in
    other feedback modes), DIVQ 1..6. Among equal clocks the one with the highest phase detector
    frequency is taken (least jitter).

    Raises
    ------
    PllError
        If the board clock is out of range or the wanted clock is below all that can be made.
    """
    _check_input(input_hz, ICE40_INPUT_MHZ)
    best: PllSetting | None = None
    for reference in range(1, 17):
        phase = input_hz / reference
        if not _within(phase, ICE40_PHASE_MHZ):
            continue
        for feedback in range(1, 129):
            vco = phase * feedback
            if not _within(vco, ICE40_VCO_MHZ):
                continue
            for exponent in range(1, 7):
                output = vco / (1 << exponent)
                if not _within(output, ICE40_OUTPUT_MHZ) or output > wanted_hz * (1 + 1e-9):
                    continue
                if best is None or output > best.output_hz:
                    best = PllSetting(
                        kind="SB_PLL40_PAD",
                        input_hz=input_hz,
                        output_hz=output,
                        vco_hz=vco,
                        reference_divider=reference,
                        feedback_divider=feedback,
                        output_divider=1 << exponent,
                    )
    if best is None:
        raise PllError(
            f"Wanted clock must be at least {ICE40_OUTPUT_MHZ[0]:g} MHz with this PLL, "
            f"not {wanted_hz / 1e6:g} MHz"
        )
    return best


def choose_ecp5_pll(*, input_hz: float, wanted_hz: float) -> PllSetting:
    """Fastest clock of an EHXPLLL, fed back from CLKOP, that is not above the wanted one.

    ``output = input / CLKI_DIV * CLKFB_DIV``, ``vco = output * CLKOP_DIV``, dividers 1..128.
    Among equal clocks: smallest CLKI_DIV, then the VCO nearest the middle of its range.

    Raises
    ------
    PllError
        If the board clock is out of range or the wanted clock is below all that can be made.
    """
    _check_input(input_hz, ECP5_INPUT_MHZ)
    best: PllSetting | None = None
    middle = sum(ECP5_VCO_MHZ) / 2 * 1e6
    for reference in range(1, 129):
        phase = input_hz / reference
        if not _within(phase, ECP5_PHASE_MHZ):
            break
        feedback = min(128, math.floor(wanted_hz * (1 + 1e-9) / phase))
        if feedback < 1:
            continue
        output = phase * feedback
        if not _within(output, ECP5_OUTPUT_MHZ):
            continue
        dividers = [divider for divider in range(1, 129) if _within(output * divider, ECP5_VCO_MHZ)]
        if not dividers or (best is not None and output <= best.output_hz * (1 + 1e-12)):
            continue
        divider = min(dividers, key=lambda value: abs(output * value - middle))
        best = PllSetting(
            kind="EHXPLLL",
            input_hz=input_hz,
            output_hz=output,
            vco_hz=output * divider,
            reference_divider=reference,
            feedback_divider=feedback,
            output_divider=divider,
        )
    if best is None:
        raise PllError(
            f"Wanted clock must be at least {ECP5_OUTPUT_MHZ[0]:g} MHz with this PLL, "
            f"not {wanted_hz / 1e6:g} MHz"
        )
    return best


#: Choice function of each PLL cell.
PLL_KINDS = {"SB_PLL40_PAD": choose_ice40_pll, "EHXPLLL": choose_ecp5_pll}


def choose_pll(kind: str, *, input_hz: float, wanted_hz: float) -> PllSetting:
    """Setting of a board's PLL for a wanted clock; no PLL where the board clock itself is best.

    Parameters
    ----------
    kind
        A key of `PLL_KINDS`.
    input_hz
        Board clock.
    wanted_hz
        The clock is the fastest one not above this.

    Raises
    ------
    PllError
        If the wanted clock is below the board clock and below all that the PLL can make.
    """
    if kind not in PLL_KINDS:
        raise PllError(f"PLL kind must be one of {', '.join(PLL_KINDS)}, not {kind!r}")
    bypass = PllSetting(kind=BYPASS, input_hz=input_hz, output_hz=input_hz)
    if abs(wanted_hz - input_hz) <= 1e-9 * input_hz:
        return bypass
    try:
        setting = PLL_KINDS[kind](input_hz=input_hz, wanted_hz=wanted_hz)
    except PllError:
        if wanted_hz < input_hz:
            raise
        return bypass
    return bypass if setting.output_hz < input_hz <= wanted_hz else setting
