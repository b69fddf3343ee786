# SPDX-License-Identifier: Apache-2.0
"""Host driver: find out what a board is, load a network, classify images."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from firmware.answers import (
    Classification,
    DeviceError,
    DeviceStatus,
    RefusedError,
    refusal_detail,
    refusal_reason,
)
from firmware.image import device_image
from firmware.link import Frame, FrameParser, encode_frame
from firmware.transport import Transport
from hw.design import Design
from hw.design_words import design_from_words
from hw.image_layout import LoadError, LoadState
from hw.link.packets import (
    SILENT,
    FrameType,
    LoadBegin,
    LoadData,
    ReadRequest,
    Refusal,
    RefusalReason,
    ResultEnd,
    ResultEntry,
    WriteRequest,
    body_limit,
)
from hw.register_map import (
    ControlWord,
    ErrorFlags,
    NetworkWord,
    SizeWord,
    StatusWord,
    register_address,
)
from hw.structures import pack, size_of, unpack
from model.description import Network

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
_BITS_PER_BYTE = 10


class Device:
    """A board on a transport.

    Every request is repeated after a time without answer; all of them may be repeated safely. Use
    as a context manager, which closes the transport at the end.

    Parameters
    ----------
    transport
        The line.
    timeout
        Seconds to wait for a reply, the time of its bytes on the line not counted.
    retries
        How often a request is repeated.
    """

    def __init__(self, transport: Transport, *, timeout: float = 1.0, retries: int = 4) -> None:
        self._transport = transport
        self._timeout = timeout
        self._retries = retries
        self._parser = FrameParser()
        # Another start in each session: a late reply to an earlier one is not taken for ours.
        self._sequence = time.monotonic_ns() >> 10 & 0xFF
        self._design: Design | None = None

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the transport."""
        self._transport.close()

    # Requests

    def request(self, kind: Any, body: bytes = b"") -> bytes:
        """Send a request and return the body of its reply.

        Parameters
        ----------
        kind
            `FrameType` of the request.
        body
            Its body.

        Raises
        ------
        RefusedError
            If the board refuses it.
        DeviceError
            If no reply comes.
        """
        for _ in range(self._retries + 1):
            self._sequence = (self._sequence + 1) % 256
            message = encode_frame(Frame(type=kind, sequence=self._sequence, body=body))
            self._transport.write(message)
            reply = self._await_reply(len(message))
            if reply is None:
                continue
            if reply.type is FrameType.REFUSED and len(reply.body) == size_of(Refusal):
                refusal = unpack(Refusal, reply.body)
                reason = refusal_reason(refusal["reason"])
                if reason is RefusalReason.BUSY:
                    time.sleep(self._timeout / 10)
                    continue
                raise RefusedError(reason, refusal_detail(refusal["detail"]))
            return reply.body
        seconds = self._timeout * (self._retries + 1)
        raise DeviceError(
            f"The board does not answer ({self._retries + 1} tries in {seconds:g} seconds). "
            "Check the port, its speed, and that the board holds a popspike bitstream"
        )

    def _await_reply(self, sent: int) -> Frame | None:
        """Reply to the request sent last, or none in time; a byte that comes is a sign of life."""
        baud = self._transport.baud
        deadline = time.monotonic() + self._timeout
        deadline += sent * _BITS_PER_BYTE / baud if baud else 0.0
        while (left := deadline - time.monotonic()) > 0:
            received = self._transport.read(left)
            if received:
                deadline = max(deadline, time.monotonic() + self._timeout)
            for frame in self._parser.feed(received):
                is_reply = isinstance(frame.type, FrameType) and frame.type.value & 0x80
                if is_reply and frame.sequence == self._sequence:
                    return frame
        return None

    def read_registers(self, address: int, words: int) -> list[int]:
        """Read registers of 32 bits from a byte address on.

        Raises
        ------
        DeviceError
            If no reply comes, or one of the wrong size.
        """
        body = self.request(FrameType.READ, pack(ReadRequest, address=address, words=words))
        if len(body) != 4 * words:
            raise DeviceError(f"Registers must come in {4 * words} bytes, not {len(body)}")
        return [int(word) for word in np.frombuffer(body, dtype="<u4")]

    def write_register(self, address: int, value: int) -> None:
        """Write a register of 32 bits."""
        self.request(FrameType.WRITE, pack(WriteRequest, address=address, value=value))

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
        flags = ErrorFlags.from_bits(word("errors") & 0x1F)
        is_active = state is LoadState.ACTIVE
        names = ("line", "overrun", "frame", "load", "request")
        return DeviceStatus(
            state=state,
            load_error=LoadError(status.load_error),
            fingerprint=word("fingerprint"),
            features=size.features if is_active else 0,
            classes=size.classes if is_active else 0,
            steps=network.steps if is_active else 0,
            readout=design.readouts[network.readout] if is_active else None,
            errors=tuple(name for name in names if flags[name]),
            cycles=word("cycles"),
            samples=word("samples"),
            input_spikes=word("input_spikes"),
            hidden_spikes=word("hidden_spikes"),
            clock_hz=word("clock_hz"),
        )

    def clear_errors(self) -> None:
        """Clear the error flags."""
        self.write_register(register_address("errors"), 0xFFFFFFFF)

    def drop_network(self) -> None:
        """Make the board forget its network."""
        control = int(ControlWord.const({"drop": 1}).as_bits())
        self.write_register(register_address("control"), control)

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
        self.load_image(device_image(network, self.design), progress=progress)
        found = self.read_registers(register_address("fingerprint"), 1)[0]
        if found != network.fingerprint():
            raise DeviceError(
                f"Fingerprint on the board must be {network.fingerprint():#010x}, not {found:#010x}"
            )

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
        self, images: np.ndarray, *, progress: Callable[[int, int], None] | None = None
    ) -> Classification:
        """Classify images with the active network.

        Parameters
        ----------
        images
            uint8 (N, features) or (N, height, width).
        progress
            Called with the images done and all images.

        Raises
        ------
        ValueError
            If the images are not uint8 or have another number of pixels; nothing is sent.
        DeviceError
            If the board does not answer or has no network.
        """
        status = self.status()
        if status.state is not LoadState.ACTIVE:
            raise DeviceError("The board has no network; load one first")
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise ValueError(f"Images must be uint8, not {images.dtype}")
        if images.ndim < 2 or int(np.prod(images.shape[1:])) != status.features:
            raise ValueError(
                f"Images must have {status.features} pixels for this network, "
                f"not {int(np.prod(images.shape[1:]))}"
            )
        rows = images.reshape(len(images), -1)
        count, classes = len(rows), status.classes
        winners, cycles = np.zeros((2, count), dtype=np.int64)
        steps, scores = np.zeros((2, count, classes), dtype=np.int64)
        for index, row in enumerate(rows):
            body = self.request(FrameType.SAMPLE, row.tobytes())
            if len(body) != size_of(ResultEntry) * classes + size_of(ResultEnd):
                raise DeviceError(f"Result must name {classes} classes, not {len(body)} bytes")
            entries = np.frombuffer(body, dtype=[("step", "<u2"), ("score", "<i4")], count=classes)
            end = unpack(ResultEnd, body[-size_of(ResultEnd) :])
            steps[index] = np.where(entries["step"] == SILENT, status.steps, entries["step"])
            scores[index] = entries["score"]
            winners[index], cycles[index] = end["winner"], end["cycles"]
            if progress is not None:
                progress(index + 1, count)
        return Classification(
            winners=winners,
            decision_steps=steps[np.arange(count), winners],
            spike_steps=steps,
            scores=scores,
            cycles=cycles,
        )
