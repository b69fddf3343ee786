# SPDX-License-Identifier: Apache-2.0
"""The accelerator behind a link: what every board, real or virtual, holds."""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from hw.accelerator import Accelerator
from hw.design.design import Design
from hw.flash.layout import FlashMap
from hw.flash.reader import FlashPins
from hw.formats.contents import Contents, check_contents
from hw.link.accelerator_ports import STATUS_PORTS
from hw.link.line_speed import LineSpeed
from hw.link.link import Link
from hw.link.packets import check_link
from hw.link.spi_peripheral import SpiPeripheral
from hw.link.uart_receiver import UartReceiver, check_divisor
from hw.link.uart_transmitter import UartTransmitter
from hw.parts.spike_word import output_record, sample_beat
from hw.parts.stream_register import StreamRegister
from hw.power_up import PowerUp

__all__ = ["LINKS", "BoardTop"]

_LINK_PORTS = {
    "uart": {"rx": In(1, init=1), "tx": Out(1, init=1)},
    "spi": {
        "sck": In(1),
        "cs": In(1, init=1),
        "copi": In(1),
        "cipo": Out(1),
        "cipo_enable": Out(1),
    },
}
#: Kinds of links.
LINKS = tuple(_LINK_PORTS)


class BoardTop(wiring.Component):
    """Accelerator, and a link over a serial line or SPI.

    Parameters
    ----------
    design
        Capacity and fold; samples must be pixels or events.
    divisor
        Clock cycles a bit of the serial line after reset, 2..65535. A host may choose fewer; see
        `hw.link.line_speed`. None with SPI.
    clock_hz
        Clock, for the host's information; 0 if not known.
    link
        ``"uart"`` or ``"spi"``.
    flash
        Where networks stand in the board's flash; None: the gateware does not use it.
    contents
        Network that is in the memories at power-up; None: there is none.
    board
        Command-line name of the board, for the host's information.

    Members
    -------
    rx : In(1)
        Serial line from the host; asynchronous, idle 1.
    tx : Out(1)
        Serial line to the host, idle 1.
    sck, cs, copi, cipo, cipo_enable
        With SPI instead, as of `hw.link.spi_peripheral.SpiPeripheral`.
    flash_cs, flash_sck, flash_copi, flash_cipo
        With a flash, as of `hw.flash.reader.FlashPins`.
    active : Out(1)
        A network is active (for a lamp).

    Raises
    ------
    TypeError
        If the divisor is not an integer in 2..65535.
    ValueError
        If samples are spike words, if the link is of another kind, or if the contents are not
        those of the design's memories.
    """

    def __init__(
        self,
        *,
        design: Design,
        divisor: int | None = None,
        clock_hz: int = 0,
        link: str = "uart",
        flash: FlashMap | None = None,
        contents: Contents | None = None,
        board: str | None = None,
    ) -> None:
        if link not in LINKS:
            raise ValueError(f"Link must be one of {', '.join(LINKS)}, not {link!r}")
        self._divisor = check_divisor(divisor) if link == "uart" else 0
        self._design = check_link(design)
        self._clock_hz = clock_hz
        self._link = link
        self._flash = flash
        self._contents = contents if contents is None else check_contents(contents, design)
        self._board = board
        pins = FlashPins().members.items() if flash is not None else ()
        super().__init__(
            {
                **_LINK_PORTS[link],
                **{f"flash_{name}": member for name, member in pins},
                "active": Out(1),
            }
        )

    @property
    def design(self) -> Design:
        """Capacity and fold."""
        return self._design

    @property
    def divisor(self) -> int:
        """Clock cycles a bit of the serial line after reset; 0 with SPI."""
        return self._divisor

    @property
    def link(self) -> str:
        """Kind of the link."""
        return self._link

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(
            design=self._design,
            clock_hz=self._clock_hz,
            board=self._board,
            contents=self._contents,
        )
        m.submodules.power_up = power_up = PowerUp(
            design=self._design,
            flash=self._flash,
            contents=self._contents,
            clock_hz=self._clock_hz,
        )
        slots = 0 if self._flash is None else self._flash.slots
        m.submodules.link = link = Link(
            design=self._design,
            divisor=self._divisor,
            slots=slots,
            # SPI brings zeros where no byte is ready.
            whole_frames=self._link == "spi",
        )
        m.d.comb += accelerator.errors.eq(link.errors)
        if self._link == "uart":
            self._add_serial_line(m, link, accelerator)
        else:
            self._add_spi(m, link)
        connect(m, link.bus, accelerator.bus)
        measured = Signal()  # of the record that waits below
        for port in STATUS_PORTS:
            value = measured if port == "measured" else getattr(accelerator, port)
            m.d.comb += getattr(link, port).eq(value)

        # The link is slow: registers keep its logic out of the accelerator's critical paths.
        connect(m, link.o_network, power_up.i)
        connect(m, power_up.o, accelerator.i_network)
        for port in ("running", "load_error", "ends", "dropped", "boot_write", "boot_slot"):
            m.d.comb += getattr(power_up, port).eq(getattr(accelerator, port))
        for port in ("forget", "resident", "boot"):
            m.d.comb += getattr(accelerator, port).eq(getattr(power_up, port))
        if self._flash is not None:
            for name, member in FlashPins().members.items():
                ours, its = getattr(self, f"flash_{name}"), getattr(power_up.pins, name)
                m.d.comb += ours.eq(its) if member.flow is Out else its.eq(ours)
        # What is in flight when a network goes must not turn up under the next one.
        m.d.comb += accelerator.restart.eq(link.restart)
        while_running = ResetInserter(~accelerator.running | link.restart)
        m.submodules.sample = sample = while_running(
            StreamRegister(shape=sample_beat(self._design))
        )
        connect(m, link.o_sample, sample.i)
        connect(m, sample.o, accelerator.i_sample)
        m.submodules.record = record = while_running(
            StreamRegister(shape=output_record(self._design))
        )
        connect(m, accelerator.o_record, record.i)
        connect(m, record.o, link.i_record)
        with m.If(record.i.valid & record.i.ready):
            m.d.sync += measured.eq(accelerator.measured)
        m.d.comb += self.active.eq(accelerator.running)
        return m

    def _add_serial_line(self, m: Module, link: Link, accelerator: Accelerator) -> None:
        m.submodules.receiver = receiver = UartReceiver(divisor=self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._divisor)
        m.submodules.speed = speed = LineSpeed(divisor=self._divisor)
        connect(m, receiver.o, link.i)
        connect(m, link.o, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            link.quiet.eq(transmitter.quiet),
            speed.choose.eq(link.choose),
            speed.chosen.eq(link.chosen),
            speed.good.eq(link.accepted),
            speed.bad.eq(receiver.line_error | link.errors.frame),
            receiver.cycles.eq(speed.cycles),
            transmitter.cycles.eq(speed.cycles),
            accelerator.link.divisor.eq(speed.cycles),
            accelerator.link.built.eq(self._divisor),
        ]
        with m.If(receiver.line_error):
            m.d.comb += accelerator.errors.line.eq(1)
        with m.If(receiver.overrun):
            m.d.comb += accelerator.errors.overrun.eq(1)

    def _add_spi(self, m: Module, link: Link) -> None:
        m.submodules.spi = spi = SpiPeripheral()
        connect(m, spi.o, link.i)
        connect(m, link.o, spi.i)
        m.d.comb += [
            *(getattr(spi, name).eq(getattr(self, name)) for name in ("sck", "cs", "copi")),
            *(getattr(self, name).eq(getattr(spi, name)) for name in ("cipo", "cipo_enable")),
        ]
