# SPDX-License-Identifier: Apache-2.0
"""A loader with all that can fill it, in Amaranth's simulator."""

import dataclasses
import random
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from firmware.flash import flash_file, slot_image
from hw.design.design import Design, Fold
from hw.flash.layout import FlashMap
from hw.flash.reader import FlashPins
from hw.formats.contents import Contents
from hw.formats.image_layout import LoadError, LoadState
from hw.formats.register_map import BootState, BootWord
from hw.loading.loader import Loader
from hw.parts.byte_beat import ByteBeat
from hw.power_up import PowerUp
from model.encoding import RateEncoding
from tests.hw.flash.model import FlashModel
from tests.hw.streams import put, run
from tests.stepwise import make_network

__all__ = ["DESIGN", "MAP", "NETWORKS", "Board", "flash_with", "powered"]

#: Small slots, so that a simulated flash is.
MAP = FlashMap(first_slot=0x8000, slot_bytes=0x2000, slots=4)
_FIRST = make_network((7, 5, 3), seed=1, encoding=RateEncoding(steps=9, phase=101))
#: Small networks of one design.
NETWORKS = [
    dataclasses.replace(
        _FIRST,
        layers=tuple(
            dataclasses.replace(layer, weights=np.roll(layer.weights, turn, axis=1))
            for layer in _FIRST.layers
        ),
        encoding=RateEncoding(steps=9, phase=turn),
    )
    for turn in range(4)
]
DESIGN = Design.for_networks(NETWORKS, [Fold(lanes=5), Fold(lanes=3)])

# The pause before each command is 16 cycles.
_CLOCK_HZ = 320_000


class _PoweredLoader(wiring.Component):
    """Loader and `PowerUp`; ports as theirs, and ``reset`` as that of a board."""

    def __init__(self, *, flash: FlashMap | None, contents: Contents | None) -> None:
        self._flash, self._contents = flash, contents
        super().__init__(
            {
                "i": In(stream.Signature(ByteBeat)),
                "pins": Out(FlashPins()),
                "reset": In(1),
                "drop": In(1),
                "boot_write": In(1),
                "boot_slot": In(8),
                "boot": Out(BootWord),
                "state": Out(LoadState),
                "error": Out(LoadError),
                "fingerprint": Out(32),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        power_up = PowerUp(
            design=DESIGN, flash=self._flash, contents=self._contents, clock_hz=_CLOCK_HZ
        )
        m.submodules.power_up = ResetInserter(self.reset)(power_up)
        loader = Loader(design=DESIGN)
        m.submodules.loader = ResetInserter(self.reset | self.drop | power_up.forget)(loader)
        connect(m, flipped(self.i), power_up.i)
        connect(m, power_up.o, loader.i)
        connect(m, power_up.pins, flipped(self.pins))
        m.d.comb += [
            power_up.running.eq(loader.running),
            power_up.load_error.eq(loader.error),
            power_up.ends.eq(loader.ends),
            power_up.dropped.eq(self.drop),
            power_up.boot_write.eq(self.boot_write),
            power_up.boot_slot.eq(self.boot_slot),
            loader.resident.eq(power_up.resident),
            self.boot.eq(power_up.boot),
            self.state.eq(loader.state),
            self.error.eq(loader.error),
            self.fingerprint.eq(loader.fingerprint),
        ]
        return m


class Board:
    """What a host and a power supply do to it."""

    def __init__(self, ctx: Any, dut: Any, model: FlashModel) -> None:
        self.ctx, self.dut, self.model = ctx, dut, model

    async def pulse(self, name: str) -> None:
        """One cycle of a wire."""
        self.ctx.set(getattr(self.dut, name), 1)
        await self.ctx.tick()
        self.ctx.set(getattr(self.dut, name), 0)

    async def boot(self) -> int:
        """Wait for the end of a boot; returns its cycles, 2 at least."""
        cycles = 2
        await self.ctx.tick().repeat(2)
        while self.state() is BootState.BUSY:
            await self.ctx.tick()
            cycles += 1
        return cycles

    async def boot_slot(self, slot: int) -> None:
        """Write the register."""
        self.ctx.set(self.dut.boot_slot, slot)
        await self.pulse("boot_write")

    async def load(self, image: bytes) -> None:
        """As the link does."""
        await self.pulse("drop")
        beats = [{"data": byte, "last": at == len(image) - 1} for at, byte in enumerate(image)]
        await put(self.ctx, self.dut.i, beats, random.Random(0), 0.0)
        await self.ctx.tick().repeat(4)

    def state(self) -> BootState:
        """What is shown of the boot."""
        return BootState(self.ctx.get(self.dut.boot.state))

    def held(self) -> tuple[int | None, int]:
        """Fingerprint of the active network (None: none), and the slot that is shown."""
        state = self.ctx.get(self.dut.state)
        active = self.ctx.get(self.dut.fingerprint) if state == LoadState.ACTIVE else None
        return active, self.ctx.get(self.dut.boot.slot)


def powered(
    play: Callable[[Board], Awaitable[None]],
    content: bytes = b"",
    *,
    flash: FlashMap | None = MAP,
    contents: Contents | None = None,
) -> FlashModel:
    """Power up with a flash, and play; returns the flash."""
    dut = _PoweredLoader(flash=flash, contents=contents)
    model = FlashModel(content, wake_cycles=14)

    async def bench(ctx: Any) -> None:
        await play(Board(ctx, dut, model))

    run(dut, bench, background=[model.bench(dut.pins)])
    return model


def flash_with(generations: dict[int, int]) -> bytes:
    """A flash that holds `NETWORKS` [slot] in slots, with these generations."""
    slots = {
        slot: slot_image(NETWORKS[slot], DESIGN, generation=generation, flash=MAP)
        for slot, generation in generations.items()
    }
    return flash_file(b"bitstream", slots, flash=MAP)
