# SPDX-License-Identifier: Apache-2.0
"""PLL arithmetic: divider settings for a wanted clock, with the data sheets' ranges.

Pure Python. The cells themselves stand in ``hw/vendor/clock_generator.py``.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator

__all__ = [
    "BYPASS",
    "ECP5_INPUT_MHZ",
    "ECP5_VCO_MHZ",
    "GOWIN_INPUT_MHZ",
    "GOWIN_OUTPUT_MHZ",
    "GOWIN_PHASE_MHZ",
    "GOWIN_VCO_MHZ",
    "ICE40_INPUT_MHZ",
    "ICE40_OUTPUT_MHZ",
    "ICE40_PHASE_MHZ",
    "ICE40_VCO_MHZ",
    "PLL_KINDS",
    "PllError",
    "PllSetting",
    "choose_ecp5_pll",
    "choose_gowin_pll",
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

#: Gowin rPLL: what GW1NR-9 of speed C6/I5 (DS117) and GW2AR-18 of C8/I7 (DS226) have in common:
#: reference, phase detector, VCO, output, MHz.
GOWIN_INPUT_MHZ = (3.0, 400.0)
GOWIN_PHASE_MHZ = (3.0, 400.0)
GOWIN_VCO_MHZ = (500.0, 1200.0)
GOWIN_OUTPUT_MHZ = (3.90625, 600.0)
_GOWIN_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


class PllError(ValueError):
    """A clock that a PLL cannot make; the text names the rule."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PllSetting:
    """How a PLL (or none) makes the system clock.

    Parameters
    ----------
    kind
        ``"SB_PLL40_PAD"``, ``"EHXPLLL"``, ``"rPLL"``, or `BYPASS`.
    input_hz, output_hz
        Board clock and system clock.
    vco_hz
        Oscillator frequency; 0 for `BYPASS`.
    reference_divider, feedback_divider, output_divider
        Integer ratios: ``output = vco / output_divider``. iCE40: ``vco = input / reference *
        feedback``. ECP5 and Gowin: that times ``return_divider``.
    return_divider
        ECP5 and Gowin: divider of the output that is fed back. If it differs from
        ``output_divider``, the system clock comes from a second output.
    """

    kind: str
    input_hz: float
    output_hz: float
    vco_hz: float = 0.0
    reference_divider: int = 1
    feedback_divider: int = 1
    output_divider: int = 1
    return_divider: int = 1

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


def _fastest(
    found: Iterable[tuple[tuple[float, ...], PllSetting]], *, least_mhz: float, wanted_hz: float
) -> PllSetting:
    """Setting of the highest rank; of equal ones the first."""
    best = max(found, key=lambda ranked: ranked[0], default=None)
    if best is None:
        raise PllError(
            f"Wanted clock must be at least {least_mhz:g} MHz with this PLL, "
            f"not {wanted_hz / 1e6:g} MHz"
        )
    return best[1]


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
    settings = _ice40_settings(input_hz=input_hz, wanted_hz=wanted_hz)
    return _fastest(settings, least_mhz=ICE40_OUTPUT_MHZ[0], wanted_hz=wanted_hz)


def _ice40_settings(
    *, input_hz: float, wanted_hz: float
) -> Iterator[tuple[tuple[float, ...], PllSetting]]:
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
                yield (
                    (output,),
                    PllSetting(
                        kind="SB_PLL40_PAD",
                        input_hz=input_hz,
                        output_hz=output,
                        vco_hz=vco,
                        reference_divider=reference,
                        feedback_divider=feedback,
                        output_divider=1 << exponent,
                    ),
                )


