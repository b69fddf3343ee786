# SPDX-License-Identifier: Apache-2.0
"""Host driver: find out what a board is, load a network, classify images."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import numpy as np
from amaranth.lib import data

from firmware.answers import (
    Classification,
    DeviceError,
    DeviceStatus,
    RefusedError,
    Result,
    collect,
    read_result,
)
from firmware.events import event_bodies
from firmware.image import device_image
from firmware.requests import Requester
from firmware.transport import Transport
from hw.design import CapacityError, Design
from hw.design_words import design_from_words
from hw.image_layout import LoadError, LoadState
from hw.link.packets import (
    EventEntry,
    FrameType,
    LoadBegin,
    LoadData,
    RefusalReason,
    SampleBegin,
    SampleData,
    body_limit,
)
from hw.register_map import (
    CommitteeWord,
    ControlWord,
    ErrorFlags,
    NetworkWord,
    SizeWord,
    StatusWord,
    register_address,
)
from hw.structures import pack, size_of, to_bits
from model.description import MAX_STEPS, Network
from model.events import Events

__all__ = [
    "Classification",
    "Device",
    "DeviceError",
    "DeviceStatus",
    "RefusedError",
]

_WINDOW_WORDS = 64
# Largest data part of a load frame: a lost frame costs no more than this to send again.
_LOAD_PART = 1024


class Device(Requester):
    """A board on a transport.

    Parameters
    ----------
    transport, timeout, retries
        As for `firmware.requests.Requester`.
    """

    def __init__(self, transport: Transport, *, timeout: float = 1.0, retries: int = 4) -> None:
        super().__init__(transport, timeout=timeout, retries=retries)
        self._design: Design | None = None
        # Of the network loaded last: fingerprint and beta.
        self._temperature: tuple[int, float] | None = None

    # What the board is

    @property
    def design(self) -> Design:
        """Capacity and fold of the gateware, rebuilt from its registers.

        Raises
        ------
        DeviceError
            If the registers are not those of a popspike gateware of this version.
        """
        if self._design is None:
            words = self.read_registers(0, _WINDOW_WORDS)
            try:
                self._design = design_from_words(lambda address: words[address // 4])
            except (ValueError, TypeError, IndexError) as error:
                raise DeviceError(f"The board cannot be used: {error}") from None
        return self._design

    def status(self) -> DeviceStatus:
        """Ask what the board holds and has counted."""
        design = self.design
        window = self.read_registers(0, _WINDOW_WORDS)

        def word(name: str) -> int:
            return window[register_address(name) // 4]

        status = StatusWord.from_bits(word("status"))
        state = LoadState(status.state)
        size = SizeWord.from_bits(word("network_size"))
        network = NetworkWord.from_bits(word("network"))
        committee = CommitteeWord.from_bits(word("committee"))
        errors = word("errors") & (1 << data.Layout.cast(ErrorFlags).size) - 1
        flags = ErrorFlags.from_bits(errors)
        is_active = state is LoadState.ACTIVE
        return DeviceStatus(
            state=state,
            load_error=LoadError(status.load_error),
            fingerprint=word("fingerprint"),
            sample_values=size.sample_values if is_active else 0,
            classes=size.classes if is_active else 0,
            steps=network.steps if is_active else 0,
            readout=design.readouts[network.readout] if is_active else None,
            errors=tuple(name for name, _ in data.Layout.cast(ErrorFlags) if flags[name]),
            cycles=word("cycles"),
            samples=word("samples"),
            input_spikes=word("input_spikes"),
            hidden_spikes=word("hidden_spikes"),
            clock_hz=word("clock_hz"),
            stored_members=network.members if is_active else 0,
            members=committee.members if is_active and design.is_stepwise else 1,
            step_results=committee.step_results,
            seed=word("seed"),
        )

    def clear_errors(self) -> None:
        """Clear the error flags."""
        self.write_register(register_address("errors"), 0xFFFFFFFF)

    def drop_network(self) -> None:
        """Make the board forget its network."""
        control = int(ControlWord.const({"drop": 1}).as_bits())
        self.write_register(register_address("control"), control)

    def choose(
        self,
        *,
        members: int | None = None,
        seed: int | None = None,
        step_results: int = 0,
    ) -> None:
        """Choose how the active network answers, until another is loaded.

        Parameters
        ----------
        members
            Members K that answer, one after another; None: as many as now.
        seed
            Of members that are drawn, 1..2**32 - 1; None: as now.
        step_results
            1: answer after every step, too; of a gateware with a Legendre memory n: after every n
            input steps; 0: only at the end of a sample. Of a single member.

        Raises
        ------
        hw.design.CapacityError
            If the network has fewer members, or the gateware was built for fewer; nothing is sent.
        ValueError
            If a number is out of range; nothing is sent.
        DeviceError
            If the board has no network whose members can be chosen, or does not answer.
        """
        status, design = self.status(), self.design
        if status.state is not LoadState.ACTIVE:
            raise DeviceError("The board has no network; load one first")
        if not design.is_stepwise:
            raise DeviceError("Members can be chosen of networks with a state at every step only")
        members = status.members if members is None else members
        if members < 1:
            raise ValueError(f"Members must be at least 1, not {members}")
        most = status.stored_members or design.members
        if members > most:
            what = "the network stores" if status.stored_members else "the gateware was built for"
            raise CapacityError(f"Members must be at most the {most} that {what}, not {members}")
        if step_results and (members > 1 or not design.step_results):
            raise CapacityError(
                "Answers after every step must be of 1 member and a gateware built for them, "
                f"not of {members}"
            )
        most_steps = 1 if design.memory is None else MAX_STEPS
        if not 0 <= step_results <= most_steps:
            raise ValueError(
                f"Steps from answer to answer must lie in 0..{most_steps}, not {step_results}"
            )
        if seed is not None:
            if not design.sampled:
                raise CapacityError("Seed must be absent for a gateware that draws no members")
            if not 1 <= seed < 1 << 32:
                raise ValueError(f"Seed must be an integer in 1..{(1 << 32) - 1}, not {seed!r}")
            self.write_register(register_address("seed"), seed)
        word = to_bits(CommitteeWord, members=members, step_results=step_results)
        self.write_register(register_address("committee"), word)

    # What it does

    def load(self, network: Network, *, progress: Callable[[int, int], None] | None = None) -> None:
        """Load a network and make it active.

        Whether it fits is checked before anything is sent, so that a network that is too large
        leaves the old one in use.

        Parameters
        ----------
        network
            The network.
        progress
            Called with the bytes sent and all bytes.

        Raises
        ------
        hw.design.CapacityError
            If the gateware cannot hold the network; the text names the field.
        DeviceError
            If the board does not answer or refuses the image; it then has no network.
        """
        image = device_image(network, self.design)
        self._temperature = None
        self.load_image(image, progress=progress)
        found = self.read_registers(register_address("fingerprint"), 1)[0]
        if found != network.fingerprint():
            raise DeviceError(
                f"Fingerprint on the board must be {network.fingerprint():#010x}, not {found:#010x}"
            )
        self._temperature = (found, network.inverse_temperature)

    def load_image(
        self, image: bytes, *, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Load a device image as it is; see `load`.

        A load that the board has lost sight of, because its power failed for a moment or another
        host wrote to it, is begun once more.
        """
        try:
            self._send_image(image, progress)
        except RefusedError as error:
            if error.reason not in (RefusalReason.GAP, RefusalReason.INCOMPLETE):
                raise
            self._send_image(image, progress)

    def _send_image(self, image: bytes, progress: Callable[[int, int], None] | None) -> None:
        """Begin, send all parts, ask whether the network is active."""
        part = min(_LOAD_PART, body_limit(self.design) - size_of(LoadData))
        self.request(FrameType.LOAD_BEGIN, pack(LoadBegin, length=len(image)))
        for offset in range(0, len(image), part):
            piece = image[offset : offset + part]
            head = pack(LoadData, remaining=len(image) - offset)
            self.request(FrameType.LOAD_DATA, head + piece)
            if progress is not None:
                progress(offset + len(piece), len(image))
        self.request(FrameType.LOAD_END)

    def classify(
        self,
        samples: np.ndarray | Events,
        *,
        progress: Callable[[int, int], None] | None = None,
        on_answer: Callable[[int, int, Result], None] | None = None,
    ) -> Classification:
        """Classify samples with the active network.

        Parameters
        ----------
        samples
            Images or series, uint8 (N, sample_values) or of more axes behind N; or events, for a
            gateware that takes them.
        progress
            Called with the samples done and all samples.
        on_answer
            Called with the number of a sample, that of an answer of it, and the answer, as each
            comes; with the same numbers again if the line lost some.

        Raises
        ------
        ValueError
            If the images are not uint8 or have another number of pixels, or if the samples are of
            the wrong kind; nothing is sent.
        DeviceError
            If the board does not answer or has no network.
        """
        status = self.status()
        if status.state is not LoadState.ACTIVE:
            raise DeviceError("The board has no network; load one first")
        requests = self._sample_requests(samples, status.sample_values)
        if not status.stored_members and not status.seed:
            raise DeviceError(
                "Members of the network on the board are drawn: a seed must be chosen first"
            )
        results, running = [], []
        for index, send in enumerate(requests):
            with self._telling(on_answer, index, status.classes):
                results.append(read_result(send(), status.classes))
            running.append([read_result(each, status.classes) for each in self.running_answers])
            if on_answer is not None:
                on_answer(index, len(running[-1]), results[-1])
            if progress is not None:
                progress(index + 1, len(requests))
        beta = None
        if self._temperature is not None and self._temperature[0] == status.fingerprint:
            beta = self._temperature[1]
        return collect(
            results, running, status=status, votes=self.design.is_stepwise, inverse_temperature=beta
        )

    @contextlib.contextmanager
    def _telling(
        self, on_answer: Callable[[int, int, Result], None] | None, index: int, classes: int
    ) -> Iterator[None]:
        """Tell the answers on the way through a sample as they come."""
        if on_answer is not None:
            self._on_running = lambda number, body: on_answer(
                index, number, read_result(body, classes)
            )
        try:
            yield
        finally:
            self._on_running = None

    def _sample_requests(
        self, samples: np.ndarray | Events, values: int
    ) -> list[Callable[[], bytes]]:
        """Functions that send a sample each and return its result."""
        encoding = self.design.events
        if encoding is not None:
            if not isinstance(samples, Events):
                raise ValueError("Samples must be events for this gateware, not images")
            bodies = event_bodies(samples, encoding)
            return [functools.partial(self._send_events, body) for body in bodies]
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
        rows = images.reshape(len(images), -1)
        return [functools.partial(self.request, FrameType.SAMPLE, row.tobytes()) for row in rows]

    def _send_events(self, body: bytes) -> bytes:
        """Send a sample of events, and begin once more if its result was lost on the line."""
        size = size_of(EventEntry)
        part = min(_LOAD_PART, body_limit(self.design) - size_of(SampleData)) // size * size
        for _ in range(2):
            self.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=len(body) // size))
            for offset in range(0, len(body), part):
                head = pack(SampleData, remaining=(len(body) - offset) // size)
                reply = self.request(FrameType.SAMPLE_DATA, head + body[offset : offset + part])
            if reply:
                return reply
        raise DeviceError("The board's results are lost on the line. Check the port and its speed")
