# SPDX-License-Identifier: Apache-2.0
"""A board in plain Python, for tests of what a host does."""

import numpy as np

from firmware.image import network_from_image
from firmware.link import Frame, FrameParser, encode_frame
from firmware.transport import Transport
from hw.design.design import Design, Fold
from hw.formats.design_words import design_words
from hw.formats.image_layout import LoadError
from hw.formats.register_map import board_code, register_address
from hw.formats.structures import pack, unpack
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
)
from model.description import LatencyEncoding, Layer, Network


def network(sizes=(6, 4, 3)):
    rng = np.random.default_rng(3)
    layers = [
        Layer.from_signs(rng.choice([-1, 1], (neurons, fan_in)), rng.integers(-2, 4, neurons))
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    return Network(encoding=LatencyEncoding(levels=(200, 100, 50)), layers=tuple(layers))


NETWORK = network()
DESIGN = Design.for_networks([NETWORK], [Fold(lanes=2), Fold(lanes=3)])
IMAGES = np.arange(18, dtype=np.uint8).reshape(3, 6)


def named(name):
    """A board whose bitstream names it."""
    board = Board()
    board.registers[register_address("board")] = board_code(name)
    return board


class Board(Transport):
    """A board on a line that ``disturb`` may change, reply by reply, and ``spoil`` whatever the
    host writes, frame by frame."""

    def __init__(self, disturb=None, spoil=None):
        self.requests = []
        self.written = bytearray()
        self.network = None
        self.registers = dict(design_words(DESIGN))
        self._image, self._length = b"", 0
        self._parser = FrameParser()
        self._waiting = bytearray()
        self._disturb = disturb or (lambda number, line: line)
        self._spoil = spoil or (lambda line: line)
        self.closed = False

    def write(self, message):
        self.written += message
        lines = [b"\0" + code + b"\0" for code in message.split(b"\0") if code]
        for frame in self._parser.feed(b"".join(map(self._spoil, lines))):
            self.requests.append(frame)
            kind, body = self.answer(frame)
            line = encode_frame(Frame(type=kind, sequence=frame.sequence, body=body))
            self._waiting += self._disturb(len(self.requests), line)

    def read(self, timeout):
        received = bytes(self._waiting[:7])  # replies come in pieces
        del self._waiting[:7]
        return received

    def close(self):
        self.closed = True

    def answer(self, frame):
        body = frame.body
        match frame.type:
            case FrameType.READ:
                fields = unpack(ReadRequest, body)
                start = fields["address"]
                words = [self.word(start + 4 * k) for k in range(fields["words"])]
                return FrameType.WORDS, b"".join(word.to_bytes(4, "little") for word in words)
            case FrameType.WRITE:
                fields = unpack(WriteRequest, body)
                if fields["address"] == register_address("control"):
                    self.network = None
                return FrameType.DONE, b""
            case FrameType.LOAD_BEGIN:
                self.network, self._image = None, b""
                self._length = unpack(LoadBegin, body)["length"]
                return FrameType.DONE, b""
            case FrameType.LOAD_DATA:
                offset = self._length - unpack(LoadData, body[:4])["remaining"]
                if offset > len(self._image):
                    return refusal(RefusalReason.GAP)
                if offset == len(self._image):
                    self._image += body[4:]
                return FrameType.DONE, b""
            case FrameType.LOAD_END:
                if len(self._image) != self._length:
                    return refusal(RefusalReason.INCOMPLETE)
                if self._image[4] != 3:
                    return refusal(RefusalReason.IMAGE, LoadError.VERSION.value)
                self.network = network_from_image(self._image, DESIGN)
                return FrameType.DONE, b""
            case FrameType.SAMPLE:
                if self.network is None:
                    return refusal(RefusalReason.NO_NETWORK)
                entries = [(1, body[0]), (SILENT, -7), (0, 70000)]
                result = b"".join(pack(ResultEntry, step=t, score=s) for t, s in entries)
                return FrameType.RESULT, result + pack(ResultEnd, winner=body[0] % 3, cycles=99)
        return refusal(RefusalReason.TYPE)

    def word(self, address):
        held = self.network
        live = {
            "fingerprint": held.fingerprint() if held else 0,
            "status": 2 if held else 0,
            "errors": 0b10100,
            "network_size": held.sample_values | held.classes << 16 if held else 0,
            "network": held.steps | held.members << 24 if held else 0,
            "samples": 5,
        }
        live = {register_address(name): value for name, value in live.items()}
        return live.get(address, self.registers.get(address, 0))


def refusal(reason, detail=0):
    return FrameType.REFUSED, pack(Refusal, reason=reason.value, detail=detail)
