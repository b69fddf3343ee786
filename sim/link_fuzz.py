# SPDX-License-Identifier: Apache-2.0
"""Random and mutated frames through the gateware's receiver, compared with the host's parser.

``python -m sim.link_fuzz --frames 100000 --seed 1`` feeds the compiled `CobsDecoder` and
`FrameReceiver` with a line on which good frames, mutated ones and noise follow each other. What
they accept must be what `firmware.link.FrameParser` accepts, frame by frame; a frame that the ring
has no room for is told apart. A frame that was accepted and that nobody sent is a wrong acceptance;
no check of 16 bits can refuse more than all but 2^-16 of those that only it can find.
"""

import argparse
import collections
import dataclasses
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from firmware.link import Frame, FrameParser, cobs_decode
from hw.export import to_verilog
from hw.formats.structures import pack
from hw.link.cobs_decoder import CobsDecoder
from hw.link.frame_receiver import FrameReceiver
from hw.link.packets import FrameHeader, FrameType
from sim.line_cases import LineItem, line_items
from sim.verilator import build_executable

__all__ = ["LinkFuzzOutcome", "ReceivingEnd", "main", "run_link_fuzz", "wrong_acceptance_limit"]

#: Bytes of the ring that is fuzzed: the smallest of a board.
DEPTH = 1024
_HARNESS = Path(__file__).parent / "harness" / "link_fuzz.cpp"
_PATIENCE_S = 600.0
# Chance of more wrong acceptances than the limit, if the check is as good as it can be.
_CHANCE = 1e-6


class ReceivingEnd(wiring.Component):
    """Decoder and receiver, as they stand in `hw.link.link.Link`.

    Parameters
    ----------
    depth
        Bytes of the ring.

    Members
    -------
    line : In(8), line_valid : In(1), line_ready : Out(1)
        Bytes of the line.
    byte : Out(8), byte_last : Out(1), byte_valid : Out(1), byte_ready : In(1)
        Headers and bodies of good frames.
    frame_error : Out(1), overrun : Out(1)
        As of `FrameReceiver`.
    """

    line: In(8)
    line_valid: In(1)
    line_ready: Out(1)
    byte: Out(8)
    byte_last: Out(1)
    byte_valid: Out(1)
    byte_ready: In(1)
    frame_error: Out(1)
    overrun: Out(1)

    def __init__(self, *, depth: int) -> None:
        self._depth = depth
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        """Put the two together."""
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.receiver = receiver = FrameReceiver(depth=self._depth)
        connect(m, decoder.o, receiver.i)
        m.d.comb += [
            decoder.i.payload.eq(self.line),
            decoder.i.valid.eq(self.line_valid),
            self.line_ready.eq(decoder.i.ready),
            self.byte.eq(receiver.o.p.data),
            self.byte_last.eq(receiver.o.p.last),
            self.byte_valid.eq(receiver.o.valid),
            receiver.o.ready.eq(self.byte_ready),
            self.frame_error.eq(receiver.frame_error),
            self.overrun.eq(receiver.overrun),
        ]
        return m


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkFuzzOutcome:
    """What came out of a run.

    Parameters
    ----------
    items
        Frames and pieces of noise sent, by kind.
    accepted
        Frames that gateware and host accepted alike.
    refused
        Codes between zeros that both refused.
    no_room
        Frames that the host accepted and the gateware had no room for.
    wrong_crc
        Frames with a right length and random check bytes: only the CRC can find them.
    wrong
        Frames accepted that nobody sent, by the kind of what was sent instead.
    wrong_limit
        Most of those that a perfect check of 16 bits would accept, but for a chance of 10^-6.
    differences
        Descriptions of codes that gateware and host judged differently; empty if all is well.
    cycles
        Clock cycles simulated.
    seconds
        Time it took, compilation included.
    """

    items: dict[str, int]
    accepted: int
    refused: int
    no_room: int
    wrong_crc: int
    wrong: dict[str, int]
    wrong_limit: int
    differences: tuple[str, ...]
    cycles: int
    seconds: float

    @property
    def passed(self) -> bool:
        """No difference, and no more wrong acceptances than the bound allows."""
        return not self.differences and sum(self.wrong.values()) <= self.wrong_limit


def wrong_acceptance_limit(frames: int) -> int:
    """Most wrong acceptances among ``frames`` that are as good as random, but for 10^-6.

    They are Poisson distributed with a mean of ``frames / 2**16``.
    """
    mean = frames / 65536
    limit, chance = 0, math.exp(-mean)
    left = 1 - chance
    while left > _CHANCE:
        limit += 1
        chance *= mean / limit
        left -= chance
    return limit


def _message(frame: Frame) -> bytes:
    """Header and body, as they leave the gateware's receiver."""
    kind = frame.type.value if isinstance(frame.type, FrameType) else frame.type
    return pack(FrameHeader, type=kind, sequence=frame.sequence, length=len(frame.body)) + (
        frame.body
    )


def _build(cache: Path | None) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        verilog = Path(folder) / "receiving_end.v"
        verilog.write_text(to_verilog(ReceivingEnd(depth=DEPTH), name="receiving_end"))
        return build_executable(
            sources=[verilog], harness=[_HARNESS], top="receiving_end", cache=cache
        )


