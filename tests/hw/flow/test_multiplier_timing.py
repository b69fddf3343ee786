# SPDX-License-Identifier: Apache-2.0
import json
import re

import pytest

from hw.flow.multiplier_timing import MULTIPLIER_NS, MultiplierPath, multiplier_path

MULTIPLIER = {"type": "SB_MAC16", "connections": {"A": [1, 2], "B": ["0"], "O": [10, 11, 12]}}
REGISTER = {"type": "SB_DFF", "connections": {"D": [10], "Q": [20]}}
TABLE = {"type": "SB_LUT4", "connections": {"I0": [11], "I1": [11], "O": [21]}}


def ends(*delays, cell="r_LC"):
    return [{"cell": cell, "delay": [delay / 2, delay]} for delay in delays]


NETS = [
    {"driver": "x_LC", "port": "O", "endpoints": ends(18.0, 19.0, cell="m_DSP") + ends(30.0)},
    {"driver": "m_DSP", "port": "O_0", "endpoints": ends(4.0)},
    {"driver": "m_DSP", "port": "O_1", "endpoints": ends(5.0)},
]


def path(tmp_path, cells, nets):
    top = {"attributes": {"top": "1"}, "cells": cells}
    (tmp_path / "netlist").write_text(json.dumps({"modules": {"top": top}}))
    (tmp_path / "report").write_text(json.dumps({"detailed_net_timings": nets}))
    return multiplier_path(tmp_path / "report", tmp_path / "netlist")


def test_the_three_parts_are_added(tmp_path):
    found = path(tmp_path, {"m": MULTIPLIER, "r": REGISTER, "t": TABLE}, NETS)
    assert found == MultiplierPath(before_ns=19.0, after_ns=5.0)
    assert found.achieved_mhz == pytest.approx(1000 / (24 + MULTIPLIER_NS))
    assert [line.split(" ns")[0].strip() for line in found.lines] == ["19.00", "9.05", "5.00"]


def test_without_multipliers_there_is_no_such_path(tmp_path):
    assert path(tmp_path, {"r": REGISTER}, NETS) is None


def test_a_path_that_goes_on_is_refused(tmp_path):
    message = "Output 1 of multiplier m must feed registers alone"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        path(tmp_path, {"m": MULTIPLIER, "r": REGISTER, "t": TABLE}, NETS[:2])
