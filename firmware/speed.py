# SPDX-License-Identifier: Apache-2.0
"""The speed of a serial line: raised as far as a self-test both ways allows, and brought back."""

import contextlib
import random
from typing import TYPE_CHECKING

from firmware.answers import DeviceError
from firmware.status import WINDOW_WORDS
from firmware.transport import LinkError
from hw.formats.register_map import REGISTER_MAGIC, ErrorFlags, LinkWord, register_address
from hw.formats.structures import pack, to_bits, unpack
from hw.link.packets import FrameType, ReadRequest, body_limit

if TYPE_CHECKING:
    from firmware.driver import Device

__all__ = ["SPEEDS", "raise_speed", "restore_speed", "self_test", "wake"]

#: Bits a second that are tried, fastest first; USB adapters make most of them.
SPEEDS = (
    12_000_000,
    6_000_000,
    4_000_000,
    3_000_000,
    2_000_000,
    1_500_000,
    1_000_000,
    921_600,
    460_800,
    230_400,
)
# Both sides sample a byte with clocks of their own; half a bit in ten is the end of it.
_TOLERANCE = 0.02
# A board that is lost is called with zeros at the built speed: at one close to it they are bytes.
_NEAR = 0.9
_PATTERNS = (b"\x00", b"\xff", b"\x55", b"\xaa", b"\x0f\xf0")
_PROBES = 8
_READS = 8
_TEST_TIMEOUT = 0.3
# Twice the bad events in a row after which a board goes back to the speed it was built for.
_ZEROS = 32


def raise_speed(device: "Device", *, most: int = SPEEDS[0], seed: int = 0) -> int:
    """Raise the speed of a board's line as far as it works; return the bits a second.

    Each speed that the board's clock can make, from the fastest one down, is set on both sides and
    tested with `self_test`; the first that passes is kept. If none passes, the speed is the one
    that the gateware was built for. Closing the device goes back to that one, too.

    Parameters
    ----------
    device
        A board that answers.
    most
        Fastest speed to try.
    seed
        Of the bytes of the self-test.

    Raises
    ------
    DeviceError
        If the line has no speed that could be changed, or the board is lost.
    """
    now = device.transport.baud
    link = _read_link(device)
    if now is None or not link["built"]:
        raise DeviceError("The link of this board has no speed that could be changed")
    clock = link["divisor"] * now
    usual = round(clock / link["built"])
    for speed in SPEEDS:
        divisor = round(clock / speed)
        if speed <= now:
            break
        if speed > most or divisor < 2 or abs(clock / divisor / speed - 1) > _TOLERANCE:
            continue
        if divisor > _NEAR * link["built"]:
            continue
        try:
            word = to_bits(LinkWord, divisor=divisor)
            device.write_register(register_address("link"), word)
            device.transport.set_baud(speed)
            self_test(device, seed=seed)
        except LinkError:
            wake(device, usual)
        else:
            return speed
    return device.transport.baud or now


def self_test(device: "Device", *, seed: int = 0) -> None:
    """Send hard and random bytes both ways; nothing may be lost or repeated.

    Raises
    ------
    LinkError
        If a frame does not come through at the first try, or the board noted an error.
    """
    limit = body_limit(device.design)
    rng = random.Random(seed)
    bodies = [(pattern * limit)[:limit] for pattern in _PATTERNS]
    bodies += [rng.randbytes(limit) for _ in range(_PROBES)]
    read = pack(ReadRequest, address=0, words=WINDOW_WORDS)
    windows: list[bytes] = []
    with device.trying(timeout=_TEST_TIMEOUT, retries=0):
        device.clear_errors()
        device.request_all(FrameType.PROBE, enumerate(bodies), on_reply=lambda *_: None)
        device.request_all(
            FrameType.READ,
            enumerate([read] * _READS),
            window=2,
            on_reply=lambda _, reply: windows.append(reply.body),
        )
        flags = device.read_registers(register_address("errors"), 1)[0]
    magic = REGISTER_MAGIC.to_bytes(4, "little")
    if any(len(body) != 4 * WINDOW_WORDS or not body.startswith(magic) for body in windows):
        raise DeviceError("The board does not answer as a popspike board does")
    if flags & to_bits(ErrorFlags, line=1, overrun=1, frame=1):
        raise DeviceError("The board noted errors on the line")


def restore_speed(device: "Device") -> None:
    """Go back to the speed that the gateware was built for; a board that is gone is left alone."""
    now = device.transport.baud
    if now is None:
        return
    with contextlib.suppress(LinkError), device.trying(timeout=_TEST_TIMEOUT, retries=1):
        link = _read_link(device)
        if link["built"] and link["divisor"] != link["built"]:
            word = to_bits(LinkWord, divisor=link["built"])
            device.write_register(register_address("link"), word)
            device.transport.set_baud(round(now * link["divisor"] / link["built"]))


def wake(device: "Device", baud: int | None = None) -> None:
    """Find a board that may have been left at another speed.

    A board that hears nothing but errors goes back to the speed it was built for. Zeros are
    errors at any other speed, and nothing at the right one.

    Parameters
    ----------
    device
        The board.
    baud
        Speed that the gateware was built for; none: the present one.

    Raises
    ------
    DeviceError
        If nothing answers.
    """
    if baud is not None:
        device.transport.set_baud(baud)
    for last in (False, True):
        device.transport.write(bytes(_ZEROS))
        try:
            with device.trying(timeout=device.timeout, retries=1):
                device.read_registers(0, 1)
            return
        except DeviceError:
            if last:
                raise


def _read_link(device: "Device") -> dict[str, int]:
    word = device.read_registers(register_address("link"), 1)[0]
    return unpack(LinkWord, word.to_bytes(4, "little"))
