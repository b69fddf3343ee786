# SPDX-License-Identifier: Apache-2.0
"""Series, choices and networks that do not fit: one clear text before anything is built."""

from pathlib import Path

import numpy as np
import pytest

from model.network_file import save_network
from tests.popspike.conftest import Command
from tests.series import make_parallel

NETWORK = make_parallel(seed=74, order=7, channels=2, steps=10, hidden=(5,), reads=4)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save_network(NETWORK, tmp_path / "series.safetensors")


def series(folder: Path, x: np.ndarray) -> Path:
    path = folder / "series.npz"
    np.savez(path, x=x, y=np.arange(len(x)) % 3)
    return path


@pytest.mark.parametrize("command", ["verify", "eval"])
@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (
            (6, 20, 2),
            "Series must have 1 to 10 steps for this network (window of the memory 10), not 20",
        ),
        ((6, 10, 1), "Series must have 2 channels, not 1"),
        ((6, 9), "Values of a series must be a multiple of its 2 channels, not 9"),
    ],
)
def test_series_that_do_not_fit(
    popspike: Command, network: Path, tmp_path: Path, command: str, shape: tuple, text: str
) -> None:
    data = series(tmp_path, np.zeros(shape, np.uint8))
    answer = popspike(command, network, "-d", data)
    assert answer.code == 2
    assert text in answer.error()


@pytest.mark.parametrize("x", [np.full((6, 10, 2), 256), np.full((6, 10, 2), -1.5)])
def test_values_that_are_no_bytes(
    popspike: Command, network: Path, tmp_path: Path, x: np.ndarray
) -> None:
    answer = popspike("verify", network, "-d", series(tmp_path, x))
    assert answer.code == 2
    wanted = "must be uint8 of shape (N, features), (N, height, width) or (N, steps, channels)"
    assert f"{wanted}, not {x.dtype}" in answer.error()


def test_no_series_at_hand(popspike: Command, network: Path) -> None:
    answer = popspike("verify", network)
    assert answer.code == 2
    text = "Series of 2 channels and at most 10 steps must be named with --dataset"
    assert text in answer.error()


def test_answers_after_impossible_numbers_of_steps(
    popspike: Command, network: Path, tmp_path: Path
) -> None:
    data = series(tmp_path, np.zeros((6, 10, 2), np.uint8))
    for every in (-1, 65536):
        answer = popspike("verify", network, "-d", data, "--every", every)
        assert answer.code == 2
        text = f"Steps from answer to answer must lie in 0..65535 for this network, not {every}"
        assert text in answer.error()


def test_a_memory_too_large_for_a_board(popspike: Command, tmp_path: Path) -> None:
    large = make_parallel(seed=1, order=1000, channels=60, steps=10, hidden=(5,))
    path = save_network(large, tmp_path / "large.safetensors")
    data = series(tmp_path, np.zeros((6, 10, 60), np.uint8))
    answer = popspike("verify", path, "-d", data, "-b", "icebreaker")
    assert answer.code == 2
    assert "Networks of icebreaker must fit its" in answer.error()
