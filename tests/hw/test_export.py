# SPDX-License-Identifier: Apache-2.0
import json
import re

import pytest

from hw.design.design import Design
from hw.export import export, side_file
from hw.export_top import bundle_fields
from hw.parts.spike_word import output_record
from tests.hw.designs import two_layers


@pytest.mark.parametrize("probes", [False, True])
@pytest.mark.parametrize("sample_input", ["pixels", "words"])
def test_ports_of_the_verilog_are_those_of_the_side_file(tmp_path, sample_input, probes):
    design = two_layers(sample_input=sample_input)
    verilog_path, json_path = export(design, tmp_path / "new", name="engine", probes=probes)
    side = json.loads(json_path.read_text())
    text = verilog_path.read_text()
    assert f"module {side['top']}(" in text
    found = {
        name: (direction, int(high or 0) + 1)
        for direction, high, name in re.findall(
            r"^  (input|output) (?:reg )?(?:\[(\d+):0\] )?(\w+);$", _module(text, "engine"), re.M
        )
    }
    assert found == {port["name"]: (port["direction"], port["width"]) for port in side["ports"]}
    assert Design.from_json(side["design"]) == design
    assert side["design_hash"] == design.design_hash()
    assert any(row["name"] == "magic" for row in side["registers"])
    for port, fields in side["fields"].items():
        width = next(entry["width"] for entry in side["ports"] if entry["name"] == port)
        assert sum(field["width"] for field in fields) == width


def _module(text, name):
    return text[text.index(f"module {name}(") :].split("endmodule")[0]


def test_the_same_design_gives_the_same_text_and_nothing_else(tmp_path):
    first, _ = export(two_layers(), tmp_path)
    text = first.read_text()
    second, _ = export(two_layers(), tmp_path)
    assert first == second
    assert text == second.read_text()
    assert ".py" not in text
    assert "(* src" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["popspike.json", "popspike.v"]


def test_fields_of_a_record():
    design = two_layers()
    fields = {field.name: field for field in bundle_fields(output_record(design))}
    assert list(fields) == ["neuron", "fired", "step", "score", "winner"]
    assert fields["score"].signed
    assert fields["score"].width == design.score_bits
    assert not fields["step"].signed
    assert [field["name"] for field in side_file(design)["fields"]["s_axis_sample_tdata"]] == [
        "pixels"
    ]
