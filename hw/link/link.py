# SPDX-License-Identifier: Apache-2.0
"""The bytes of any link to the ports of an accelerator."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design.design import Design
from hw.formats.register_map import ErrorFlags
from hw.link.accelerator_ports import STATUS_PORTS, accelerator_ports
from hw.link.cobs_decoder import CobsDecoder
from hw.link.cobs_encoder import CobsEncoder
from hw.link.frame_processor import FrameProcessor
from hw.link.frame_receiver import FrameReceiver
from hw.link.frame_sender import FrameSender
from hw.link.packets import buffer_depth, check_link, reply_depth
from hw.parts.byte_beat import ByteBeat
from hw.parts.stream_register import StreamRegister

__all__ = ["Link"]


class Link(wiring.Component):
    """Requests in, replies out; the same bytes over UART, USB, SPI or a socket.

    ::

        i > CobsDecoder > FrameReceiver > FrameProcessor > FrameSender > CobsEncoder > o
                           (CRC checked)   |          ^     (CRC added)
                                       accelerator's ports

    Bytes at ``i`` are always taken.

    Parameters
    ----------
    design
        Of the accelerator.
    divisor, slots
        As of `hw.link.frame_processor.FrameProcessor`.
    whole_frames
        As of `hw.link.cobs_encoder.CobsEncoder`.

    Members
    -------
    i, o : stream of 8 bits
        The line.
    quiet : In(1)
        No byte taken from ``o`` is still being sent.
    accepted : Out(1)
        A good frame came in.
    o_network, o_sample, i_record, bus, running, load_error, sample_values, classes, needs_seed,
    measured
        To and from the ports of `hw.accelerator.Accelerator` with these names.
    restart, choose : Out(1), chosen : Out
        As of `hw.link.frame_processor.FrameProcessor`.
    errors : Out(ErrorFlags)
        What went wrong in this cycle.

    Raises
    ------
    ValueError
        If samples are spike words.
    """

    def __init__(
        self, *, design: Design, divisor: int = 0, slots: int = 0, whole_frames: bool = False
    ) -> None:
        self._design = check_link(design)
        self._divisor, self._slots = divisor, slots
        self._whole_frames = whole_frames
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "quiet": In(1),
                "accepted": Out(1),
                **accelerator_ports(design),
                "restart": Out(1),
                "choose": Out(1),
                "chosen": Out(range(divisor + 1)),
                "errors": Out(ErrorFlags),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.receiver = receiver = FrameReceiver(depth=buffer_depth(design))
        m.submodules.processor = processor = FrameProcessor(
            design=design, divisor=self._divisor, slots=self._slots
        )
        m.submodules.sender = sender = FrameSender()
        m.submodules.encoder = encoder = CobsEncoder(
            depth=reply_depth(design) if self._whole_frames else 512,
            whole_frames=self._whole_frames,
        )

        connect(m, flipped(self.i), decoder.i)
        connect(m, decoder.o, receiver.i)
        connect(m, receiver.o, processor.i)
        # These cut the paths from a record through reply, CRC and encoder, and back.
        m.submodules.reply = reply = StreamRegister(shape=ByteBeat)
        connect(m, processor.o, reply.i)
        connect(m, reply.o, sender.i)
        m.submodules.framed = framed = StreamRegister(shape=ByteBeat)
        connect(m, sender.o, framed.i)
        connect(m, framed.o, encoder.i)
        connect(m, encoder.o, flipped(self.o))
        connect(m, processor.o_network, flipped(self.o_network))
        connect(m, processor.o_sample, flipped(self.o_sample))
        connect(m, flipped(self.i_record), processor.i_record)
        connect(m, processor.bus, flipped(self.bus))
        m.d.comb += [
            *(getattr(processor, name).eq(getattr(self, name)) for name in STATUS_PORTS),
            processor.quiet.eq(self.quiet & encoder.quiet),
            self.restart.eq(processor.restart),
            self.choose.eq(processor.choose),
            self.chosen.eq(processor.chosen),
            self.accepted.eq(receiver.accepted),
            self.errors.frame.eq(receiver.frame_error),
            self.errors.overrun.eq(receiver.overrun),
            self.errors.request.eq(processor.refused),
        ]
        return m
