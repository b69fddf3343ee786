# SPDX-License-Identifier: Apache-2.0
"""Samples of stepwise designs as beats, and runs of their cores."""

import random
from collections.abc import Sequence

import numpy as np

from hw.design.design import Design
from model.description import Network
from tests.sim.core_bench import CoreRun, run_core

__all__ = ["pixel_beats", "run_step_core", "step_words"]


def pixel_beats(design: Design, image: np.ndarray) -> list[dict]:
    """Beats of an image, the last one padded."""
    count = design.pixels_per_cycle
    padded = np.zeros(-(-len(image) // count) * count, np.uint8)
    padded[: len(image)] = image
    beats = padded.reshape(-1, count).tolist()
    return [
        {"pixels": beat, "last": int(number == len(beats) - 1)} for number, beat in enumerate(beats)
    ]


def step_words(
    train: np.ndarray, width: int, *, bits: int = 1, last: bool = True
) -> list[dict[str, int]]:
    """Words of a train (T, features) of spikes, or of integers of some bits: planes of groups with
    set bits; a silent step's end alone."""
    words = []
    for step in train.tolist():
        sent = []
        for group in range(-(-len(step) // width)):
            values = step[group * width : (group + 1) * width]
            for plane in range(bits):
                spikes = sum((value >> plane & 1) << k for k, value in enumerate(values))
                word = {"group": group, "spikes": spikes, "end_of_step": 0, "last": 0}
                sent += [word | ({"plane": plane} if bits > 1 else {})] if spikes else []
        silent = {"group": 0, "spikes": 0, "end_of_step": 0, "last": 0}
        sent = sent or [silent | ({"plane": bits - 1} if bits > 1 else {})]
        sent[-1]["end_of_step"] = 1
        words += sent
    words[-1]["last"] = int(last)
    return words


def run_step_core(
    design: Design,
    network: Network,
    samples: Sequence[list[dict]],
    *,
    members: int | None = None,
    seed: int = 0,
    answers: int | None = None,
    stalls: random.Random | None = None,
    step_results: int = 0,
) -> CoreRun:
    """Load a network, send all samples, and wait for all answers."""
    settings = {"members": network.members if members is None else members}
    if design.encodes_rates:
        settings["phase"] = network.encoding.phase
    if design.sampled:
        settings["seed"] = seed
    if design.step_results:
        settings["step_results"] = int(step_results)
    return run_core(design, network, samples, answers=answers, settings=settings, stalls=stalls)