def choose_ecp5_pll(*, input_hz: float, wanted_hz: float) -> PllSetting:
    """Fastest clock of an EHXPLLL, fed back from CLKOP, that is not above the wanted one.

    ``vco = input / CLKI_DIV * CLKFB_DIV * CLKOP_DIV``, ``output = vco / (CLKOP_DIV or
    CLKOS_DIV)``, dividers 1..128. Among equal clocks: one output before two, smallest CLKI_DIV,
    then the VCO nearest the middle of its range.

    Raises
    ------
    PllError
        If the board clock is out of range or the wanted clock is below all that can be made.
    """
    _check_input(input_hz, ECP5_INPUT_MHZ)
    settings = _ecp5_settings(input_hz=input_hz, wanted_hz=wanted_hz)
    return _fastest(settings, least_mhz=ECP5_OUTPUT_MHZ[0], wanted_hz=wanted_hz)


def _ecp5_settings(
    *, input_hz: float, wanted_hz: float
) -> Iterator[tuple[tuple[float, ...], PllSetting]]:
    middle = sum(ECP5_VCO_MHZ) / 2 * 1e6
    for reference in range(1, 129):
        phase = input_hz / reference
        if not _within(phase, ECP5_PHASE_MHZ):
            break
        for ratio in range(1, math.floor(ECP5_VCO_MHZ[1] * 1e6 / phase) + 1):
            vco = phase * ratio
            if not _within(vco, ECP5_VCO_MHZ):
                continue
            divider = max(1, math.ceil(vco / wanted_hz * (1 - 1e-9)))
            output = vco / divider
            if divider > 128 or ratio > 128 or not _within(output, ECP5_OUTPUT_MHZ):
                continue
            # One output if its divider is a factor of the ratio; else CLKOP runs at the
            # reference's frequency.
            is_single = ratio % divider == 0
            yield (
                (round(output), is_single, -reference, -abs(vco - middle)),
                PllSetting(
                    kind="EHXPLLL",
                    input_hz=input_hz,
                    output_hz=output,
                    vco_hz=vco,
                    reference_divider=reference,
                    feedback_divider=ratio // divider if is_single else 1,
                    output_divider=divider,
                    return_divider=divider if is_single else ratio,
                ),
            )


def choose_gowin_pll(*, input_hz: float, wanted_hz: float) -> PllSetting:
    """Fastest clock of an rPLL that is not above the wanted one.

    ``output = input / IDIV * FBDIV``, ``vco = output * ODIV``, with IDIV and FBDIV 1..64, ODIV 2,
    4, 8, 16, 32, 48, ..., 128. Among equal clocks the one with the highest phase detector frequency
    is taken (least jitter), then the VCO nearest the middle of its range.

    Raises
    ------
    PllError
        If the board clock is out of range or the wanted clock is below all that can be made.
    """
    _check_input(input_hz, GOWIN_INPUT_MHZ)
    settings = _gowin_settings(input_hz=input_hz, wanted_hz=wanted_hz)
    return _fastest(settings, least_mhz=GOWIN_OUTPUT_MHZ[0], wanted_hz=wanted_hz)


def _gowin_settings(
    *, input_hz: float, wanted_hz: float
) -> Iterator[tuple[tuple[float, ...], PllSetting]]:
    middle = sum(GOWIN_VCO_MHZ) / 2 * 1e6
    for reference, feedback in itertools.product(range(1, 65), repeat=2):
        phase = input_hz / reference
        output = phase * feedback
        if output > wanted_hz * (1 + 1e-9):
            continue
        if not (_within(phase, GOWIN_PHASE_MHZ) and _within(output, GOWIN_OUTPUT_MHZ)):
            continue
        for divider in _GOWIN_DIVIDERS:
            vco = output * divider
            if not _within(vco, GOWIN_VCO_MHZ):
                continue
            yield (
                (round(output), -reference, -abs(vco - middle)),
                PllSetting(
                    kind="rPLL",
                    input_hz=input_hz,
                    output_hz=output,
                    vco_hz=vco,
                    reference_divider=reference,
                    feedback_divider=feedback,
                    output_divider=divider,
                    return_divider=divider,
                ),
            )


#: Choice function of each PLL cell.
PLL_KINDS = {
    "SB_PLL40_PAD": choose_ice40_pll,
    "EHXPLLL": choose_ecp5_pll,
    "rPLL": choose_gowin_pll,
}


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
