# SPDX-License-Identifier: Apache-2.0
"""Requests carried out, and answered."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design.design import Design
from hw.formats.image_layout import LoadError
from hw.formats.register_map import ControlWord, register_address
from hw.formats.structures import size_of
from hw.link.accelerator_ports import accelerator_ports
from hw.link.event_feeder import EventFeeder
from hw.link.packets import (
    HEADER_BYTES,
    FrameType,
    LoadBegin,
    LoadData,
    ReadRequest,
    RefusalReason,
    SampleBegin,
    SampleData,
    WriteRequest,
    check_link,
    image_length_bits,
)
from hw.link.replies import ReplyKind, ReplyWork, add_reply_states
from hw.link.sample_feeder import SampleFeeder
from hw.link.write_rules import boots, changes_speed, is_out_of_range
from hw.loading.registers import WriteRefusal
from hw.parts.byte_beat import ByteBeat

__all__ = ["FrameProcessor"]

# Samples that may be in the accelerator at a time. While one is being sent, records are taken
# first; so nothing can lock up.
_IN_FLIGHT = 2
# Of the number of events in a sample.
_EVENT_BITS = 24


class FrameProcessor(wiring.Component):
    """Carries out one request at a time and replies to it; sends results as they come.

    Answers after steps come before the result. A reply to a sample may stand behind replies to
    later requests; the sequence number tells. Refused requests change nothing. See
    `hw.link.packets`.

    Parameters
    ----------
    design
        Of the accelerator; its samples must be pixels or events.
    divisor
        Clock cycles a bit that a serial line is built for; 0: the link is none.
    slots
        Networks that the flash has room for; 0: there is no flash.

    Members
    -------
    i : In(stream of ByteBeat), o : Out(stream of ByteBeat)
        Header and body of requests and of replies.
    o_network, o_sample, i_record, bus, running, load_error, sample_values, classes, needs_seed,
    measured
        To and from the ports of `hw.accelerator.Accelerator` with these names.
    quiet : In(1)
        No byte of a reply is still on its way.
    choose : Out(1), chosen : Out(range(divisor + 1))
        The host wants other clock cycles a bit; told when the reply has left.
    restart : Out(1)
        Forget the sample of events that has not come to its end.
    refused : Out(1)
        A request was refused.

    Raises
    ------
    ValueError
        If samples are spike words.
    """

    def __init__(self, *, design: Design, divisor: int = 0, slots: int = 0) -> None:
        self._design = check_link(design)
        self._divisor, self._slots = divisor, slots
        super().__init__(
            {
                "i": In(stream.Signature(ByteBeat)),
                "o": Out(stream.Signature(ByteBeat)),
                **accelerator_ports(design),
                "quiet": In(1),
                "choose": Out(1),
                "chosen": Out(range(divisor + 1)),
                "restart": Out(1),
                "refused": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        length_bits = image_length_bits(self._design)
        record = self.i_record.p
        takes_events = self._design.sample_input == "events"
        kind = EventFeeder if takes_events else SampleFeeder
        m.submodules.feeder = feeder = kind(design=self._design)
        connect(m, feeder.o, flipped(self.o_sample))

        work = ReplyWork(winner=record.winner, in_flight=_IN_FLIGHT)
        header, count, argument, samples = work.header, work.count, work.argument, work.samples
        number, address = work.number, work.address
        ended = Signal()  # the byte taken last ended its frame
        shift_argument = argument.eq(Cat(argument[8:], self.i.p.data))
        # Writes happen in the cycle after they are decided.
        write, drop = Signal(), Signal(ControlWord)
        missing = Signal(length_bits)  # bytes of the image that is being loaded
        too_large = Signal()  # a number is no number of bytes of an image

        m.d.comb += [
            too_large.eq(number[length_bits:].any()),
            self.bus.address.eq(Cat(Const(0, 2), address)),
            # Of the control register only the bit that drops the network is looked at.
            self.bus.write_data.eq(number | drop.as_value()),
            self.bus.write.eq(write),
            self.chosen.eq(number),
            feeder.i.p.data.eq(self.i.p.data),
            self.o_network.p.data.eq(self.i.p.data),
            self.o_network.p.last.eq(missing == 1),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += ended.eq(self.i.p.last)
        m.d.sync += [write.eq(0), drop.eq(0)]
        awaited = Signal(_EVENT_BITS)  # events of the sample that is being sent
        sending = Signal()  # bytes of a sample are on their way to the accelerator
        held = Signal()  # the header of one is, until a sample has left the accelerator
        late = Signal()  # the speed of the line changes behind the reply
        m.d.sync += self.restart.eq(0)
        with m.If(~self.running):
            m.d.sync += [samples.eq(0), awaited.eq(0)]
        leaves = self.i_record.valid & (samples != 0)  # a record
        if takes_events:
            m.d.comb += [feeder.begin.eq(self.restart), feeder.i.p.last.eq(awaited == 1)]
            # Events behind the last step come after the result, which waits for the last of them.
            leaves = self.i_record.valid & ((samples != 0) | ((awaited != 0) & record.running))

        def expect_result() -> None:
            """It comes with the sequence number of this request."""
            m.d.sync += samples.eq(samples + 1)
            with m.If(samples == 0):
                m.d.sync += work.sequences[0].eq(header.sequence)
            with m.Else():
                m.d.sync += work.sequences[1].eq(header.sequence)

        def answer(kind: ReplyKind) -> None:
            """Reply, once the rest of the request has been swallowed."""
            m.d.sync += [work.kind.eq(kind), count.eq(0)]
            m.next = "SWALLOW"

        def refuse(why: RefusalReason) -> None:
            """Reply that nothing was done."""
            m.d.comb += self.refused.eq(1)
            m.d.sync += work.reason.eq(why)
            answer(ReplyKind.REFUSED)

        def arguments(layout: type, *, exact: bool = True) -> None:
            """Take a structure from the body, if the body has its size."""
            size = size_of(layout)
            m.d.sync += count.eq(size - 1)
            with m.If((header.length != size) if exact else (header.length < size)):
                refuse(RefusalReason.SIZE)
            with m.Else():
                m.next = "ARGUMENT"

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += count.eq(0)
                with m.If(late):
                    m.d.comb += self.choose.eq(self.quiet)
                    m.d.sync += late.eq(~self.quiet)
                with m.Elif(leaves):
                    m.d.sync += [work.kind.eq(ReplyKind.RESULT), work.is_measured.eq(self.measured)]
                    if self._design.is_stepwise:
                        m.d.sync += work.is_running.eq(record.running)
                    m.next = "HEAD"
                with m.Elif(self.i.valid):
                    m.next = "REQUEST"
                    with m.If(sending):
                        m.next = "EVENTS" if takes_events else "SAMPLE"
                    with m.If(held):
                        m.next = "DISPATCH"

            with m.State("REQUEST"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [
                        header.eq(Cat(header.as_value()[8:], self.i.p.data)),
                        count.eq(count + 1),
                    ]
                    with m.If(count == HEADER_BYTES - 1):
                        m.next = "DISPATCH"

            with m.State("DISPATCH"):
                m.d.sync += held.eq(0)
                with m.Switch(header.type):
                    with m.Case(FrameType.READ):
                        arguments(ReadRequest)
                    with m.Case(FrameType.WRITE):
                        arguments(WriteRequest)
                    with m.Case(FrameType.PROBE):
                        answer(ReplyKind.DONE)
                    with m.Case(FrameType.LOAD_BEGIN):
                        arguments(LoadBegin)
                    with m.Case(FrameType.LOAD_DATA):
                        arguments(LoadData, exact=False)
                    with m.Case(FrameType.LOAD_END):
                        with m.If(header.length != 0):
                            refuse(RefusalReason.SIZE)
                        with m.Elif(self.load_error != LoadError.NONE):
                            refuse(RefusalReason.IMAGE)
                        with m.Elif(~self.running):
                            refuse(RefusalReason.INCOMPLETE)
                        with m.Else():
                            answer(ReplyKind.DONE)
                    if takes_events:
                        with m.Case(FrameType.SAMPLE_BEGIN):
                            arguments(SampleBegin)
                        with m.Case(FrameType.SAMPLE_DATA):
                            with m.If(header.length[:3] != size_of(SampleData)):
                                refuse(RefusalReason.SIZE)
                            with m.Else():
                                arguments(SampleData, exact=False)
                    else:
                        with m.Case(FrameType.SAMPLE):
                            with m.If(~self.running):
                                refuse(RefusalReason.NO_NETWORK)
                            with m.Elif(header.length != self.sample_values):
                                refuse(RefusalReason.SAMPLE_SIZE)
                            with m.Elif(self.needs_seed):
                                refuse(RefusalReason.SEED)
                            with m.Elif(samples == _IN_FLIGHT):
                                m.d.sync += held.eq(1)
                                m.next = "IDLE"
                            with m.Else():
                                expect_result()
                                m.d.sync += sending.eq(1)
                                m.next = "SAMPLE"
                    with m.Default():
                        refuse(RefusalReason.TYPE)

            with m.State("ARGUMENT"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [shift_argument, count.eq(count - 1)]
                    with m.If(count == 0):
                        m.next = "EXECUTE"

            with m.State("EXECUTE"):
                with m.Switch(header.type):
                    with m.Case(FrameType.READ):
                        m.d.sync += [address.eq(argument[26:32]), work.words.eq(argument[32:])]
                        with m.If(argument[32:] == 0):
                            refuse(RefusalReason.SIZE)
                        with m.Else():
                            answer(ReplyKind.WORDS)
                    with m.Case(FrameType.WRITE):
                        where = argument[2:8]
                        m.d.sync += address.eq(where)
                        out_of_range = is_out_of_range(
                            where, number, divisor=self._divisor, slots=self._slots
                        )
                        with m.If(boots(where) & ~out_of_range):
                            m.d.sync += missing.eq(0)  # the image that another host was sending
                        with m.If(out_of_range):
                            refuse(RefusalReason.VALUE)
                        with m.Elif(changes_speed(where)):
                            m.d.sync += late.eq(1)
                            answer(ReplyKind.DONE)
                        if self._design.is_stepwise:
                            # Another choice would lose the samples.
                            choice = where >= register_address("committee") // 4
                            with m.Elif(choice & (samples != 0)):
                                refuse(RefusalReason.BUSY)
                            with m.Else():
                                m.d.sync += [write.eq(1), count.eq(0)]
                                with m.If(choice):  # and the sample that is being sent
                                    m.d.sync += [awaited.eq(0), self.restart.eq(awaited != 0)]
                                m.next = "WRITTEN"
                        else:
                            with m.Else():
                                m.d.sync += write.eq(1)
                                answer(ReplyKind.DONE)
                    with m.Case(FrameType.LOAD_BEGIN):
                        with m.If((number == 0) | too_large):
                            refuse(RefusalReason.IMAGE_SIZE)
                        with m.Else():
                            m.d.sync += [
                                address.eq(register_address("control") // 4),
                                drop.eq(ControlWord.const({"drop": 1})),
                                write.eq(1),
                                missing.eq(number),
                            ]
                            answer(ReplyKind.DONE)
                    if takes_events:
                        with m.Case(FrameType.SAMPLE_BEGIN):
                            with m.If(~self.running):
                                refuse(RefusalReason.NO_NETWORK)
                            with m.Elif(samples != 0):
                                refuse(RefusalReason.BUSY)
                            with m.Elif(self.needs_seed):
                                refuse(RefusalReason.SEED)
                            with m.Elif((number == 0) | number[_EVENT_BITS:].any()):
                                refuse(RefusalReason.SAMPLE_SIZE)
                            with m.Else():
                                m.d.sync += [awaited.eq(number), self.restart.eq(awaited != 0)]
                                answer(ReplyKind.DONE)
                        with m.Case(FrameType.SAMPLE_DATA):
                            with m.If(~self.running):
                                refuse(RefusalReason.NO_NETWORK)
                            with m.Elif(number < awaited):
                                refuse(RefusalReason.GAP)
                            with m.Elif((number != awaited) | ended):
                                answer(ReplyKind.DONE)
                            with m.Else():
                                m.d.sync += [sending.eq(1), work.sequences[0].eq(header.sequence)]
                                m.next = "EVENTS"
                    with m.Default():
                        with m.If(self.load_error != LoadError.NONE):
                            refuse(RefusalReason.IMAGE)
                        with m.Elif(too_large):
                            refuse(RefusalReason.IMAGE_SIZE)
                        with m.Elif(number[:length_bits] < missing):
                            refuse(RefusalReason.GAP)
                        with m.Elif((number[:length_bits] != missing) | ended):
                            answer(ReplyKind.DONE)
                        with m.Else():
                            m.next = "LOAD"

            if self._design.is_stepwise:
                with m.State("WRITTEN"):
                    # Written in the first cycle, judged in the second.
                    m.d.sync += count.eq(1)
                    with m.If(count[0]):
                        with m.Switch(self.bus.refusal):
                            with m.Case(WriteRefusal.MEMBERS):
                                refuse(RefusalReason.MEMBERS)
                            with m.Case(WriteRefusal.SEED):
                                refuse(RefusalReason.SEED)
                            with m.Default():
                                answer(ReplyKind.DONE)

            with m.State("LOAD"):
                with m.If(missing == 0):
                    refuse(RefusalReason.IMAGE_SIZE)
                with m.Else():
                    m.d.comb += [
                        self.o_network.valid.eq(self.i.valid),
                        self.i.ready.eq(self.o_network.ready),
                    ]
                    with m.If(self.i.valid & self.o_network.ready):
                        m.d.sync += missing.eq(missing - 1)
                        with m.If(self.i.p.last):
                            answer(ReplyKind.DONE)

            if takes_events:
                with m.State("EVENTS"):
                    with m.If(awaited == 0):
                        m.d.sync += sending.eq(0)
                        refuse(RefusalReason.SAMPLE_SIZE)
                    with m.Elif(leaves):
                        m.next = "IDLE"  # an answer to the steps that are over
                    with m.Else():
                        m.d.comb += [
                            feeder.i.valid.eq(self.i.valid),
                            self.i.ready.eq(feeder.i.ready),
                        ]
                        with m.If(self.i.valid & self.i.ready & feeder.ends):
                            m.d.sync += awaited.eq(awaited - 1)
                            with m.If(awaited == 1):
                                expect_result()
                            with m.If(self.i.p.last):
                                m.d.sync += sending.eq(0)
                                answer(ReplyKind.DONE)
                                with m.If(awaited == 1):
                                    m.next = "IDLE"
            else:
                with m.State("SAMPLE"):
                    # The answer to an earlier sample, or to the beginning of this one.
                    with m.If(self.i_record.valid):
                        m.next = "IDLE"
                    with m.Else():
                        m.d.comb += [
                            feeder.i.valid.eq(self.i.valid),
                            feeder.i.p.last.eq(self.i.p.last),
                            self.i.ready.eq(feeder.i.ready),
                        ]
                    with m.If(self.i.valid & self.i.ready & self.i.p.last):
                        m.d.sync += sending.eq(0)
                        m.next = "IDLE"

            with m.State("SWALLOW"):
                m.d.comb += self.i.ready.eq(~ended)
                with m.If(ended):
                    m.next = "HEAD"

            add_reply_states(m, ports=self, work=work)
        return m
