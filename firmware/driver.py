# SPDX-License-Identifier: Apache-2.0
"""Host driver: find out what a board is, load a network, classify images."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from firmware.answers import Classification, DeviceError, DeviceStatus, RefusedError, Result
from firmware.batch import classify_on
from firmware.image import device_image
from firmware.requests import Reply, Requester
from firmware.speed import SPEEDS, raise_speed, restore_speed
from firmware.status import WINDOW_WORDS, read_status
from firmware.transport import USUAL_BAUD, Transport
from firmware.window import SampleWindow
from hw.design.design import CapacityError, Design
from hw.formats.design_words import design_from_words
from hw.formats.image_layout import LoadState
from hw.formats.register_map import CommitteeWord, ControlWord, register_address
from hw.formats.structures import pack, size_of, to_bits, unpack
from hw.link.packets import (
    CRC_BYTES,
    HEADER_BYTES,
    EventEntry,
    FrameType,
    LoadBegin,
    LoadData,
    RefusalReason,
    ResultEnd,
    SampleBegin,
    sample_window,
)
from model.description import MAX_STEPS, Network
from model.events import Events

__all__ = [
    "Classification",
    "Device",
    "DeviceError",
    "DeviceStatus",
    "RefusedError",
]

# Of a frame with a part of something long, without its code: two fit in the smallest ring.
_PART_BYTES = 512
# Parts under way. The board takes those of an image faster than any line brings them, so that they
# need not all fit in its ring; they hide the time until the host gets to see an answer.
_PARTS = 8
# The same where a part of a sample was lost: its accelerator may be slower than the line.
_SAFE_PARTS = 2


class Device(Requester):
    """A board on a transport.

    Parameters
    ----------
    transport, timeout, retries, first_sequence
        As for `firmware.requests.Requester`.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 1.0,
        retries: int = 4,
        first_sequence: int | None = None,
    ) -> None:
        super().__init__(transport, timeout=timeout, retries=retries, first_sequence=first_sequence)
        self._is_raised = False
        self._design: Design | None = None
        # Of the network loaded last: fingerprint and beta.
        self._temperature: tuple[int, float] | None = None

    @property
    def temperature(self) -> tuple[int, float] | None:
        """Fingerprint and inverse temperature of the network that this session loaded last."""
        return self._temperature

    @classmethod
    def open(
        cls, port: str | None = None, *, board: str | None = None, baud: int = USUAL_BAUD
    ) -> "Device":
        """Open a board; see `firmware.discovery.open_port` and `firmware.discovery.find_one`.

        Parameters
        ----------
        port
            Serial port; none: the one on which a board answers.
        board
            Name of a board, if it shall be that kind.
        baud
            Bits a second that its gateware was built for.

        Raises
        ------
        LinkError
            If there is no such board, or more than one.
        """
        from firmware.discovery import find_one, open_port

        if port is not None:
            return open_port(port, board=board, baud=baud)
        return find_one(board=board, baud=baud).device

    def raise_speed(self, *, most: int = SPEEDS[0]) -> int:
        """Raise the speed of the line; see `firmware.speed.raise_speed`."""
        self._is_raised = True
        return raise_speed(self, most=most)

    def close(self) -> None:
        """Let go of the board, its line as it was found."""
        if self._is_raised:
            self._is_raised = False
            restore_speed(self)
        super().close()

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
            words = self.read_registers(0, WINDOW_WORDS)
            try:
                self._design = design_from_words(lambda address: words[address // 4])
            except (ValueError, TypeError, IndexError) as error:
                raise DeviceError(f"The board cannot be used: {error}") from None
        return self._design

    def status(self) -> DeviceStatus:
        """Ask what the board holds and has counted."""
        return read_status(self.read_registers(0, WINDOW_WORDS), self.design)

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
        hw.design.design.CapacityError
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
        hw.design.design.CapacityError
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
        self.request(FrameType.LOAD_BEGIN, pack(LoadBegin, length=len(image)))
        self._send_parts(FrameType.LOAD_DATA, image, unit=1, progress=progress)
        self.request(FrameType.LOAD_END)

    def _send_parts(
        self,
        kind: Any,
        content: bytes,
        *,
        unit: int,
        window: int | Callable[[], int] = _PARTS,
        progress: Callable[[int, int], None] | None = None,
        on_running: Callable[[int, int, bytes], None] | None = None,
    ) -> Reply:
        """Send what may be longer than a frame; return the reply to its last part."""
        # Parts of images and of samples begin alike.
        part = (_PART_BYTES - HEADER_BYTES - CRC_BYTES - size_of(LoadData)) // unit * unit
        places = range(0, len(content), part)
        done, last = 0, None

        def parts() -> Iterator[tuple[int, bytes]]:
            for number, place in enumerate(places):
                head = pack(LoadData, remaining=(len(content) - place) // unit)
                yield number, head + content[place : place + part]

        def answered(number: int, reply: Reply) -> None:
            nonlocal done, last
            done += 1
            if number == len(places) - 1:
                last = reply
            if progress is not None:
                progress(min(done * part, len(content)), len(content))

        self.request_all(kind, parts(), window=window, on_reply=answered, on_running=on_running)
        assert last is not None  # all are answered
        return last

    def classify(
        self,
        samples: np.ndarray | Events,
        *,
        window: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        on_answer: Callable[[int, int, Result], None] | None = None,
    ) -> Classification:
        """Classify samples with the active network.

        Parameters
        ----------
        samples
            Images or series, uint8 (N, sample_values) or of more axes behind N; or events, for a
            gateware that takes them.
        window
            Most samples under way; none: as many as keep the line full (`firmware.window`). 1: one
            after another, so that the cycles of each are measured.
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
        return classify_on([self], samples, window=window, progress=progress, on_answer=on_answer)

    def answer_samples(
        self,
        bodies: Iterable[tuple[int, bytes]],
        *,
        status: DeviceStatus,
        window: int | None = None,
        on_reply: Callable[[int, Reply], None],
        on_running: Callable[[int, int, bytes], None] | None = None,
    ) -> None:
        """Send samples as `firmware.batch.sample_bodies` makes them; see `request_all`.

        Parameters
        ----------
        bodies
            Numbers and bytes of samples; the next is taken when there is room for it.
        status
            Of this board.
        window
            Most samples under way; none: see `firmware.window.SampleWindow`.
        on_reply, on_running
            As for `request_all`.
        """
        before = self.repeated
        if self.design.events is not None:
            for number, body in bodies:
                tell = on_running and functools.partial(_renumbered, on_running, number)
                on_reply(number, self._send_events(body, before, tell))
            return
        room = SampleWindow(
            safe=sample_window(self.design, status.sample_values),
            values=status.sample_values,
            divisor=status.divisor,
        )

        def answered(number: int, reply: Reply) -> None:
            on_reply(number, reply)
            end = unpack(ResultEnd, reply.body[-size_of(ResultEnd) :])
            room.note(end["cycles"], repeated=self.repeated > before)

        self.request_all(
            FrameType.SAMPLE,
            bodies,
            window=(lambda: room.size) if window is None else window,
            on_reply=answered,
            on_running=on_running,
        )

    def _send_events(
        self, body: bytes, before: int, on_running: Callable[[int, int, bytes], None] | None
    ) -> Reply:
        """Send a sample of events, and begin once more if its result was lost on the line; fewer
        parts are under way once more requests were repeated than before the batch."""
        size = size_of(EventEntry)

        def room() -> int:
            return _PARTS if self.repeated == before else _SAFE_PARTS

        for _ in range(2):
            self.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=len(body) // size))
            reply = self._send_parts(
                FrameType.SAMPLE_DATA, body, unit=size, window=room, on_running=on_running
            )
            if reply.body:
                return reply
        raise DeviceError("The board's results are lost on the line. Check the port and its speed")


def _renumbered(
    on_running: Callable[[int, int, bytes], None], sample: int, _part: int, answer: int, body: bytes
) -> None:
    """Tell an answer under the number of its sample."""
    on_running(sample, answer, body)
