# SPDX-License-Identifier: Apache-2.0
"""The part of the demo that knows no microcontroller, and the data that it is given."""

import importlib.util
import json
from pathlib import Path

import pytest

from firmware.c_driver import TARGETS, compile_object
from hw.fit.fold import default_design
from hw.link.packets import FrameType
from model import zoo
from tests.firmware.c_console import Console, build_console
from tests.firmware.c_scenarios import Line
from tests.firmware.plain_board import DESIGN, IMAGES, NETWORK

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "rp2040"


@pytest.fixture(scope="module")
def make_data():
    spec = importlib.util.spec_from_file_location("make_data", FOLDER / "make_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_demo(make_data, tmp_path):
    data = tmp_path / "data.c"
    data.write_text(make_data.data_text(NETWORK, DESIGN, IMAGES), encoding="utf-8")
    demo = ("-DWITH_DEMO", f"-I{FOLDER}", FOLDER / "demo.c", data)
    executable = build_console(tmp_path, *demo)
    line = Line()
    with Console(executable, line) as driver:
        for _ in range(2):
            begun = driver.call("demo_begin")
            assert (begun.error, begun.values) == ("OK", [1])
        assert line.asked.count(FrameType.LOAD_BEGIN) == 1
        for index, pixels in enumerate(IMAGES):
            answer = driver.call("demo_classify", index)
            assert answer.error == "OK"
            assert answer.values[1:] == [pixels[0] % 3, 3, 99, 1, pixels[0], 0xFFFF, -7, 0, 70000]
        # Of another design, whatever its network.
        line.board.registers[8] ^= 1
        begun = driver.call("demo_begin")
        assert (begun.error, begun.values) == ("OK", [0])
        line.board.registers[0] = 0
        begun = driver.call("demo_begin")
        assert (begun.error, begun.values) == ("NO_GATEWARE", [0])


def test_data(make_data, tmp_path):
    network, design = zoo.load("bs4nn-digits"), tmp_path / "design.json"
    design.write_text(json.dumps({"design": DESIGN.to_json()}), encoding="utf-8")
    output = tmp_path / "data.c"
    common = ["bs4nn-digits", "digits", "--count", "3", "--output", str(output)]
    assert make_data.main(common) == 0
    built = default_design([network], "pico-ice")
    assert f"demo_design_hash = {built.design_hash()}u;" in output.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="must be at most"):
        make_data.main([*common, "--design", str(design)])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_portable_part_compiles(target, tmp_path):
    if not target.is_there:
        # No wheel brings these compilers, and the README asks for none but the host's; .ci/run
        # installs them where it may, so that they are tested there.
        pytest.skip(f"{target.compiler} comes with the system only: see popspike doctor")
    compile_object(target, FOLDER / "demo.c", tmp_path / "demo.o", "-Os", include=[FOLDER])
