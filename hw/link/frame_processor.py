# SPDX-License-Identifier: Apache-2.0
"""Requests carried out, and answered."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.byte_beat import ByteBeat
from hw.design import Design
from hw.image_layout import LoadError
from hw.link.packets import (
    HEADER_BYTES,
    SILENT,
    FrameHeader,
    FrameType,
    LoadBegin,
    LoadData,
    ReadRequest,
    Refusal,
    RefusalReason,
    ResultEnd,
    ResultEntry,
    WriteRequest,
    check_pixels,
    image_length_bits,
)
from hw.link.sample_feeder import SampleFeeder
from hw.register_map import ControlWord, register_address
from hw.registers import RegisterBus
from hw.spike_word import output_record, pixel_beat
from hw.structures import size_of

__all__ = ["FrameProcessor"]

# Samples that may be in the accelerator at a time. With one in it, another can always be taken
# whole, whether or not somebody takes the records of the first; so nothing can lock up.
_IN_FLIGHT = 2


class _Reply(enum.Enum, shape=2):
    """Kinds of replies, in fewer bits than `FrameType`."""

    DONE = 0
    WORDS = 1
    RESULT = 2
    REFUSED = 3


class FrameProcessor(wiring.Component):
    """Carries out one request at a time and replies to it; sends results as they come.

    A reply to a sample may stand behind replies to later requests; the sequence number tells.
    Refused requests change nothing. See `hw.link.packets`.

    Parameters
    ----------
    design
        Of the accelerator; its samples must be pixels.

    Members
    -------
    i : In(stream of ByteBeat), o : Out(stream of ByteBeat)
        Header and body of requests and of replies.
    o_network, o_sample, i_record, bus, running, load_error, features, classes, measured
        To and from the ports of `hw.accelerator.Accelerator` with these names.
    refused : Out(1)
        A request was refused.

    Raises
    ------
    ValueError
        If samples are spike words.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = check_pixels(design)
        super().__init__(
            {
                "i": In(stream.Signature(ByteBeat)),
                "o": Out(stream.Signature(ByteBeat)),
                "o_network": Out(stream.Signature(ByteBeat)),
                "o_sample": Out(stream.Signature(pixel_beat(design))),
                "i_record": In(stream.Signature(output_record(design))),
                "bus": Out(RegisterBus()),
                "running": In(1),
                "load_error": In(LoadError),
                "features": In(range(design.features + 1)),
                "classes": In(range(design.classes + 1)),
                "measured": In(1),
                "refused": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        length_bits = image_length_bits(self._design)
        record = self.i_record.p
        m.submodules.feeder = feeder = SampleFeeder(design=self._design)
        connect(m, feeder.o, flipped(self.o_sample))

        header = Signal(FrameHeader)
        ended = Signal()  # the byte taken last ended its frame
        count = Signal(3)  # bytes of a structure, in or out
        # Arguments shift in from the top; words read shift out from place 8.
        argument = Signal(40)
        number = argument[8:]
        shift_argument = argument.eq(Cat(argument[8:], self.i.p.data))
        address, words = Signal(6), Signal(8)  # of registers
        # Writes happen in the cycle after they are decided.
        write, drop = Signal(), Signal(ControlWord)
        missing = Signal(length_bits)  # bytes of the image that is being loaded
        too_large = Signal()  # a number is no number of bytes of an image
        samples = Signal(range(_IN_FLIGHT + 1))
        sequences = Signal(8), Signal(8)  # of these samples, oldest first

        reply = Signal(_Reply)
        code = Signal(FrameType, init=FrameType.DONE)
        reply_length = Signal(16)
        reason = Signal(RefusalReason, init=RefusalReason.TYPE)
        winner = Signal.like(record.winner)
        is_result = Signal()
        is_measured = Signal()

        m.d.comb += [
            is_result.eq(reply == _Reply.RESULT),
            too_large.eq(number[length_bits:].any()),
            self.bus.address.eq(Cat(Const(0, 2), address)),
            # Of the control register only the bit that drops the network is looked at.
            self.bus.write_data.eq(number | drop.as_value()),
            self.bus.write.eq(write),
            feeder.i.payload.eq(self.i.payload),
            self.o_network.p.data.eq(self.i.p.data),
            self.o_network.p.last.eq(missing == 1),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += ended.eq(self.i.p.last)
        m.d.sync += [write.eq(0), drop.eq(0)]
        with m.If(~self.running):
            m.d.sync += samples.eq(0)

        def answer(kind: _Reply) -> None:
            """Reply, once the rest of the request has been swallowed."""
            m.d.sync += [reply.eq(kind), count.eq(0)]
            m.next = "SWALLOW"

        def refuse(why: RefusalReason) -> None:
            """Reply that nothing was done."""
            m.d.comb += self.refused.eq(1)
            m.d.sync += reason.eq(why)
            answer(_Reply.REFUSED)

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
                with m.If(self.i_record.valid & (samples != 0)):
                    m.d.sync += [reply.eq(_Reply.RESULT), is_measured.eq(self.measured)]
                    m.next = "HEAD"
                with m.Elif(self.i.valid):
                    m.next = "REQUEST"

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
                with m.Switch(header.type):
                    with m.Case(FrameType.READ):
                        arguments(ReadRequest)
                    with m.Case(FrameType.WRITE):
                        arguments(WriteRequest)
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
                            answer(_Reply.DONE)
                    with m.Case(FrameType.SAMPLE):
                        with m.If(~self.running):
                            refuse(RefusalReason.NO_NETWORK)
                        with m.Elif(header.length != self.features):
                            refuse(RefusalReason.SAMPLE_SIZE)
                        with m.Elif(samples == _IN_FLIGHT):
                            refuse(RefusalReason.BUSY)
                        with m.Else():
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
                        m.d.sync += [address.eq(argument[26:32]), words.eq(argument[32:])]
                        with m.If(argument[32:] == 0):
                            refuse(RefusalReason.SIZE)
                        with m.Else():
                            answer(_Reply.WORDS)
                    with m.Case(FrameType.WRITE):
                        m.d.sync += [address.eq(argument[2:8]), write.eq(1)]
                        answer(_Reply.DONE)
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
                            answer(_Reply.DONE)
                    with m.Default():
                        with m.If(self.load_error != LoadError.NONE):
                            refuse(RefusalReason.IMAGE)
                        with m.Elif(too_large):
                            refuse(RefusalReason.IMAGE_SIZE)
                        with m.Elif(number[:length_bits] < missing):
                            refuse(RefusalReason.GAP)
                        with m.Elif((number[:length_bits] != missing) | ended):
                            answer(_Reply.DONE)
                        with m.Else():
                            m.next = "LOAD"

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
                            answer(_Reply.DONE)

            with m.State("SAMPLE"):
                m.d.comb += [feeder.i.valid.eq(self.i.valid), self.i.ready.eq(feeder.i.ready)]
                with m.If(self.i.valid & self.i.ready & self.i.p.last):
                    m.d.sync += samples.eq(samples + 1)
                    with m.If(samples == 0):
                        m.d.sync += sequences[0].eq(header.sequence)
                    with m.Else():
                        m.d.sync += sequences[1].eq(header.sequence)
                    m.next = "IDLE"

            with m.State("SWALLOW"):
                m.d.comb += self.i.ready.eq(~ended)
                with m.If(ended):
                    m.next = "HEAD"

            with m.State("HEAD"):
                with m.Switch(reply):
                    with m.Case(_Reply.DONE):
                        m.d.comb += code.eq(FrameType.DONE)
                    with m.Case(_Reply.WORDS):
                        m.d.comb += [code.eq(FrameType.WORDS), reply_length.eq(words << 2)]
                    with m.Case(_Reply.RESULT):
                        entries = self.classes + 1
                        assert size_of(ResultEntry) == size_of(ResultEnd) == 6
                        m.d.comb += [
                            code.eq(FrameType.RESULT),
                            reply_length.eq((entries << 2) + (entries << 1)),
                        ]
                    with m.Case(_Reply.REFUSED):
                        m.d.comb += [
                            code.eq(FrameType.REFUSED),
                            reply_length.eq(size_of(Refusal)),
                        ]
                head = Array(
                    [
                        code.as_value(),
                        Mux(is_result, sequences[0], header.sequence),
                        reply_length[:8],
                        reply_length[8:],
                    ]
                )
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(head[count[:2]]),
                    self.o.p.last.eq((count == HEADER_BYTES - 1) & (reply == _Reply.DONE)),
                ]
                with m.If(self.o.ready):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == HEADER_BYTES - 1):
                        m.d.sync += count.eq(0)
                        with m.Switch(reply):
                            with m.Case(_Reply.WORDS):
                                m.next = "FETCH"
                            with m.Case(_Reply.RESULT):
                                m.next = "RECORD"
                            with m.Case(_Reply.REFUSED):
                                m.next = "REASON"
                            with m.Default():
                                m.next = "IDLE"

            with m.State("REASON"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(Mux(count[0], self.load_error, reason)),
                    self.o.p.last.eq(count[0]),
                ]
                with m.If(self.o.ready):
                    m.d.sync += count.eq(1)
                    with m.If(count[0]):
                        m.next = "IDLE"

            with m.State("FETCH"):
                # The address stood for a cycle before this one only if this is the second here.
                m.d.sync += [
                    count.eq(count + 1),
                    number.eq(Mux(is_result & ~is_measured, 0, self.bus.read_data)),
                ]
                with m.If(count == 1):
                    m.d.sync += [count.eq(0), address.eq(address + 1), words.eq(words - 1)]
                    m.next = "WORD"

            with m.State("WORD"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(number[:8]),
                    self.o.p.last.eq((count == 3) & (words == 0)),
                ]
                with m.If(self.o.ready):
                    # What comes in at the top never comes out.
                    m.d.sync += [shift_argument, count.eq(count + 1)]
                    with m.If(count == 3):
                        m.d.sync += count.eq(0)
                        m.next = "FETCH"
                        with m.If(words == 0):
                            m.next = "IDLE"

            with m.State("RECORD"):
                entry = Signal(ResultEntry)
                m.d.comb += [
                    entry.step.eq(Mux(record.fired, record.step, SILENT)),
                    entry.score.eq(record.score),
                    self.o.valid.eq(self.i_record.valid),
                    self.o.p.data.eq(entry.as_value().word_select(count, 8)),
                ]
                with m.If(self.i_record.valid & self.o.ready):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == size_of(ResultEntry) - 1):
                        m.d.comb += self.i_record.ready.eq(1)
                        m.d.sync += [count.eq(0), winner.eq(record.winner)]
                        with m.If(record.last):
                            m.next = "WINNER"

            with m.State("WINNER"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(Cat(winner, Const(0, 16)).word_select(count[0], 8)),
                ]
                with m.If(self.o.ready):
                    m.d.sync += count.eq(1)
                    with m.If(count[0]):
                        m.d.sync += [
                            address.eq(register_address("latency") // 4),
                            words.eq(1),
                            count.eq(0),
                            samples.eq(samples - 1),
                            sequences[0].eq(sequences[1]),
                        ]
                        m.next = "FETCH"
        return m
