# SPDX-License-Identifier: Apache-2.0
"""What a board answers, as plain values and errors."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware.transport import LinkError
from hw.formats.image_layout import LoadError, LoadState
from hw.formats.structures import size_of, unpack
from hw.link.packets import SILENT, RefusalReason, ResultEnd, ResultEntry
from model.description import Readout

__all__ = [
    "Classification",
    "DeviceError",
    "DeviceStatus",
    "RefusedError",
    "Result",
    "collect",
    "read_result",
    "refusal_detail",
    "refusal_reason",
]

# Amaranth's enumerations carry no types.
_REASONS: list[Any] = list(RefusalReason.__members__.values())
_DETAILS: list[Any] = list(LoadError.__members__.values())


class DeviceError(LinkError):
    """A board that cannot do what was asked; the text says why."""


class RefusedError(DeviceError):
    """The board refused a request.

    Parameters
    ----------
    reason
        Why.
    detail
        For `RefusalReason.IMAGE`, what is wrong with the image.
    """

    def __init__(self, reason: Any, detail: Any) -> None:
        self.reason = reason
        self.detail = detail
        name = reason.name.lower().replace("_", " ") if isinstance(reason, RefusalReason) else ""
        text = f"The board refused the request: {name or reason}"
        if reason is RefusalReason.IMAGE and isinstance(detail, LoadError):
            text += f" ({detail.name.lower()})"
        super().__init__(text)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceStatus:
    """What a board holds and has counted.

    Parameters
    ----------
    state
        No network, one being loaded, or an active one.
    load_error
        Why the last image was refused.
    fingerprint
        Of the active network, 0 without one.
    sample_values, classes, steps, readout
        Bytes of a sample, classes, steps of the layers and readout of the active network; 0 and
        none without one.
    errors
        Names of the error flags that are set.
    cycles, samples, input_spikes, hidden_spikes
        Counters since reset; the first wraps around at 2**32, the others at 2**24.
    clock_hz
        Clock, 0 if the gateware does not say.
    divisor
        Clock cycles a bit of the line, 0 if it is no serial line.
    stored_members
        Weight sets of the active network; 0: its members are drawn, or there is no network.
    members, step_results, seed
        What is chosen: members that answer, after every how many steps (0: at the end only), seed
        of those drawn (0: none).
    """

    state: LoadState
    load_error: LoadError
    fingerprint: int
    sample_values: int
    classes: int
    steps: int
    readout: Readout | None
    errors: tuple[str, ...]
    cycles: int
    samples: int
    input_spikes: int
    hidden_spikes: int
    clock_hz: int
    divisor: int = 0
    stored_members: int = 1
    members: int = 1
    step_results: int = 0
    seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification:
    """What a board said about N images.

    Parameters
    ----------
    winners
        int64 (N,): classes.
    decision_steps
        int64 (N,): step of the winner's spike, T where no output fired or the readout ignores it.
    spike_steps
        int64 (N, classes): step of each output's spike, T where silent.
    scores
        int64 (N, classes): what the readout compares beside the step; of a committee the sums over
        its members.
    cycles
        int64 (N,): cycles from the first pixel to the result, waiting for the link left out; 0
        where the board did not measure.
    members
        Members that answered.
    votes
        int64 (N, classes): members that would have chosen the class; None for networks without
        members.
    running_winners, running_scores
        int64 (N, answers) and (N, answers, classes): answers after steps, the last of which is the
        result, if they were chosen.
    inverse_temperature
        Beta of the network, if this session loaded it.
    """

    winners: np.ndarray
    decision_steps: np.ndarray
    spike_steps: np.ndarray
    scores: np.ndarray
    cycles: np.ndarray
    members: int = 1
    votes: np.ndarray | None = None
    running_winners: np.ndarray | None = None
    running_scores: np.ndarray | None = None
    inverse_temperature: float | None = None

    @property
    def vote_fractions(self) -> np.ndarray | None:
        """float64 (N, classes): share of the members that chose each class."""
        return None if self.votes is None else self.votes / self.members

    @property
    def confidences(self) -> np.ndarray | None:
        """float64 (N,): share of the members that agree with the class that was answered."""
        if self.vote_fractions is None:
            return None
        return self.vote_fractions[np.arange(len(self.winners)), self.winners]

    @property
    def probabilities(self) -> np.ndarray | None:
        """float64 (N, classes): softmax(beta * mean score of the members); None without beta."""
        if self.inverse_temperature is None or self.votes is None:
            return None
        heights = self.scores * (self.inverse_temperature / self.members)
        powers = np.exp(heights - heights.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One answer as it came.

    Parameters
    ----------
    firsts
        int64 (classes,): spike steps, or votes in a stepwise design.
    scores
        int64 (classes,).
    winner, cycles
        Class, and cycles from the first pixel on.
    """

    firsts: np.ndarray
    scores: np.ndarray
    winner: int
    cycles: int


def read_result(body: bytes, classes: int) -> Result:
    """Take a result apart.

    Raises
    ------
    DeviceError
        If it has the wrong size.
    """
    if len(body) != size_of(ResultEntry) * classes + size_of(ResultEnd):
        raise DeviceError(f"Result must name {classes} classes, not {len(body)} bytes")
    # `ResultEntry` and `CommitteeEntry` have the same widths.
    entries = np.frombuffer(body, dtype=[("first", "<u2"), ("score", "<i4")], count=classes)
    end = unpack(ResultEnd, body[-size_of(ResultEnd) :])
    return Result(
        firsts=entries["first"].astype(np.int64),
        scores=entries["score"].astype(np.int64),
        winner=end["winner"],
        cycles=end["cycles"],
    )


def collect(
    results: Sequence[Result],
    running: Sequence[Sequence[Result]],
    *,
    status: DeviceStatus,
    votes: bool,
    inverse_temperature: float | None,
) -> Classification:
    """All answers together.

    Parameters
    ----------
    results
        Of N images.
    running
        Answers after the steps but the last of each image, if they were chosen.
    status
        Of the board.
    votes
        Whether the results name votes, not spike steps.
    inverse_temperature
        Of the network, if known.
    """
    count, classes = len(results), status.classes
    shape = (count, classes)
    firsts = np.array([result.firsts for result in results], np.int64).reshape(shape)
    scores = np.array([result.scores for result in results], np.int64).reshape(shape)
    winners = np.array([result.winner for result in results], np.int64)
    steps = np.where((firsts == SILENT) | votes, status.steps, firsts)
    every = [[*before, last] for before, last in zip(running, results, strict=True)]
    has_running = status.step_results and len({len(each) for each in every}) == 1
    return Classification(
        winners=winners,
        decision_steps=steps[np.arange(count), winners],
        spike_steps=steps,
        scores=scores,
        cycles=np.array([result.cycles for result in results], np.int64),
        members=status.members,
        votes=firsts if votes else None,
        running_winners=np.array([[one.winner for one in each] for each in every])
        if has_running
        else None,
        running_scores=np.array([[one.scores for one in each] for each in every])
        if has_running
        else None,
        inverse_temperature=inverse_temperature,
    )


def refusal_reason(code: int) -> Any:
    """`RefusalReason` of a number; one of a later version is kept as it is."""
    return next((reason for reason in _REASONS if reason.value == code), code)


def refusal_detail(code: int) -> Any:
    """`LoadError` of a number; one of a later version is kept as it is."""
    return next((error for error in _DETAILS if error.value == code), code)
