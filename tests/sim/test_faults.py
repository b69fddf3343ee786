# SPDX-License-Identifier: Apache-2.0
"""A slice of the fault campaign, and that it finds faults; the whole is `python -m sim.faults`."""

import dataclasses
import json
import random
import zlib

import numpy as np
import pytest

from firmware.driver import Device
from firmware.image import device_image
from hw.formats.image_layout import ImageHeader
from hw.formats.structures import byte_span
from sim.fault_board import FaultBench, FaultError, fault_design, fault_networks
from sim.fault_kinds import KINDS, Scene, load_frames
from sim.faults import fault_cases, main, run_case, run_faults
from sim.flash_kinds import FLASH_KINDS, writing_operations
from sim.flash_writing import interrupted_write, write_operations
from sim.stepped import SteppedTransport
from sim.virtual_board import VirtualBoard


def test_a_slice_of_every_kind() -> None:
    cases = fault_cases(66, seed=7)
    outcome = run_faults(cases)
    assert outcome.failures == ()
    assert sum(outcome.cases.values()) == sum(outcome.held.values()) == 66
    assert set(outcome.cases) == set(KINDS)
    # Faults did harm, and not always the same.
    assert set(outcome.held) == {"old", "new", "none"}


def test_a_slice_of_faults_in_flash() -> None:
    cases = fault_cases(58, seed=7, board="flash")
    outcome = run_faults(cases, board="flash")
    assert outcome.failures == ()
    assert set(outcome.cases) == set(FLASH_KINDS)
    assert outcome.cases["writing interrupted"] > writing_operations()
    assert set(outcome.held) == {"old", "new", "none"}


def test_spi_has_all_kinds_but_those_of_serial_lines() -> None:
    assert {case.kind for case in fault_cases(100, seed=1, board="spi")} == set(KINDS) - {
        "wrong speed"
    }


def test_the_full_campaign_cuts_at_every_byte() -> None:
    line = b"".join(load_frames(1, random.Random(0), 128))
    places = [case.of_kind for case in fault_cases(2400, seed=1) if case.kind == "cut"]
    assert places == list(range(len(line)))
    counts = [sum(case.kind == kind for case in fault_cases(2400, seed=1)) for kind in KINDS]
    assert min(counts) > 100


def test_cases_depend_on_nothing_but_seed_and_number() -> None:
    cases = fault_cases(66, seed=8)
    chosen = [cases[number] for number in (60, 35, 35)]
    with FaultBench(VirtualBoard(fault_design(), stepped=True)) as bench:
        spent = []
        for case in chosen:
            before = bench.board.line_use().cycles
            run_case(bench, case)
            spent.append(bench.board.line_use().cycles - before)
    assert spent[1] == spent[2] != spent[0]


@pytest.fixture(scope="module")
def bench():
    with FaultBench(VirtualBoard(fault_design(), stepped=True)) as bench:
        yield bench


def test_a_network_that_must_not_be_held_is_found(bench: FaultBench) -> None:
    rng = random.Random(1)
    bench.begin(rng, 0)
    with pytest.raises(FaultError, match=r"Network 0 is held, allowed are \[1, None\]"):
        bench.check(rng, {1, None})
    bench.begin(rng, None)
    with pytest.raises(FaultError, match=r"Network None is held, allowed are \[0\]"):
        bench.check(rng, {0})


def test_half_a_network_is_found(bench: FaultBench) -> None:
    """A board that says it holds a network, but whose last layer is another's."""
    rng = random.Random(1)
    bench.begin(rng, None)
    whole = fault_networks()[0]
    turned = np.roll(whole.layers[-1].weights, 1, axis=1)  # each neuron has those of the next
    last = dataclasses.replace(whole.layers[-1], weights=turned)
    other = dataclasses.replace(whole, layers=(*whole.layers[:-1], last))
    image = bytearray(device_image(other, fault_design())[:-4])
    span = byte_span(ImageHeader, "fingerprint")
    image[span.start : span.stop] = whole.fingerprint().to_bytes(4, "little")
    bench.device(rng).load_image(bytes(image) + zlib.crc32(image).to_bytes(4, "little"))
    with pytest.raises(FaultError, match="winners must be|decision_steps must be|scores must be"):
        bench.check(rng, {0})


def test_an_exception_of_the_driver_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Device, *arguments: object, **options: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(Device, "load_image", broken)
    assert main(["--cases", "22", "--case", "20"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED: wrong speed: KeyError: 'broken' (test_faults.py:" in printed
    assert "again: python -m sim.faults --board serial --cases 22 --seed 1 --case 20" in printed


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cases", "22", "--case", "13", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["cases"] == {"bytes repeated": 1}
    assert printed["failures"] == []
    assert main(["--cases", "22", "--case", "0"]) == 0
    assert "1 cases, 0 failures" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--cases", "22", "--case", "22"])
    assert "case must lie in 0..21, not 22" in capsys.readouterr().err


def test_a_load_that_is_whole_behind_a_reset_may_be_held() -> None:
    """The reset comes before the first frame of what is on the line."""
    assert main(["--cases", "300", "--seed", "5", "--case", "194"]) == 0


def test_a_request_without_answer_is_found(
    bench: FaultBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the driver repeats, and one of those that are sent blindly."""
    rng = random.Random(4)
    bench.begin(rng, 0)
    scene = Scene(bench=bench, rng=rng, number=0, held=0, wanted=1)
    monkeypatch.setattr(Scene, "send", lambda *_: b"")
    with pytest.raises(FaultError, match=r"^Requests \[0.*\] of \d+ must be answered$"):
        KINDS["strange requests"](scene)
    lost = iter([b"x"])

    def once(line: SteppedTransport, message: bytes) -> None:
        write(line, next(lost, message))

    write = SteppedTransport.write
    monkeypatch.setattr(SteppedTransport, "write", once)
    with pytest.raises(FaultError, match=r"^Requests that were repeated must be 0, not 1$"):
        bench.check(rng, {0})


def test_garbage_and_whole_frames_do_what_is_said(bench: FaultBench) -> None:
    """The kinds that must not fail do not; what they leave is exact."""
    rng = random.Random(3)
    for kind, found in (("garbage between frames", {1}), ("strange requests", {0, None})):
        bench.begin(rng, 0)
        scene = Scene(bench=bench, rng=rng, number=0, held=0, wanted=1)
        assert KINDS[kind](scene) == found
        assert bench.check(rng, found) in found


def test_networks_differ() -> None:
    """Else a half of one and a half of the other would not be told apart."""
    first, second = fault_networks()
    assert first.fingerprint() != second.fingerprint()
    assert first.features != second.features
    assert first.classes != second.classes


def test_writing_to_a_flash() -> None:
    """Sectors are erased, then pages written upwards; bits turn only the way that is theirs."""
    old = bytes(0x1000) + bytes(range(256)) * 32
    new = random.Random(1).randbytes(0x300) + b"\xff" * 0x500 + b"\x00" * 0x900
    operations = write_operations(0x1000, new)
    assert [each[:2] for each in operations[:4]] == [
        ("erase", 0x1000),
        ("erase", 0x2000),
        ("program", 0x1000),
        ("program", 0x1100),
    ]
    assert len(operations) == 2 + 3 + 9
    for at in range(len(operations) + 1):
        found = interrupted_write(old, 0x1000, new, at=at, rng=random.Random(at))
        assert found[:0x1000] == old[:0x1000]
        if at < 2:  # bits only rise
            assert all(new | old == new for new, old in zip(found, old, strict=True))
        assert (found[0x1000 : 0x1000 + len(new)] == new) == (at == len(operations))
        assert len(found) == len(old)
