# SPDX-License-Identifier: Apache-2.0
"""Replies of a gateware, byte by byte: the second half of `hw.link.frame_processor`."""

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import enum

from hw.formats.register_map import register_address
from hw.formats.structures import size_of
from hw.link.packets import (
    HEADER_BYTES,
    SILENT,
    CommitteeEntry,
    FrameHeader,
    FrameType,
    Refusal,
    RefusalReason,
    ResultEnd,
    ResultEntry,
)

__all__ = ["ReplyKind", "ReplyWork", "add_reply_states"]


class ReplyKind(enum.Enum, shape=2):
    """Kinds of replies, in fewer bits than `FrameType`."""

    DONE = 0
    WORDS = 1
    RESULT = 2
    REFUSED = 3


class ReplyWork:
    """What requests and replies have in hand; they take turns.

    Parameters
    ----------
    winner
        As wide as a class.
    in_flight
        Most samples in the accelerator at a time.
    """

    def __init__(self, *, winner: Any, in_flight: int) -> None:
        #: Of the request.
        self.header = Signal(FrameHeader)
        #: Bytes of a structure, in or out.
        self.count = Signal(3)
        #: Arguments shift in from the top; words that were read shift out from place 8.
        self.argument = Signal(40)
        self.number = self.argument[8:]
        #: Of registers.
        self.address, self.words = Signal(6), Signal(8)
        #: In the accelerator; their sequence numbers, oldest first.
        self.samples = Signal(range(in_flight + 1))
        self.sequences = Signal(8), Signal(8)
        self.kind = Signal(ReplyKind)
        self.reason = Signal(RefusalReason, init=RefusalReason.TYPE)
        self.winner = Signal.like(winner)
        self.is_measured = Signal()
        #: The answer is one after a step.
        self.is_running = Signal()


def add_reply_states(m: Module, *, ports: Any, work: ReplyWork) -> None:
    """Add the states from ``HEAD`` on to the FSM that is being made; they end in ``IDLE``.

    Parameters
    ----------
    m
        Module, within its FSM.
    ports
        The `hw.link.frame_processor.FrameProcessor`.
    work
        Its ``kind`` and what belongs to it are set, ``count`` is 0.
    """
    record = ports.i_record.p
    count, address, words, samples = work.count, work.address, work.words, work.samples
    header, sequences, number = work.header, work.sequences, work.number
    is_stepwise = "votes" in record.shape().members
    is_result = work.kind == ReplyKind.RESULT
    code = Signal(FrameType, init=FrameType.DONE)
    reply_length = Signal(16)
    # What comes in at the top never comes out.
    shift_argument = work.argument.eq(Cat(work.argument[8:], ports.i.p.data))

    with m.State("HEAD"):
        with m.Switch(work.kind):
            with m.Case(ReplyKind.DONE):
                m.d.comb += code.eq(FrameType.DONE)
            with m.Case(ReplyKind.WORDS):
                m.d.comb += [code.eq(FrameType.WORDS), reply_length.eq(words << 2)]
            with m.Case(ReplyKind.RESULT):
                entries = ports.classes + 1
                assert size_of(ResultEntry) == size_of(ResultEnd) == 6
                assert size_of(CommitteeEntry) == size_of(ResultEntry)
                m.d.comb += [
                    code.eq(Mux(work.is_running, FrameType.RUNNING, FrameType.RESULT)),
                    reply_length.eq((entries << 2) + (entries << 1)),
                ]
            with m.Case(ReplyKind.REFUSED):
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
            ports.o.valid.eq(1),
            ports.o.p.data.eq(head[count[:2]]),
            ports.o.p.last.eq((count == HEADER_BYTES - 1) & (work.kind == ReplyKind.DONE)),
        ]
        with m.If(ports.o.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(count == HEADER_BYTES - 1):
                m.d.sync += count.eq(0)
                with m.Switch(work.kind):
                    with m.Case(ReplyKind.WORDS):
                        m.next = "FETCH"
                    with m.Case(ReplyKind.RESULT):
                        m.next = "RECORD"
                    with m.Case(ReplyKind.REFUSED):
                        m.next = "REASON"
                    with m.Default():
                        m.next = "IDLE"

    with m.State("REASON"):
        m.d.comb += [
            ports.o.valid.eq(1),
            ports.o.p.data.eq(Mux(count[0], ports.load_error, work.reason)),
            ports.o.p.last.eq(count[0]),
        ]
        with m.If(ports.o.ready):
            m.d.sync += count.eq(1)
            with m.If(count[0]):
                m.next = "IDLE"

    with m.State("FETCH"):
        # The address stood for a cycle before this one only if this is the second here.
        m.d.sync += [
            count.eq(count + 1),
            number.eq(Mux(is_result & ~work.is_measured, 0, ports.bus.read_data)),
        ]
        with m.If(count == 1):
            m.d.sync += [count.eq(0), address.eq(address + 1), words.eq(words - 1)]
            m.next = "WORD"

    with m.State("WORD"):
        m.d.comb += [
            ports.o.valid.eq(1),
            ports.o.p.data.eq(number[:8]),
            ports.o.p.last.eq((count == 3) & (words == 0)),
        ]
        with m.If(ports.o.ready):
            # What comes in at the top never comes out.
            m.d.sync += [shift_argument, count.eq(count + 1)]
            with m.If(count == 3):
                m.d.sync += count.eq(0)
                m.next = "FETCH"
                with m.If(words == 0):
                    m.next = "IDLE"

    with m.State("RECORD"):
        if is_stepwise:
            entry = Signal(CommitteeEntry)
            m.d.comb += entry.votes.eq(record.votes)
        else:
            entry = Signal(ResultEntry)
            m.d.comb += entry.step.eq(Mux(record.fired, record.step, SILENT))
        m.d.comb += entry.score.eq(record.score)
        with m.If(~ports.running):
            # The network has gone, and its records too. No host takes a frame that is too short.
            m.d.comb += [ports.o.valid.eq(1), ports.o.p.last.eq(1)]
            with m.If(ports.o.ready):
                m.next = "IDLE"
        with m.Else():
            m.d.comb += [
                ports.o.valid.eq(ports.i_record.valid),
                ports.o.p.data.eq(entry.as_value().word_select(count, 8)),
            ]
            with m.If(ports.i_record.valid & ports.o.ready):
                m.d.sync += count.eq(count + 1)
                with m.If(count == size_of(ResultEntry) - 1):
                    m.d.comb += ports.i_record.ready.eq(1)
                    m.d.sync += [count.eq(0), work.winner.eq(record.winner)]
                    with m.If(record.last):
                        m.next = "WINNER"

    with m.State("WINNER"):
        m.d.comb += [
            ports.o.valid.eq(1),
            ports.o.p.data.eq(Cat(work.winner, Const(0, 16)).word_select(count[0], 8)),
        ]
        with m.If(ports.o.ready):
            m.d.sync += count.eq(1)
            with m.If(count[0]):
                m.d.sync += [
                    address.eq(register_address("latency") // 4),
                    words.eq(1),
                    count.eq(0),
                ]
                with m.If(~work.is_running):
                    m.d.sync += [samples.eq(samples - 1), sequences[0].eq(sequences[1])]
                m.next = "FETCH"
