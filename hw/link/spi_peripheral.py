# SPDX-License-Identifier: Apache-2.0
"""SPI to bytes and back, for a microcontroller that owns the bus."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["CYCLES_PER_SCK", "SpiPeripheral"]

#: Fewest clock cycles of a period of SCK, half of them high and half low.
CYCLES_PER_SCK = 8


class SpiPeripheral(wiring.Component):
    """Peripheral in SPI mode 0, most significant bit first; all lines are sampled in ``sync``.

    As many bytes go out as come in, 0x00 where there is nothing to say: between frames that is an
    empty one. A selection may end anywhere: a byte that has not come in whole is dropped, one that
    has not gone out whole goes out again with the next selection.

    ::

        cs    ^^\\___________________________/^^
        sck   ______/^^\\__/^^\\__ ... /^^\\_______
        copi  ----< 7   >< 6   >     < 0  >------   taken where SCK rises
        cipo  ----< 7    >< 6   >    < 0   >-----   changes within 3 cycles where SCK falls

    SCK and the time from the selection to its first edge need `CYCLES_PER_SCK` / 2 clock cycles a
    phase.

    Members
    -------
    sck, cs, copi : In(1)
        The bus; asynchronous. ``cs`` is 0 while the board is selected.
    cipo : Out(1)
        To the host.
    cipo_enable : Out(1)
        The board is selected: for a line that others drive, too.
    o : Out(stream of 8 bits)
        Bytes from the host. One that is not taken in its cycle is lost.
    i : In(stream of 8 bits)
        Bytes to the host; taken when the last bit is on the bus.
    """

    sck: In(1)
    cs: In(1, init=1)
    copi: In(1)
    cipo: Out(1)
    cipo_enable: Out(1)
    o: Out(stream.Signature(8))
    i: In(stream.Signature(8))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        sck, cs, copi = Signal(), Signal(init=1), Signal()
        m.submodules.sck = FFSynchronizer(self.sck, sck)
        m.submodules.cs = FFSynchronizer(self.cs, cs, init=1)
        m.submodules.copi = FFSynchronizer(self.copi, copi)
        before = Signal()
        m.d.sync += before.eq(sck)

        count = Signal(3)  # bits of this byte that have come in
        shift = Signal(8)  # bits still to go out, from the top; those that came in, from the bottom
        taken = Signal()  # the bit on the bus
        is_from_stream = Signal()  # the byte that goes out; else a filler
        m.d.comb += [
            self.cipo.eq(shift[-1]),
            self.cipo_enable.eq(~cs),
            self.o.payload.eq(Cat(copi, shift)),
        ]
        # While the board is not selected, and when a byte is over, the next one is laid out.
        with m.If(cs):
            m.d.sync += count.eq(0)
        with m.Elif(sck & ~before):
            m.d.sync += [count.eq(count + 1), taken.eq(copi)]
            m.d.comb += [
                self.o.valid.eq(count == 7),
                self.i.ready.eq((count == 7) & is_from_stream),
            ]
        with m.Elif(~sck & before & (count != 0)):
            m.d.sync += shift.eq(Cat(taken, shift))
        with m.If(cs | (~sck & before & (count == 0))):
            m.d.sync += [shift.eq(0), is_from_stream.eq(self.i.valid)]
            with m.If(self.i.valid):
                m.d.sync += shift.eq(self.i.payload)
        return m
