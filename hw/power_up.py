# SPDX-License-Identifier: Apache-2.0
"""Which network the loader gets: the one in the bitstream, then one from flash, or the host's."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design.design import Design
from hw.flash.boot import Boot
from hw.flash.layout import FlashMap
from hw.flash.reader import FlashPins
from hw.formats.contents import Contents
from hw.formats.image_layout import LoadError
from hw.formats.register_map import NOT_FROM_FLASH, BootWord
from hw.loading.resident_head import ResidentHead
from hw.parts.byte_beat import ByteBeat
from hw.parts.stream_register import StreamRegister

__all__ = ["PowerUp"]


class PowerUp(wiring.Component):
    """Stands between the link and the loader, and fills the loader while the host does not.

    After power-up the network in the bitstream becomes active; where there is none, or where it is
    no more because memories were written before a reset, one from the flash; else none. The host
    can load at any time: what it does ends a boot.

    Parameters
    ----------
    design
        Of the images.
    flash
        Where networks stand in the flash; None: there is no flash.
    contents
        Network in the bitstream; None: there is none.
    clock_hz
        Clock; 0 if not known.

    Members
    -------
    i : In(stream of ByteBeat), o : Out(stream of ByteBeat)
        Images from the host, and to the loader.
    running : In(1), load_error : In(LoadError), ends : In(1), dropped : In(1)
        From `hw.accelerator.Accelerator`.
    boot_write : In(1), boot_slot : In(8)
        The host wants the network of a slot.
    forget : Out(1), resident : Out(1)
        To the accelerator.
    boot : Out(BootWord)
        What the register shows.
    pins : Out(FlashPins)
        The flash.
    """

    def __init__(
        self,
        *,
        design: Design,
        flash: FlashMap | None,
        contents: Contents | None,
        clock_hz: int = 0,
    ) -> None:
        self._design = design
        self._flash = flash
        self._contents = contents
        self._clock_hz = clock_hz
        super().__init__(
            {
                "i": In(stream.Signature(ByteBeat)),
                "o": Out(stream.Signature(ByteBeat)),
                "running": In(1),
                "load_error": In(LoadError),
                "ends": In(1),
                "dropped": In(1),
                "boot_write": In(1),
                "boot_slot": In(8),
                "forget": Out(1),
                "resident": Out(1),
                "boot": Out(BootWord),
                "pins": Out(FlashPins()),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.comb += self.boot.slot.eq(NOT_FROM_FLASH)
        if self._flash is None:
            # The link is slow: a register keeps its logic out of the loader's critical paths.
            source = StreamRegister(shape=ByteBeat)
        else:
            source = boot = Boot(design=self._design, flash=self._flash, clock_hz=self._clock_hz)
            connect(m, boot.pins, flipped(self.pins))
            # One cycle later: a register write has come a long way.
            m.d.sync += [boot.request.eq(self.boot_write), boot.wanted.eq(self.boot_slot)]
            m.d.comb += [
                boot.hold.eq(self.resident),
                self.forget.eq(boot.forget),
                self.boot.slot.eq(boot.slot),
                self.boot.slots.eq(self._flash.slots),
                self.boot.state.eq(boot.state),
            ]
            self._watch(m, boot)
        m.submodules.source = source
        connect(m, flipped(self.i), source.i)
        connect(m, source.o, flipped(self.o))
        if self._contents is not None:
            m.submodules.head = head = ResidentHead(head=self._contents.head)
            self._watch(m, head)
            # A reset does not undo what was written into memories.
            is_spoiled = Signal(reset_less=True)
            with m.If(source.o.valid & source.o.ready):
                m.d.sync += is_spoiled.eq(1)
            m.d.comb += [
                head.is_spoiled.eq(is_spoiled),
                self.resident.eq(head.is_feeding),
                self.boot.resident.eq(1),
            ]
            with m.If(head.is_feeding):
                m.d.comb += [
                    self.o.payload.eq(head.o.payload),
                    self.o.valid.eq(head.o.valid),
                    head.o.ready.eq(self.o.ready),
                    source.o.ready.eq(0),
                ]
        return m

    def _watch(self, m: Module, block: ResidentHead | Boot) -> None:
        """Tell a block how the loader is, and when the host wants to load."""
        m.d.comb += [
            block.drop.eq(self.dropped),
            block.running.eq(self.running),
            block.failed.eq(self.load_error != LoadError.NONE),
            block.ends.eq(self.ends),
        ]
