# SPDX-License-Identifier: Apache-2.0
"""Kinds of faults: what is done to a board, and what it may hold afterwards."""

import contextlib
import dataclasses
import random
from collections.abc import Callable

from firmware.image import device_image
from firmware.link import Frame, FrameParser, encode_frame
from firmware.transport import LinkError, Transport
from hw.formats.register_map import register_address
from hw.formats.structures import pack
from hw.link.packets import FrameType, LoadBegin, LoadData, ReadRequest, WriteRequest
from sim.fault_board import FaultBench, FaultError, fault_design, fault_networks
from sim.fault_lines import BadLine, BusyLine
from sim.line_cases import drop_bytes, flip_bits, noise, reorder_bytes, repeat_bytes
from sim.virtual_board import VirtualBoard

__all__ = ["KINDS", "SERIAL_KINDS", "Scene", "load_frames"]

_CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "bits flipped": flip_bits,
    "bytes dropped": drop_bytes,
    "bytes repeated": repeat_bytes,
    "bytes reordered": reorder_bytes,
}
# More than the longest byte takes, see `_wrong_speed`.
_QUIET_CYCLES = 12_000


@dataclasses.dataclass(kw_only=True)
class Scene:
    """A board that holds a network or none, and a host that wants to load another.

    Parameters
    ----------
    bench
        The board.
    rng
        Chooses everything.
    number
        Which of its kind the case is.
    held
        Network that the board holds, or none.
    wanted
        The other one.
    """

    bench: FaultBench
    rng: random.Random
    number: int
    held: int | None
    wanted: int

    @property
    def any_of_both(self) -> set[int | None]:
        """The network held, the one wanted, or none."""
        return {self.held, self.wanted, None}

    def send(self, line: bytes) -> bytes:
        """Send bytes without waiting for answers, until they and the answers have passed; return
        what came."""
        board = self.bench.board
        board.connect().write(line)
        quiet = max(_QUIET_CYCLES, 200 * board.byte_cycles)
        sent, received, answers = -1, b"?", b""
        while received or board.line_use().to_board != sent:
            sent = board.line_use().to_board
            received = board.run(quiet)
            answers += received
        return answers

    def load(self, line: Transport) -> set[int | None]:
        """Load the wanted network over a line on which it may fail.

        If the driver says that it is loaded, it is.
        """
        try:
            self.bench.device(self.rng, line).load(self.bench.networks[self.wanted])
        except LinkError:
            return self.any_of_both
        return {self.wanted}

    def load_interrupted(
        self, act: Callable[[VirtualBoard], None], line: Transport, *, messages: int, cycles: int
    ) -> set[int | None]:
        """`load`, with reset or power loss behind one of the first messages and some cycles."""
        left = self.rng.randrange(1, messages)

        def happens() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.bench.board.run(self.rng.randrange(cycles))
                act(self.bench.board)

        # If it did not happen, the load came to its end. If it did, what was held is gone.
        return self.load(BusyLine(line, happens=happens)) & {self.wanted, None}

    def classify(self, line: Transport) -> set[int | None]:
        """Classify over a line on which it may fail; answers that come must be right."""
        assert self.held is not None
        with contextlib.suppress(LinkError):
            self.bench.classify(self.bench.device(self.rng, line), self.held)
        return {self.held}


def load_frames(network: int, rng: random.Random, part: int) -> list[bytes]:
    """Frames of a load, each with its zeros, as a host sends them.

    Parameters
    ----------
    network
        Which of `fault_networks`.
    rng
        Chooses the first sequence number.
    part
        Bytes of the image in a frame.
    """
    image = device_image(fault_networks()[network], fault_design())
    requests = [(FrameType.LOAD_BEGIN, pack(LoadBegin, length=len(image)))]
    for offset in range(0, len(image), part):
        head = pack(LoadData, remaining=len(image) - offset)
        requests.append((FrameType.LOAD_DATA, head + image[offset : offset + part]))
    requests.append((FrameType.LOAD_END, b""))
    first = rng.randrange(256)
    return [
        encode_frame(Frame(type=kind, sequence=(first + index) % 256, body=body))
        for index, (kind, body) in enumerate(requests)
    ]


def _changed(change: Callable[[random.Random, bytes], bytes]) -> Callable[[Scene], set[int | None]]:
    """A load sent blindly, one by the driver, or samples, with bytes changed."""

    def fault(scene: Scene) -> set[int | None]:
        rng = scene.rng
        way = scene.number % 3
        if way == 0:
            frames = load_frames(scene.wanted, rng, rng.choice([40, 128, 512]))
            scene.send(change(rng, b"".join(frames)))
            return scene.any_of_both
        line = BadLine(
            scene.bench.board.connect(), change=change, rng=rng, chance=rng.choice([0.05, 0.2, 0.6])
        )
        if way == 1 or scene.held is None:
            return scene.load(line)
        return scene.classify(line)

    return fault


def _cut(scene: Scene) -> set[int | None]:
    """The line is cut behind byte number ``number`` of a load, and something is plugged in."""
    frames = load_frames(scene.wanted, scene.rng, 128)
    line = b"".join(frames)
    place = scene.number % len(line)
    scene.send(line[:place])
    if scene.rng.random() < 0.3:
        scene.send(noise(scene.rng) + b"\0")
    # The zero behind a frame may be that before the next one, if no noise comes between.
    allowed: set[int | None] = set()
    begun, whole = len(frames[0]) - 1, len(line) - len(frames[-1]) - 1
    if place <= begun:
        allowed.add(scene.held)
    if begun <= place <= whole:
        allowed.add(None)
    if place >= whole:
        allowed.add(scene.wanted)
    return allowed


