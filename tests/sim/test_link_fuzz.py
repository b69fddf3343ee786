# SPDX-License-Identifier: Apache-2.0
"""A slice of the fuzzing of frames; the whole is `python -m sim.link_fuzz`."""

import json

import pytest

import sim.link_fuzz
from firmware.link import Frame, FrameParser
from hw.link.packets import FrameType
from sim.line_cases import line_items
from sim.link_fuzz import DEPTH, main, run_link_fuzz, wrong_acceptance_limit


def test_gateware_and_host_accept_the_same_frames() -> None:
    outcome = run_link_fuzz(frames=4000, seed=11)
    assert outcome.differences == ()
    assert outcome.passed
    assert sum(outcome.items.values()) == 4000
    # Every kind was there, and the frames got through between them.
    assert len(outcome.items) == 12
    assert outcome.accepted >= outcome.items["good"] * 0.9
    assert outcome.refused > 2000
    assert outcome.no_room > 0


class Deaf(FrameParser):
    """Refuses every frame of one sequence number."""

    def feed(self, received):
        return [frame for frame in super().feed(received) if frame.sequence != 7]


class Gullible(FrameParser):
    """Takes what is no frame for one."""

    def feed(self, received):
        return super().feed(received) or [Frame(type=FrameType.LOAD_END, sequence=7, body=b"")]


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (Deaf, "refused by the host, accepted by the gateware"),
        (Gullible, "accepted by the host, refused by the gateware"),
    ],
)
def test_a_difference_is_found(
    parser: type[FrameParser], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim.link_fuzz, "FrameParser", parser)
    outcome = run_link_fuzz(frames=2000, seed=11)
    assert not outcome.passed
    assert any(text in difference for difference in outcome.differences)


def test_an_error_where_no_code_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate = sim.link_fuzz._simulate

    def careless(*arguments, **options):
        return [["E", "0"], *simulate(*arguments, **options)]

    monkeypatch.setattr(sim.link_fuzz, "_simulate", careless)
    outcome = run_link_fuzz(frames=100, seed=11)
    # Both lines begin with a zero.
    assert outcome.differences == ("the gateware refused where no code ends: [0]",) * 2


def test_lines_are_those_of_their_seed() -> None:
    once, again, other = (line_items(300, seed=seed, depth=DEPTH) for seed in (5, 5, 6))
    assert once == again != other


@pytest.mark.parametrize(("frames", "limit"), [(1, 1), (1000, 2), (65536, 9), (100_000, 10)])
def test_limit_of_wrong_acceptances(frames: int, limit: int) -> None:
    """Sums of the Poisson distribution: P(X > 10 | 1.526) = 3e-7, P(X > 9 | 1.526) = 3e-6."""
    assert wrong_acceptance_limit(frames) == limit


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "500", "--seed", "3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["passed"]
    assert sum(printed["items"].values()) == 500
    assert main(["--frames", "500", "--seed", "3"]) == 0
    assert "passed: 0 differences" in capsys.readouterr().out
