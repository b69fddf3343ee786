# SPDX-License-Identifier: Apache-2.0
"""A network out of the flash into the loader, at power-up and when the host asks for a slot."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design.design import Design, index_bits
from hw.flash.layout import (
    IMAGE_OFFSET,
    SLOT_MAGIC,
    SLOT_VERSION,
    FlashMap,
    SlotHeader,
)
from hw.flash.reader import FlashPins, FlashReader
from hw.formats.register_map import NOT_FROM_FLASH, BootState
from hw.formats.structures import byte_span, pack, size_of
from hw.link.packets import CRC_BYTES, FRAME_CRC
from hw.parts.byte_beat import ByteBeat

__all__ = ["Boot"]


class Boot(wiring.Component):
    """Gives the loader the image of the valid slot with the highest generation.

    A slot is valid if its header (`hw.flash.layout.SlotHeader`) has the right CRC and is of this
    design. Where the loader refuses its image, the valid slot with the next lower generation
    follows, and so on; of equal generations the lower slot comes first. It begins after a reset,
    when `hold` falls, unless a network is active then. When the host asks for a slot, the network
    in use is forgotten, and only that slot is tried.

    A search wakes the flash (``pause + 8 p`` cycles, p = ``period`` of
    `hw.flash.reader.FlashReader`), then reads every header once, and each that is better than those
    before it once more, to keep its generation: ``pause + 288 p + 1`` cycles each. An image of n
    bytes takes ``pause + p * (32 + 8 n) + 4`` cycles, until its network is active.

    Parameters
    ----------
    design
        Of the images.
    flash
        Where slots stand.
    clock_hz
        Clock; 0 if not known.

    Members
    -------
    pins : Out(FlashPins)
        The flash.
    hold : In(1)
        Do not begin yet.
    drop : In(1)
        The host loads a network, or wants none: stop.
    request : In(1), wanted : In
        The host asks for a slot.
    running, failed : In(1)
        A network is active; an image was refused.
    ends : In(1)
        The byte that the loader takes next is the last of its image.
    i : In(stream of ByteBeat), o : Out(stream of ByteBeat)
        Images from the host, and to the loader, which must take a byte within 3 cycles. A transfer
        takes two cycles; none from the host while an image is read.
    forget : Out(1)
        Reset the loader.
    state : Out(BootState)
        What is done.
    slot : Out(8)
        Slot that the active network came from; `hw.formats.register_map.NOT_FROM_FLASH` for none.
    """

    def __init__(self, *, design: Design, flash: FlashMap, clock_hz: int = 0) -> None:
        self._design = design
        self._flash = flash
        self._clock_hz = clock_hz
        super().__init__(
            {
                "pins": Out(FlashPins()),
                "hold": In(1),
                "drop": In(1),
                "request": In(1),
                "wanted": In(index_bits(flash.slots)),
                "running": In(1),
                "failed": In(1),
                "ends": In(1),
                "i": In(stream.Signature(ByteBeat)),
                "o": Out(stream.Signature(ByteBeat)),
                "forget": Out(1),
                "state": Out(BootState),
                "slot": Out(8),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        flash = self._flash
        m.submodules.reader = reader = FlashReader(clock_hz=self._clock_hz)
        connect(m, reader.pins, flipped(self.pins))

        pending = Signal(init=1)  # a search is to begin
        nothing = Signal()
        tried = Signal(flash.slots)  # slots that shall not be tried again
        slot = Signal(index_bits(flash.slots))
        best = Signal.like(slot)
        found = Signal()
        booted = Signal.like(slot)
        is_booted = Signal()
        is_image = Signal()
        with m.If(~self.running):
            m.d.sync += is_booted.eq(0)
        m.d.comb += [
            self.slot.eq(Mux(is_booted, booted, NOT_FROM_FLASH)),
            # Powers of two that do not meet: no adder.
            reader.address.eq(
                flash.first_slot
                | (slot << flash.slot_bytes.bit_length() - 1)
                | Mux(is_image, IMAGE_OFFSET, 0)
            ),
        ]

        header = _HeaderCheck(m, design=self._design, reader=reader)

        # One place for a byte: from the link, or put together from the bits of an image.
        byte = Signal(ByteBeat)
        has_byte = Signal()
        m.d.comb += [
            self.i.ready.eq(~has_byte & ~is_image),
            self.o.valid.eq(has_byte),
            self.o.p.data.eq(byte.data),
            self.o.p.last.eq(Mux(is_image, self.ends, byte.last)),
        ]
        with m.If(has_byte & self.o.ready):
            m.d.sync += has_byte.eq(0)
        with m.If(is_image & reader.valid):
            # The loader takes a byte within 3 cycles, before its first bit is gone.
            m.d.sync += byte.data.eq((byte.data << 1) | reader.bit)
            m.d.sync += has_byte.eq(reader.place[:3].all())
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [byte.eq(self.i.payload), has_byte.eq(1)]

        @contextmanager
        def state(name: str) -> Iterator[None]:
            """A state that the host may end at any time."""
            with m.State(name):
                yield
                with m.If(self.drop | self.request):
                    m.next = "IDLE"

        with m.FSM() as machine:
            with state("IDLE"):
                m.d.sync += [slot.eq(0), found.eq(0), header.keep.eq(0)]
                header.clear()
                with m.If(pending & ~self.hold):
                    m.d.sync += pending.eq(0)
                    with m.If(~self.running):
                        m.next = "WAKE"

            with state("WAKE"):
                m.d.comb += [reader.select.eq(1), reader.wake.eq(1)]
                with m.If(reader.is_awake):
                    m.next = "HEADER"

            with state("HEADER"):
                m.d.comb += reader.select.eq(1)
                header.take()
                with m.If(header.ends):
                    m.next = "JUDGE"

            with state("JUDGE"):
                # Not selected: the next read begins from its start.
                header.clear()
                m.d.sync += header.keep.eq(0)
                m.next = "HEADER"
                untried = ~tried.bit_select(slot, 1)
                better = header.is_valid & untried & (header.is_newer | ~found)
                with m.If(better & ~header.keep):
                    m.d.sync += [header.keep.eq(1), best.eq(slot), found.eq(1)]
                with m.Else():
                    m.d.sync += slot.eq(slot + 1)
                    with m.If(slot == flash.slots - 1):
                        m.d.sync += [slot.eq(best), nothing.eq(~found)]
                        m.d.comb += self.forget.eq(found)  # whatever it was in the midst of
                        m.next = "IDLE"
                        with m.If(found):
                            m.next = "IMAGE"

            with state("IMAGE"):
                m.d.comb += [is_image.eq(1), reader.select.eq(1)]
                with m.If(self.running):
                    m.d.sync += [booted.eq(slot), is_booted.eq(1)]
                    m.next = "IDLE"
                with m.If(self.failed):
                    m.d.sync += [tried.eq(tried | (1 << slot)), pending.eq(1)]
                    m.next = "IDLE"
        # The host has the last word.
        with m.If(self.request):
            m.d.comb += self.forget.eq(1)
            m.d.sync += [pending.eq(1), tried.eq(~(1 << self.wanted)), nothing.eq(0)]
        with m.Elif(self.drop):
            m.d.sync += [pending.eq(0), nothing.eq(0)]
        with m.If(self.request | self.drop):
            m.d.sync += has_byte.eq(0)
        with m.If(pending | ~machine.ongoing("IDLE")):
            m.d.comb += self.state.eq(BootState.BUSY)
        with m.Elif(nothing):
            m.d.comb += self.state.eq(BootState.NONE_VALID)
        return m


class _HeaderCheck:
    """Looks at the bits of a slot header as they come: no byte of it is kept but the generation.

    Parameters
    ----------
    m
        The module that gets the registers.
    design
        Its hash is in the header.
    reader
        Gives the bits.
    """

    def __init__(self, m: Module, *, design: Design, reader: FlashReader) -> None:
        self._m, self._reader = m, reader
        generation = byte_span(SlotHeader, "generation")
        wanted = pack(
            SlotHeader,
            magic=int.from_bytes(SLOT_MAGIC, "little"),
            version=SLOT_VERSION,
            design_hash=design.design_hash(),
        )[: generation.start]
        # In the order of the line, the first bit lowest.
        line = sum(
            ((raw >> (7 - bit)) & 1) << (8 * place + bit)
            for place, raw in enumerate(wanted)
            for bit in range(8)
        )
        self._wanted = Const(line, 8 * len(wanted))
        size = size_of(SlotHeader)
        # The places are chosen so that few gates tell them apart.
        place = reader.place[:8]
        self._is_fixed = place < 8 * generation.start
        self._is_generation = (place >= 8 * generation.start) & (place < 8 * generation.stop)
        self._is_crc = place >= 8 * size
        self._crc = Signal(16, init=FRAME_CRC.initial_crc, name="header_crc")
        self._is_other = Signal(name="header_is_other")
        self._best = Signal(32, name="best_generation")  # turns once while a generation comes
        self._differs = Signal(name="generation_differs")
        #: Put the generation that comes in the place of the best one.
        self.keep = Signal(name="keep_generation")
        #: The generation was larger than the best one.
        self.is_newer = Signal(name="generation_is_newer")
        #: The last bit is taken.
        self.ends = Signal(name="header_ends")
        #: The header was right.
        self.is_valid = Signal(name="header_is_valid")
        m.d.comb += [
            self.ends.eq(reader.valid & (place == 8 * (size + CRC_BYTES) - 1)),
            self.is_valid.eq(~self._is_other),
        ]

    def clear(self) -> None:
        """Get ready for a header."""
        self._m.d.sync += [
            self._crc.eq(FRAME_CRC.initial_crc),
            self._is_other.eq(0),
            self.is_newer.eq(0),
        ]

    def take(self) -> None:
        """Take the bit that is offered."""
        m, place, bit = self._m, self._reader.place[:8], self._reader.bit
        crc, best = self._crc, self._best
        with m.If(self._reader.valid):
            m.d.sync += crc.eq((crc << 1) ^ Mux(crc[-1] ^ bit, FRAME_CRC.polynomial, 0))
            # As it comes, the CRC is compared with that of what came before.
            wanted = Mux(self._is_fixed, self._wanted.bit_select(place[:7], 1), crc[-1])
            with m.If((self._is_fixed | self._is_crc) & (wanted != bit)):
                m.d.sync += self._is_other.eq(1)
            with m.If(self._is_generation):
                m.d.sync += best.eq((best << 1) | Mux(self.keep, bit, best[31]))
                # Bytes come lowest first: each has the last word unless it is equal.
                begins = place[:3] == 0
                differs = bit != best[31]
                m.d.sync += self._differs.eq(differs | (self._differs & ~begins))
                with m.If(differs & (begins | ~self._differs)):
                    m.d.sync += self.is_newer.eq(bit)
