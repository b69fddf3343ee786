# SPDX-License-Identifier: Apache-2.0
"""Whatever a line brings: the C driver accepts exactly what the host's parser accepts."""

import random
import subprocess
from collections import Counter

import pytest

from firmware.link import Frame, FrameParser, encode_frame
from hw.link.packets import FrameType
from tests.firmware.c_console import ERRORS, build_console

CASES = 20_000
SEQUENCE = 90
KINDS = (FrameType.WORDS, FrameType.WORDS, FrameType.REFUSED, FrameType.RUNNING, FrameType.DONE)
# Long blocks have no zeros in them.
BYTES = ((0, 1, 2, 255, 0x42), range(1, 256), range(256))


def some_frame(rng):
    """A frame that is right in itself; often the awaited one."""
    kind = rng.choice((*KINDS, FrameType.READ, rng.randrange(256)))
    size = 8 if rng.randrange(2) else rng.choice((0, 7, 9, rng.randrange(600)))
    if kind is FrameType.REFUSED:
        size = rng.choice((2, 2, 2, 1, 3))
    return encode_frame(
        Frame(
            type=kind,
            sequence=rng.choice((*[SEQUENCE] * 7, rng.randrange(256))),
            body=bytes(rng.choices(rng.choice(BYTES), k=size)),
        )
    )


def mutated(rng, line):
    """The same with bits flipped, bytes lost, repeated, swapped, made up, or the end cut off."""
    line = bytearray(line)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 5))):
        if not line:
            break
        place = rng.randrange(len(line))
        match rng.randrange(6):
            case 0:
                line[place] ^= 1 << rng.randrange(8)
            case 1:
                del line[place]
            case 2:
                line[place:place] = line[place : place + rng.randrange(1, 20)]
            case 3:
                line[place], line[-place] = line[-place], line[place]
            case 4:
                line[place:place] = rng.randbytes(rng.randrange(1, 8))
            case _:
                del line[place:]
    return bytes(line)


def some_line(rng):
    if rng.randrange(10) == 0:
        return rng.randbytes(rng.randrange(400))
    return b"".join(mutated(rng, some_frame(rng)) for _ in range(rng.choice((1, 1, 1, 2, 3))))


def expected(line):
    """Error and words that belong to a line."""
    for frame in FrameParser().feed(line):
        kind = getattr(frame.type, "value", frame.type)
        if not kind & 0x80 or frame.sequence != SEQUENCE or kind == FrameType.RUNNING.value:
            continue
        if kind == FrameType.REFUSED.value:
            return ("REFUSED", *frame.body) if len(frame.body) == 2 else ("REPLY",)
        if kind != FrameType.WORDS.value or len(frame.body) != 8:
            return ("REPLY",)
        return (
            "OK",
            *(int.from_bytes(frame.body[at : at + 4], "little") for at in (0, 4)),
        )
    return ("TIMEOUT",)


def answers(executable, lines, rng):
    """Error and words that the driver makes of each line, in pieces of 1 to 16 bytes."""
    commands = [f"play {rng.randrange(1, 17)} {line.hex() or '-'}" for line in lines]
    done = subprocess.run(
        [executable], input="\n".join(commands) + "\n", capture_output=True, text=True, check=True
    )
    assert not done.stderr
    for text in done.stdout.splitlines():
        error, *rest = map(int, text.removeprefix("= ").split())
        name = ERRORS[error]
        yield (name, *rest[2:]) if name == "OK" else (name, *(rest if name == "REFUSED" else ()))


@pytest.fixture(scope="module")
def executable(tmp_path_factory):
    return build_console(tmp_path_factory.mktemp("console"))


def test_fuzzed_lines(executable):
    rng = random.Random(11)
    lines = [some_line(rng) for _ in range(CASES)]
    found = list(answers(executable, lines, rng))
    assert len(found) == len(lines)
    for line, answer in zip(lines, found, strict=True):
        assert answer == expected(line), line.hex()
    counts = Counter(error for error, *_ in found)
    print(dict(counts))
    assert all(counts[error] > CASES // 100 for error in ("OK", "TIMEOUT", "REFUSED", "REPLY"))
