# SPDX-License-Identifier: Apache-2.0
"""The accelerator behind a serial line: what every board, real or virtual, holds."""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from hw.accelerator import Accelerator
from hw.byte_beat import ByteBeat
from hw.design import Design
from hw.link.frame_processor import STATUS_PORTS
from hw.link.link import Link
from hw.link.packets import check_link
from hw.link.uart_receiver import UartReceiver, check_divisor
from hw.link.uart_transmitter import UartTransmitter
from hw.spike_word import output_record, sample_beat
from hw.stream_register import StreamRegister

__all__ = ["BoardTop"]


class BoardTop(wiring.Component):
    """Accelerator, link and UART.

    Parameters
    ----------
    design
        Capacity and fold; samples must be pixels or events.
    divisor
        Clock cycles a bit of the line, at least 2.
    clock_hz
        Clock, for the host's information; 0 if not known.

    Members
    -------
    rx : In(1)
        Line from the host; asynchronous, idle 1.
    tx : Out(1)
        Line to the host, idle 1.
    active : Out(1)
        A network is active (for a lamp).

    Raises
    ------
    TypeError
        If the divisor is not an integer of at least 2.
    ValueError
        If samples are spike words.
    """

    def __init__(self, *, design: Design, divisor: int, clock_hz: int = 0) -> None:
        self._divisor = check_divisor(divisor)
        self._design = check_link(design)
        self._clock_hz = clock_hz
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "active": Out(1)})

    @property
    def design(self) -> Design:
        """Capacity and fold."""
        return self._design

    @property
    def divisor(self) -> int:
        """Clock cycles a bit of the line."""
        return self._divisor

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(
            design=self._design, clock_hz=self._clock_hz
        )
        m.submodules.link = link = Link(design=self._design)
        m.submodules.receiver = receiver = UartReceiver(divisor=self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._divisor)
        connect(m, receiver.o, link.i)
        connect(m, link.o, transmitter.i)
        connect(m, link.bus, accelerator.bus)
        measured = Signal()  # of the record that waits below
        for port in STATUS_PORTS:
            value = measured if port == "measured" else getattr(accelerator, port)
            m.d.comb += getattr(link, port).eq(value)

        # The link is slow: registers keep its logic out of the accelerator's critical paths.
        m.submodules.network = network = StreamRegister(shape=ByteBeat)
        connect(m, link.o_network, network.i)
        connect(m, network.o, accelerator.i_network)
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
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.active.eq(accelerator.running),
            accelerator.errors.eq(link.errors),
        ]
        with m.If(receiver.line_error):
            m.d.comb += accelerator.errors.line.eq(1)
        with m.If(receiver.overrun):
            m.d.comb += accelerator.errors.overrun.eq(1)
        return m
