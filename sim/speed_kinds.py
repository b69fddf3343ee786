# SPDX-License-Identifier: Apache-2.0
"""Kinds of faults of a serial line whose speed a host has raised."""

import random
from collections.abc import Callable

from firmware.driver import Device
from firmware.speed import wake
from firmware.transport import LinkError
from hw.formats.register_map import LinkWord, register_address
from hw.formats.structures import to_bits
from sim.fault_board import FaultBench, fault_design
from sim.fault_kinds import Scene, load_frames
from sim.fault_lines import BadLine
from sim.line_cases import drop_bytes, flip_bits, noise
from sim.virtual_board import VirtualBoard

__all__ = ["SPEED_KINDS", "SpeedBench", "speed_board"]

_BUILT = 8
_CLOCK_HZ = 8_000_000
_USUAL = _CLOCK_HZ // _BUILT


def speed_board() -> VirtualBoard:
    """A board of `sim.fault_board.fault_design` whose line can be made four times as fast."""
    return VirtualBoard(fault_design(), divisor=_BUILT, clock_hz=_CLOCK_HZ, stepped=True)


class SpeedBench(FaultBench):
    """A bench whose host, after a fault, knows nothing of the speed that was chosen."""

    def check(self, rng: random.Random, allowed: set[int | None]) -> int | None:
        """What must hold after any fault: zeros at the built speed bring the board back, first."""
        self.board.connect().set_baud(_USUAL)
        wake(self.device(rng))
        return super().check(rng, allowed)


def _raise(scene: Scene, device: Device) -> None:
    """Another speed on both sides."""
    divisor = scene.rng.randrange(2, _BUILT)
    device.write_register(register_address("link"), to_bits(LinkWord, divisor=divisor))
    device.transport.set_baud(_CLOCK_HZ // divisor)


def _left(scene: Scene) -> set[int | None]:
    """A host raises the speed, perhaps begins to load, and leaves; noise may follow."""
    device = scene.bench.device(scene.rng)
    _raise(scene, device)
    allowed: set[int | None] = {scene.held}
    if scene.rng.random() < 0.7:
        line = b"".join(load_frames(scene.wanted, scene.rng, 128))
        scene.send(line[: scene.rng.randrange(len(line) + 1)])
        allowed = scene.any_of_both
    if scene.rng.random() < 0.5:
        device.transport.set_baud(_CLOCK_HZ // scene.rng.choice([2, 3, 4, 6, 8, 16]))
        scene.send(noise(scene.rng))
    return allowed


def _bad(scene: Scene) -> set[int | None]:
    """A driver loads at another speed, over a line that spoils bytes."""
    rng = scene.rng
    line = BadLine(
        scene.bench.board.connect(),
        change=rng.choice([flip_bits, drop_bytes, lambda rng, _: noise(rng)]),
        rng=rng,
        chance=0.0,
    )
    _raise(scene, scene.bench.device(rng, line))
    line.chance = rng.choice([0.05, 0.3])
    return scene.load(line)


def _interrupted(act: Callable[[VirtualBoard], None]) -> Callable[[Scene], set[int | None]]:
    """Reset, or power, while a driver loads at another speed; the board drops to the built."""

    def fault(scene: Scene) -> set[int | None]:
        line = scene.bench.board.connect()
        _raise(scene, scene.bench.device(scene.rng, line))
        return scene.load_interrupted(act, line, messages=6, cycles=5000)

    return fault


def _asked(scene: Scene) -> set[int | None]:
    """A host asks for any speed, those that do not exist included, and does not follow."""
    rng = scene.rng
    for _ in range(rng.randint(1, 4)):
        divisor = rng.choice([0, 1, 2, 3, 7, 8, 9, 255, 65535, rng.randrange(1 << 32)])
        try:
            scene.bench.device(rng).write_register(register_address("link"), divisor)
        except LinkError:
            continue
    return {scene.held}


#: Kinds by name, as `sim.fault_kinds.KINDS`.
SPEED_KINDS: dict[str, Callable[[Scene], set[int | None]]] = {
    "left at another speed": _left,
    "bad line at another speed": _bad,
    "reset at another speed": _interrupted(VirtualBoard.reset),
    "power loss at another speed": _interrupted(VirtualBoard.power_cycle),
    "any speed asked for": _asked,
}
