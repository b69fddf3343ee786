# SPDX-License-Identifier: Apache-2.0
"""Answers on the way through series, from a device that answers as the golden model says."""

import re

import numpy as np
import pytest
from rich.console import Console

import popspike.streaming
from firmware.answers import Classification, DeviceError, Result
from model.data import Samples
from model.golden import run_every
from popspike.streaming import check_stream, stream
from tests.series import make_parallel, make_recurrent
from tests.stepwise import make_network

NETWORK = make_parallel(seed=3, order=5, steps=9, reads=2)
IMAGES = np.random.default_rng(2).integers(0, 256, (2, 9, 1), dtype=np.uint8)
SAMPLES = Samples(images=IMAGES, labels=np.array([0, 2]), origin="noise")


class Board:
    """Answers every few steps; one score may be wrong, or answers may be lost."""

    def __init__(self, *, wrong: bool = False, loses: bool = False) -> None:
        self.chosen: list[int] = []
        self._wrong, self._loses = wrong, loses

    def choose(self, *, members: int, step_results: int = 0) -> None:
        self.chosen.append(step_results)

    def classify(self, images: np.ndarray, *, window: int, on_answer) -> Classification:
        assert window == 1  # so that every series has its cycles
        answers = run_every(NETWORK, images, every=self.chosen[-1])
        scores, winners = answers.scores.numpy().copy(), answers.winners.numpy()
        scores[1, 0, 0] += self._wrong
        for index, (each, classes) in enumerate(zip(scores, winners, strict=True)):
            for number, (heights, winner) in enumerate(zip(each, classes, strict=True)):
                if on_answer is not None:
                    result = Result(firsts=heights, scores=heights, winner=int(winner), cycles=5)
                    on_answer(index, number, result)
        return Classification(
            winners=winners[:, -1],
            decision_steps=winners[:, -1],
            spike_steps=scores[:, -1],
            scores=scores[:, -1],
            cycles=np.array([5, 5]),
            running_winners=None if self._loses else winners,
            running_scores=None if self._loses else scores,
        )


@pytest.mark.parametrize("is_terminal", [False, True])
def test_every_answer_is_shown(monkeypatch, is_terminal):
    console = Console(force_terminal=is_terminal, record=True, width=120, force_interactive=False)
    monkeypatch.setattr(popspike.streaming, "out", console)
    board = Board()
    facts = stream(board, NETWORK, SAMPLES, every=4, quiet=False)
    assert board.chosen == [4, 0]
    assert facts["mismatches"] == 0
    assert facts["answer_steps"] == [4, 8, 9]
    assert len(facts["accuracy_after"]) == 3
    text = console.export_text()
    if is_terminal:
        assert "step 9 of 9" in text
    else:
        steps = re.findall(r"series (\d) \(label \d\), step +(\d) of 9: class \d", text)
        assert steps == [(str(series), step) for series in (0, 1) for step in "489"]


def test_a_wrong_score_on_the_way_is_a_mismatch():
    assert stream(Board(wrong=True), NETWORK, SAMPLES, every=4, quiet=True)["mismatches"] == 1
    with pytest.raises(DeviceError, match="must answer each series 3 times"):
        stream(Board(loses=True), NETWORK, SAMPLES, every=4, quiet=True)


def test_networks_without_a_memory_of_their_own_are_refused():
    assert check_stream(NETWORK, None) == 1
    assert check_stream(NETWORK, 7) == 7
    for network in (make_recurrent(seed=1), make_network((5, 4, 3), seed=1)):
        with pytest.raises(ValueError, match="must go to a network with a Legendre memory"):
            check_stream(network, None)
    with pytest.raises(ValueError, match="Steps from answer to answer must lie in"):
        check_stream(NETWORK, -1)
