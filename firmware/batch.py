# SPDX-License-Identifier: Apache-2.0
"""Samples for one board, or spread over several."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from firmware.answers import (
    Classification,
    DeviceError,
    DeviceStatus,
    Result,
    collect,
    read_result,
)
from firmware.events import event_bodies
from firmware.requests import Reply
from firmware.transport import LinkError
from hw.design.design import Design
from hw.formats.image_layout import LoadState
from model.events import Events

if TYPE_CHECKING:
    from firmware.driver import Device

__all__ = ["classify_on", "sample_bodies"]


def sample_bodies(samples: np.ndarray | Events, design: Design, values: int) -> list[bytes]:
    """Bytes of each sample as a board takes them.

    Parameters
    ----------
    samples
        Images or series, uint8 (N, values) or of more axes behind N; or events.
    design
        Of the gateware.
    values
        Bytes of a sample of the network, if it is not one of events.

    Raises
    ------
    ValueError
        If the samples are of the wrong kind, type or size.
    """
    if design.events is not None:
        if not isinstance(samples, Events):
            raise ValueError("Samples must be events for this gateware, not images")
        return event_bodies(samples, design.events)
    if isinstance(samples, Events):
        raise ValueError("Samples must be images for this gateware, not events")
    images = np.asarray(samples)
    if images.dtype != np.uint8:
        raise ValueError(f"Images must be uint8, not {images.dtype}")
    if images.ndim < 2 or int(np.prod(images.shape[1:])) != values:
        raise ValueError(
            f"Images must have {values} pixels for this network, "
            f"not {int(np.prod(images.shape[1:]))}"
        )
    return [row.tobytes() for row in images.reshape(len(images), -1)]


def classify_on(
    devices: "Sequence[Device]",
    samples: np.ndarray | Events,
    *,
    window: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_answer: Callable[[int, int, Result], None] | None = None,
    on_failure: "Callable[[Device, LinkError], None] | None" = None,
) -> Classification:
    """Classify samples on boards that hold the same network.

    Each board takes the next sample whenever it has room for one, so that a fast board does more
    of them. Samples of a board that fails go to the others.

    Parameters
    ----------
    devices
        One board or more.
    samples, window, progress, on_answer
        As for `firmware.driver.Device.classify`; of several boards the calls come from threads,
        one at a time.
    on_failure
        Called with a board that failed, and how, if others go on.

    Raises
    ------
    ValueError
        If the samples are of the wrong kind; nothing is sent.
    DeviceError
        If no board answers, one has no network, or their networks differ.
    """
    statuses = [_ready(device.status()) for device in devices]
    status, design = statuses[0], devices[0].design
    for device, other in zip(devices[1:], statuses[1:], strict=True):
        _check_alike(status, other, design, device.design)
    work = _Work(
        sample_bodies(samples, design, status.sample_values),
        classes=status.classes,
        progress=progress,
        on_answer=on_answer,
    )
    if len(devices) == 1:
        devices[0].answer_samples(
            work.samples([]),
            status=status,
            window=window,
            on_reply=work.reply,
            on_running=work.running,
        )
    else:
        _share(devices, statuses, work, window, on_failure)
    beta = None
    for device in devices:
        if device.temperature is not None and device.temperature[0] == status.fingerprint:
            beta = device.temperature[1]
    return collect(
        [work.results[index] for index in range(work.total)],
        [work.answers[index] for index in range(work.total)],
        status=status,
        votes=design.is_stepwise,
        inverse_temperature=beta,
    )


def _ready(status: DeviceStatus) -> DeviceStatus:
    """The status, if samples can be sent."""
    if status.state is not LoadState.ACTIVE:
        raise DeviceError("The board has no network; load one first")
    if not status.stored_members and not status.seed:
        raise DeviceError(
            "Members of the network on the board are drawn: a seed must be chosen first"
        )
    return status


def _check_alike(status: DeviceStatus, other: DeviceStatus, design: Design, held: Design) -> None:
    """Raise if two boards would answer differently."""
    for noun, first, second in (
        ("Network", f"{status.fingerprint:#010x}", f"{other.fingerprint:#010x}"),
        ("Members", status.members, other.members),
        ("Seed", status.seed, other.seed),
        ("Steps from answer to answer", status.step_results, other.step_results),
        ("Early stop", design.early_stop, held.early_stop),
    ):
        if first != second:
            raise DeviceError(f"{noun} must be the same on all boards, not {first} and {second}")


class _Work:
    """Samples to be done, and what came of them; several threads may use it."""

    def __init__(
        self,
        bodies: list[bytes],
        *,
        classes: int,
        progress: Callable[[int, int], None] | None,
        on_answer: Callable[[int, int, Result], None] | None,
    ) -> None:
        self._bodies = bodies
        self._waiting = list(range(len(bodies)))[::-1]
        self._classes = classes
        self._progress, self._on_answer = progress, on_answer
        self._lock = threading.Lock()
        self.total = len(bodies)
        self.results: dict[int, Result] = {}
        #: Answers after steps, of each sample.
        self.answers: dict[int, list[Result]] = {}

    @property
    def is_done(self) -> bool:
        """Whether every sample is answered."""
        return len(self.results) == self.total

    def samples(self, taken: list[int]) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of one sample after another; what was taken is noted."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                index = self._waiting.pop()
                taken.append(index)
            yield index, self._bodies[index]

    def give_back(self, taken: list[int]) -> None:
        """Let others do what is not answered of this."""
        with self._lock:
            self._waiting += [index for index in reversed(taken) if index not in self.results]

    def stop(self) -> None:
        """Let nobody begin another sample."""
        with self._lock:
            self._waiting.clear()

    def reply(self, index: int, reply: Reply) -> None:
        """Take the result of a sample."""
        result = read_result(reply.body, self._classes)
        answers = [read_result(body, self._classes) for body in reply.running]
        with self._lock:
            self.results[index], self.answers[index] = result, answers
            if self._on_answer is not None:
                self._on_answer(index, len(answers), result)
            if self._progress is not None:
                self._progress(len(self.results), self.total)

    def running(self, index: int, number: int, body: bytes) -> None:
        """Tell an answer after a step."""
        if self._on_answer is not None:
            with self._lock:
                self._on_answer(index, number, read_result(body, self._classes))


def _share(
    devices: "Sequence[Device]",
    statuses: Sequence[DeviceStatus],
    work: _Work,
    window: int | None,
    on_failure: "Callable[[Device, LinkError], None] | None",
) -> None:
    """Let all boards work until everything is done."""
    errors: dict[int, BaseException] = {}

    def run(place: int) -> None:
        taken: list[int] = []
        try:
            devices[place].answer_samples(
                work.samples(taken),
                status=statuses[place],
                window=window,
                on_reply=work.reply,
                on_running=work.running,
            )
        except BaseException as error:
            errors[place] = error
            work.give_back(taken)

    working = list(range(len(devices)))
    while working and not work.is_done:
        threads = [threading.Thread(target=run, args=[place], daemon=True) for place in working]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            work.stop()
            raise
        for place in [place for place in working if place in errors]:
            error = errors[place]
            if not isinstance(error, LinkError):
                raise error
            working.remove(place)
            if on_failure is not None and working:
                on_failure(devices[place], error)
    if not work.is_done:
        raise errors[min(errors)]
