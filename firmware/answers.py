# SPDX-License-Identifier: Apache-2.0
"""What a board answers, as plain values and errors."""

import dataclasses
from typing import Any

import numpy as np

from firmware.transport import LinkError
from hw.image_layout import LoadError, LoadState
from hw.link.packets import RefusalReason
from model.description import Readout

__all__ = [
    "Classification",
    "DeviceError",
    "DeviceStatus",
    "RefusedError",
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
    features, classes, steps, readout
        Of the active network; 0 and none without one.
    errors
        Names of the error flags that are set.
    cycles, samples, input_spikes, hidden_spikes
        Counters since reset; the first wraps around at 2**32, the others at 2**24.
    clock_hz
        Clock, 0 if the gateware does not say.
    """

    state: LoadState
    load_error: LoadError
    fingerprint: int
    features: int
    classes: int
    steps: int
    readout: Readout | None
    errors: tuple[str, ...]
    cycles: int
    samples: int
    input_spikes: int
    hidden_spikes: int
    clock_hz: int


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
        int64 (N, classes): what the readout compares beside the step.
    cycles
        int64 (N,): cycles from the first pixel to the result, waiting for the link left out; 0
        where the board did not measure.
    """

    winners: np.ndarray
    decision_steps: np.ndarray
    spike_steps: np.ndarray
    scores: np.ndarray
    cycles: np.ndarray


def refusal_reason(code: int) -> Any:
    """`RefusalReason` of a number; one of a later version is kept as it is."""
    return next((reason for reason in _REASONS if reason.value == code), code)


def refusal_detail(code: int) -> Any:
    """`LoadError` of a number; one of a later version is kept as it is."""
    return next((error for error in _DETAILS if error.value == code), code)