def _interrupted(act: Callable[[VirtualBoard], None]) -> Callable[[Scene], set[int | None]]:
    """Reset, or power, in the midst of a load that is sent blindly, or by the driver."""

    def fault(scene: Scene) -> set[int | None]:
        rng, board = scene.rng, scene.bench.board
        if scene.number % 2:
            return scene.load_interrupted(
                act, board.connect(), messages=9, cycles=600 * board.byte_cycles
            )
        line = b"".join(load_frames(scene.wanted, rng, rng.choice([40, 128, 512])))
        board.connect().write(line)
        cycles = rng.randrange(len(line) * board.byte_cycles)
        board.run(cycles)
        act(board)
        left = line[rng.randrange(len(line)) :] if rng.random() < 0.5 else b""
        scene.send(left)
        # The network that was held is gone. What came then was whole only if it began with the
        # first frame, whose first byte is a zero.
        is_whole = cycles < 2 * board.byte_cycles or len(left) >= len(line) - 1
        return {None, scene.wanted} if is_whole else {None}

    return fault


def _garbage(scene: Scene) -> set[int | None]:
    """Noise before, between and behind the frames of a load: it does no harm at all."""
    frames = load_frames(scene.wanted, scene.rng, scene.rng.choice([40, 128, 512]))
    scene.send(b"".join(noise(scene.rng) + frame for frame in frames) + noise(scene.rng))
    return {scene.wanted}


def _other_frames(scene: Scene) -> list[bytes]:
    """Frames of another host: some of a load, samples, reads, writes."""
    rng = scene.rng
    sample = rng.randbytes(scene.bench.networks[rng.randrange(2)].features)
    choices = [
        *load_frames(rng.randrange(2), rng, 128),
        encode_frame(Frame(type=FrameType.SAMPLE, sequence=rng.randrange(256), body=sample)),
        encode_frame(
            Frame(
                type=FrameType.READ,
                sequence=rng.randrange(256),
                body=pack(ReadRequest, address=4 * rng.randrange(64), words=rng.randrange(1, 9)),
            )
        ),
        encode_frame(
            Frame(
                type=FrameType.WRITE,
                sequence=rng.randrange(256),
                body=pack(
                    WriteRequest,
                    address=rng.choice([register_address("control"), register_address("errors")]),
                    value=rng.randrange(2),
                ),
            )
        ),
    ]
    return rng.sample(choices, rng.randint(1, len(choices)))


def _two_hosts(scene: Scene) -> set[int | None]:
    """Two loads frame by frame or piece by piece; or the driver, and another host beside it."""
    rng, board = scene.rng, scene.bench.board
    allowed: set[int | None] = {0, 1, None}
    if scene.number % 3 == 0:
        first, second = (load_frames(index, rng, 128) for index in range(2))
        merged = []
        while first or second:
            merged.append((first if rng.random() < 0.5 and first else second or first).pop(0))
        scene.send(b"".join(merged))
        return allowed
    if scene.number % 3 == 1:
        lines = [b"".join(load_frames(index, rng, 128)) for index in range(2)]
        merged = []
        while any(lines):
            index = rng.randrange(2)
            size = rng.randint(1, 200)
            merged.append(lines[index][:size])
            lines[index] = lines[index][size:]
        scene.send(b"".join(merged))
        return allowed
    other = board.connect()

    def happens() -> None:
        if rng.random() < 0.3:
            other.write(b"".join(_other_frames(scene)))

    # What was loaded was there when the driver looked, and nobody wrote after that.
    return scene.load(BusyLine(board.connect(), happens=happens))


def _strange(scene: Scene) -> set[int | None]:
    """Frames without fault whose contents are anything; every whole one is answered."""
    rng = scene.rng
    frames = []
    for index in range(rng.randint(1, 12)):
        kind = rng.choice([*FrameType]).value if rng.random() < 0.8 else rng.randrange(256)
        body = rng.randbytes(rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 13, 20, 40, 300]))
        frames.append(encode_frame(Frame(type=kind, sequence=index, body=body)))
    answered = {each.sequence for each in FrameParser().feed(scene.send(b"".join(frames)))}
    if missing := {*range(len(frames))} - answered:
        raise FaultError(f"Requests {sorted(missing)} of {len(frames)} must be answered")
    return {scene.held, None}


def _wrong_speed(scene: Scene) -> set[int | None]:
    """Part of a load at another speed, or the line held low for a while."""
    rng, board = scene.rng, scene.bench.board
    line = board.connect()
    bytes_of_load = b"".join(load_frames(scene.wanted, rng, 128))
    place = rng.randrange(len(bytes_of_load))
    stop = place + rng.randint(1, 60)
    line.write(bytes_of_load[:place])
    divisor = rng.choice([3, 4, 5, 7, 16, 100, 1000])
    board.command(f"divisor {divisor}")
    line.write(b"\0" if divisor >= 100 else bytes_of_load[place:stop])
    board.command(f"divisor {board.byte_cycles // 10}")
    scene.send(bytes_of_load[stop:])
    return scene.any_of_both


#: Kinds by name. A kind does harm to a scene and returns what the board may hold then.
KINDS: dict[str, Callable[[Scene], set[int | None]]] = {
    "cut": _cut,
    **{name: _changed(change) for name, change in _CHANGES.items()},
    "reset in mid-load": _interrupted(VirtualBoard.reset),
    "power loss in mid-load": _interrupted(VirtualBoard.power_cycle),
    "garbage between frames": _garbage,
    "two hosts": _two_hosts,
    "strange requests": _strange,
    "wrong speed": _wrong_speed,
}

#: Kinds that only a serial line knows.
SERIAL_KINDS = ("wrong speed",)
