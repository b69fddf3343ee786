# SPDX-License-Identifier: Apache-2.0
"""PLL settings: ranges of the data sheets, and the fastest clock not above the wanted one."""

import itertools
import re

import pytest

from hw.vendor import pll
from hw.vendor.pll import (
    BYPASS,
    PllError,
    PllSetting,
    choose_ecp5_pll,
    choose_gowin_pll,
    choose_ice40_pll,
    choose_pll,
)


def within(hz, limits):
    return limits[0] <= hz / 1e6 <= limits[1]


@pytest.mark.parametrize("input_mhz", [10, 12, 16, 25, 48, 100])
def test_ice40_settings_stay_in_range_and_keep_the_equations(input_mhz):
    for wanted_mhz in range(20, 276, 7):
        setting = choose_ice40_pll(input_hz=input_mhz * 1e6, wanted_hz=wanted_mhz * 1e6)
        phase = setting.input_hz / setting.reference_divider
        assert 1 <= setting.reference_divider <= 16
        assert 1 <= setting.feedback_divider <= 128
        assert setting.output_divider in (2, 4, 8, 16, 32, 64)
        assert within(phase, pll.ICE40_PHASE_MHZ)
        assert within(setting.vco_hz, pll.ICE40_VCO_MHZ)
        assert within(setting.output_hz, pll.ICE40_OUTPUT_MHZ)
        assert setting.vco_hz == pytest.approx(phase * setting.feedback_divider)
        assert setting.output_hz == pytest.approx(setting.vco_hz / setting.output_divider)
        assert setting.output_mhz <= wanted_mhz * (1 + 1e-9)


@pytest.mark.parametrize("input_mhz", [12, 25, 27, 50, 100])
def test_ecp5_settings_stay_in_range_and_keep_the_equations(input_mhz):
    for wanted_mhz in range(50, 401, 13):
        setting = choose_ecp5_pll(input_hz=input_mhz * 1e6, wanted_hz=wanted_mhz * 1e6)
        phase = setting.input_hz / setting.reference_divider
        for divider in (
            setting.reference_divider,
            setting.feedback_divider,
            setting.output_divider,
            setting.return_divider,
        ):
            assert 1 <= divider <= 128
        assert within(phase, pll.ECP5_PHASE_MHZ)
        assert within(setting.vco_hz, pll.ECP5_VCO_MHZ)
        returned_hz = phase * setting.feedback_divider
        assert within(returned_hz, pll.ECP5_OUTPUT_MHZ)
        assert setting.vco_hz == pytest.approx(returned_hz * setting.return_divider)
        assert setting.vco_hz == pytest.approx(setting.output_hz * setting.output_divider)
        assert setting.output_mhz <= wanted_mhz * (1 + 1e-9)


@pytest.mark.parametrize("input_mhz", [12, 24, 27, 50])
def test_gowin_settings_stay_in_range_and_keep_the_equations(input_mhz):
    for wanted_mhz in range(20, 301, 13):
        setting = choose_gowin_pll(input_hz=input_mhz * 1e6, wanted_hz=wanted_mhz * 1e6)
        phase = setting.input_hz / setting.reference_divider
        assert 1 <= setting.reference_divider <= 64
        assert 1 <= setting.feedback_divider <= 64
        assert setting.output_divider in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
        assert within(phase, pll.GOWIN_PHASE_MHZ)
        assert within(setting.vco_hz, pll.GOWIN_VCO_MHZ)
        assert within(setting.output_hz, pll.GOWIN_OUTPUT_MHZ)
        assert setting.output_hz == pytest.approx(phase * setting.feedback_divider)
        assert setting.vco_hz == pytest.approx(setting.output_hz * setting.output_divider)
        assert setting.output_mhz <= wanted_mhz * (1 + 1e-9)


def test_no_other_ice40_divider_comes_closer():
    wanted = 47.3e6
    best = choose_ice40_pll(input_hz=12e6, wanted_hz=wanted).output_hz
    for feedback, exponent in itertools.product(range(1, 129), range(1, 7)):
        vco = 12e6 * feedback
        if within(vco, pll.ICE40_VCO_MHZ):
            assert not best < vco / 2**exponent <= wanted


@pytest.mark.parametrize(
    ("kind", "input_mhz", "wanted_mhz", "output_mhz"),
    [
        ("SB_PLL40_PAD", 12, 48, 48),
        ("SB_PLL40_PAD", 12, 30, 30),
        ("EHXPLLL", 25, 100, 100),
        ("EHXPLLL", 25, 125, 125),
        ("EHXPLLL", 25, 150, 150),
        ("EHXPLLL", 25, 108.4, 650 / 6),
        ("rPLL", 27, 54, 54),
        ("rPLL", 27, 60, 60),
        ("rPLL", 27, 81, 81),
    ],
)
def test_round_clocks_of_the_boards_are_exact(kind, input_mhz, wanted_mhz, output_mhz):
    setting = choose_pll(kind, input_hz=input_mhz * 1e6, wanted_hz=wanted_mhz * 1e6)
    assert setting.kind == kind
    assert setting.output_mhz == pytest.approx(output_mhz)


def test_round_clocks_take_one_output_of_the_ecp5():
    for wanted_mhz in (100, 112.5, 125):
        setting = choose_ecp5_pll(input_hz=25e6, wanted_hz=wanted_mhz * 1e6)
        assert setting.return_divider == setting.output_divider
    second = choose_ecp5_pll(input_hz=25e6, wanted_hz=108.4e6)
    assert second.return_divider != second.output_divider


def test_filter_range_follows_the_phase_detector():
    # Values that icepll prints for these references.
    for input_mhz, expected in ((12, 1), (20, 2), (30, 3), (50, 4), (80, 5), (120, 6)):
        setting = PllSetting(kind="SB_PLL40_PAD", input_hz=input_mhz * 1e6, output_hz=48e6)
        assert setting.filter_range == expected


def test_board_clock_needs_no_pll():
    setting = choose_pll("EHXPLLL", input_hz=25e6, wanted_hz=25e6)
    assert (setting.kind, setting.output_hz) == (BYPASS, 25e6)
    assert choose_pll("SB_PLL40_PAD", input_hz=12e6, wanted_hz=15e6).kind == BYPASS


def test_clock_that_cannot_be_made_is_refused():
    text = "Wanted clock must be at least 16 MHz with this PLL, not 5 MHz"
    with pytest.raises(PllError, match=f"^{re.escape(text)}$"):
        choose_pll("SB_PLL40_PAD", input_hz=12e6, wanted_hz=5e6)
    text = "Board clock must be 10.0 to 133.0 MHz, not 1 MHz"
    with pytest.raises(PllError, match=f"^{re.escape(text)}$"):
        choose_ice40_pll(input_hz=1e6, wanted_hz=48e6)
    text = "PLL kind must be one of SB_PLL40_PAD, EHXPLLL, rPLL, not 'RC'"
    with pytest.raises(PllError, match=f"^{re.escape(text)}$"):
        choose_pll("RC", input_hz=12e6, wanted_hz=48e6)
