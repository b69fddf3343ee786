# SPDX-License-Identifier: Apache-2.0
"""The numbers of the C driver are those of the definitions that gateware and host share."""

import random
import shutil

import pytest
from amaranth.lib import data

from firmware import c_header
from firmware.c_driver import TARGETS, CompileError, Target, deepest_stack, main, measure
from hw.formats.register_map import DynamicsWords, EventWords, LayerWords, MemoryWords
from hw.formats.structures import size_of, unpack
from hw.link.packets import EventEntry, body_limit
from tests.firmware.c_console import BoardLine, Console, build_console
from tests.firmware.plain_board import DESIGN

MOST_CODE, MOST_RAM = 4096, 256


def test_the_header_is_up_to_date():
    text = c_header.HEADER.read_text(encoding="utf-8")
    assert text == c_header.header_text(), "run: python -m firmware.c_header"
    limit = f"#define POPSPIKE_LEAST_BODY_LIMIT 0x{body_limit(DESIGN):X}u"
    assert limit in text.splitlines()


def test_writing_the_header(tmp_path, monkeypatch):
    monkeypatch.setattr(c_header, "HEADER", tmp_path / "packets.h")
    assert c_header.main() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["packets.h"]
    assert (tmp_path / "packets.h").read_text(encoding="utf-8") == c_header.header_text()


@pytest.mark.parametrize("layout", [LayerWords, DynamicsWords, EventWords, MemoryWords, EventEntry])
def test_fields(layout, console):
    rng = random.Random(3)
    for raw in [bytes(size_of(layout)), *(rng.randbytes(size_of(layout)) for _ in range(5))]:
        fields = unpack(layout, raw)
        for name, place in data.Layout.cast(layout):
            if name.endswith("zero"):
                continue
            found = console.call("field", place.offset, f"{place.width} {raw.hex()}")
            assert found.values == [fields[name], fields[name]], name


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(build_console(tmp_path_factory.mktemp("console")), BoardLine(None)) as console:
        yield console


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_sizes(target):
    if not target.is_there:
        # No wheel brings these compilers, and the README asks for none but the host's; .ci/run
        # installs them where it may, so that they are tested there.
        pytest.skip(f"{target.compiler} comes with the system only: see popspike doctor")
    size = measure(target)
    print(size)
    assert size.code < MOST_CODE
    assert size.static == 0
    assert size.undefined == ()
    assert 0 < size.device < MOST_RAM
    # A 32-bit processor; pointers of a host are larger.
    if target.prefix:
        assert size.device + size.stack <= MOST_RAM


def test_report(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["bytes", "code", "static", "device", "stack"]
    assert [line.split()[0] for line in lines[1:]] == [target.name for target in TARGETS]


def test_compilers_that_are_missing(capsys, monkeypatch):
    with pytest.raises(CompileError) as error:
        measure(Target(name="z80", prefix="no-such-"))
    assert str(error.value) == "Tool must be installed: no-such-gcc"
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert main([]) == 0
    assert "rv32imc       not measured: riscv64-unknown-elf-gcc is not installed" in (
        capsys.readouterr().out
    )
    assert main(["--json"]) == 0
    assert '"cortex-m0plus": null' in capsys.readouterr().out


def test_deepest_stack():
    def graph(*lines):
        return "\n".join(("graph: {", *lines, "}"))

    def node(name, words):
        return f'node: {{ title: "{name}" label: "{name}\\nfile.c:1:2\\n{words}" }}'

    def edge(one, two):
        return f'edge: {{ sourcename: "{one}" targetname: "{two}" label: "x" }}'

    nodes = [node("a", "8 bytes (static)"), node("b", "16 bytes (static)")]
    nodes.append(node("c", "32 bytes (static)"))
    text = graph(*nodes, edge("a", "b"), edge("a", "c"), edge("a", "__indirect_call"))
    assert deepest_stack(text) == {"a": 40, "b": 16, "c": 32}
    with pytest.raises(ValueError, match="Function a must not call itself"):
        deepest_stack(graph(*nodes, edge("a", "b"), edge("b", "a")))
    with pytest.raises(ValueError, match="Stack of d must have a size known to the compiler"):
        deepest_stack(graph(node("d", "8 bytes (dynamic)")))