def _simulate(executable: Path, line: bytes, seed: int, *, drained: bool) -> list[list[str]]:
    """Words of each line that the harness prints."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line"
        path.write_bytes(line)
        answer = subprocess.run(
            [executable, path, str(seed), str(int(drained))],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    if answer.returncode:
        raise RuntimeError(f"The simulation failed: {answer.stderr.strip()}")
    return [each.split() for each in answer.stdout.splitlines()]


@dataclasses.dataclass
class _Tally:
    accepted: int = 0
    refused: int = 0
    no_room: int = 0
    wrong: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    cycles: int = 0
    differences: list[str] = dataclasses.field(default_factory=list)


def _compare(
    items: Sequence[LineItem], said: list[list[str]], drained: bool, tally: _Tally
) -> None:
    """Every code between two zeros, as the host and as the gateware judged it."""
    line = b"".join(item.line for item in items)
    owner = [index for index, item in enumerate(items) for _ in item.line]
    errors = {int(words[1]) for words in said if words[0] == "E"}
    overruns = {int(words[1]) for words in said if words[0] == "O"}
    left = collections.deque(bytes.fromhex(words[1]) for words in said if words[0] == "F")
    tally.cycles += int(said[-1][1])
    parser = FrameParser()
    ends = set()
    begin = 0
    while (end := line.find(0, begin)) >= 0:
        code = line[begin:end]
        frames = parser.feed(code + b"\0")
        first, last = owner[begin], owner[end]
        begin = end + 1
        if not code:
            continue
        ends.add(end)

        def differ(text: str, code: bytes = code, first: int = first, last: int = last) -> None:
            kinds = ", ".join(item.kind for item in items[first : last + 1])
            tally.differences.append(f"items {first}..{last} ({kinds}), {code.hex()}: {text}")

        is_overrun = end in overruns
        if not frames:
            tally.refused += 1
            if end not in errors and not is_overrun:
                differ("refused by the host, accepted by the gateware")
                left and left.popleft()
            continue
        if is_overrun:
            tally.no_room += 1
            # With an empty ring only a frame that is longer than it finds no room.
            if drained and len(cobs_decode(code)) <= DEPTH:
                differ("no room in an empty ring")
            continue
        if end in errors:
            differ("accepted by the host, refused by the gateware")
            continue
        message = _message(frames[0])
        if not left or left[0] != message:
            differ(f"gave {left[0].hex() if left else 'nothing'} for {message.hex()}")
        left and left.popleft()
        tally.accepted += 1
        # Whoever had a part in these bytes may have sent the frame.
        sources = items[first : last + 1]
        if all(message not in item.messages for item in sources):
            tally.wrong[", ".join(item.kind for item in sources)] += 1
    if strays := (errors | overruns) - ends:
        tally.differences.append(f"the gateware refused where no code ends: {sorted(strays)}")
    if left:
        tally.differences.append(f"{len(left)} frames that are on no line")


def run_link_fuzz(*, frames: int, seed: int, cache: Path | None = None) -> LinkFuzzOutcome:
    """Feed gateware and host with the same line.

    Half of the frames find an empty ring, the others follow each other as the reader allows.

    Parameters
    ----------
    frames
        Good, mutated and random frames, all together.
    seed
        Of all that is random.
    cache
        Folder of builds; the user's cache folder if not given.

    Raises
    ------
    RuntimeError
        If the gateware hangs.
    """
    began = time.monotonic()
    executable = _build(cache)
    tally, counts = _Tally(), collections.Counter[str]()
    for drained, share in ((True, frames - frames // 2), (False, frames // 2)):
        items = line_items(share, seed=2 * seed + drained, depth=DEPTH)
        counts.update(item.kind for item in items)
        line = b"".join(item.line for item in items)
        _compare(items, _simulate(executable, line, seed, drained=drained), drained, tally)
    return LinkFuzzOutcome(
        items=dict(sorted(counts.items())),
        accepted=tally.accepted,
        refused=tally.refused,
        no_room=tally.no_room,
        wrong_crc=counts["wrong crc"],
        wrong=dict(tally.wrong),
        wrong_limit=wrong_acceptance_limit(frames),
        differences=tuple(tally.differences),
        cycles=tally.cycles,
        seconds=time.monotonic() - began,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit code is 0 if all is well."""
    parser = argparse.ArgumentParser(prog="python -m sim.link_fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000, help="frames and noise, together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    outcome = run_link_fuzz(frames=chosen.frames, seed=chosen.seed)
    if chosen.json:
        print(json.dumps(dataclasses.asdict(outcome) | {"passed": outcome.passed}))
        return 0 if outcome.passed else 1
    for kind, count in outcome.items.items():
        print(f"{kind:16}{count:8}")
    print(f"accepted by both {outcome.accepted}, refused by both {outcome.refused}, ", end="")
    print(f"no room in the ring {outcome.no_room}")
    kinds = ", ".join(f"{count} of {kind}" for kind, count in outcome.wrong.items())
    print(
        f"wrong acceptances {kinds or 0}; {chosen.frames} x 2^-16 = "
        f"{chosen.frames / 65536:.2f}, limit {outcome.wrong_limit}"
    )
    for text in outcome.differences[:20]:
        print(f"DIFFERENCE: {text}")
    print(
        f"{'passed' if outcome.passed else 'FAILED'}: {len(outcome.differences)} differences in "
        f"{outcome.cycles} cycles, {outcome.seconds:.0f} s, seed {chosen.seed}"
    )
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
