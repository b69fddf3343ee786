# SPDX-License-Identifier: Apache-2.0
"""Events of a camera to spike words, step by step."""

from amaranth import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.spike_word import event_beat, spike_word

__all__ = ["Rasteriser"]


class Rasteriser(wiring.Component):
    """Sets the inputs that events hit, and sends those of a step when a later event comes.

    As ``model/encoding.py`` says of `EventEncoding`: an event belongs to step ``time // bin_us``;
    events outside the crop, or after the last step, are left out; several events of one input in
    one step are one spike. Times never fall within a sample.

    ::

        event > place in the crop > input number > row of S inputs, set
                                                        |  first of its row: listed
        end of a step: list > row, cleared > word

    An event takes 6 cycles, one that is left out 4. A step that ends in between takes 5 cycles for
    each of its words and 3 more, or 5 where it is silent; words of a step come in the order in
    which their rows were first hit. The last beat of a sample ends all steps that are left, each in
    2 cycles less, and takes one cycle more. After a reset the rows are cleared, one a cycle,
    before anything is taken.

    Parameters
    ----------
    design
        Its ``events`` say what happens to an event; S is a power of two.

    Members
    -------
    i : In(stream of event_beat)
        Samples, each in order of time.
    o : Out(stream of spike_word)
        Words of every step.
    last_step : In
        T - 1.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "i": In(stream.Signature(event_beat(design))),
                "o": Out(stream.Signature(spike_word(design, 0))),
                "last_step": In(design.step_bits),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design, encoding, layer = self._design, self._design.events, self._design.layers[0]
        channels, rows, columns = encoding.shape
        width, groups = layer.inputs_per_cycle, layer.groups
        bits = index_bits(groups)

        m.submodules.spikes = spikes = memory.Memory(shape=width, depth=1 << bits, init=[])
        m.submodules.hits = hits = memory.Memory(shape=bits, depth=1 << bits, init=[])
        row_write, row_read = spikes.write_port(), spikes.read_port()
        list_write, list_read = hits.write_port(), hits.read_port()

        event = Signal(event_beat(design))
        step, count, listed = Signal(design.step_bits), Signal(bits + 1), Signal(bits)
        over = Signal()  # all steps have been sent
        closing = Signal()  # the last beat has been dealt with
        bound = Signal(len(event.time) + 1, init=encoding.bin_us)  # of the step
        is_later, is_inside = Signal(), Signal()
        row, column = Signal(range(max(2, rows))), Signal(range(max(2, columns)))
        number = Signal(range(max(2, channels * rows * columns, groups * width)))
        group, place = number[(width - 1).bit_length() :][:bits], number[: (width - 1).bit_length()]
        kept, silent, final_word, final_step = Signal(width), Signal(), Signal(), Signal()
        m.d.sync += [
            final_word.eq(listed + 1 == count),
            final_step.eq(step == self.last_step),
            silent.eq(count == 0),
        ]
        left, top = event.x - encoding.left, event.y - encoding.top
        hit = Signal(width)
        m.d.comb += [
            hit.eq(1 << place if width > 1 else 1),
            row_read.addr.eq(group),
            row_write.addr.eq(group),
            list_read.addr.eq(listed),
            list_write.addr.eq(count),
            list_write.data.eq(group),
            self.o.p.group.eq(group),
            self.o.p.spikes.eq(kept),
            self.o.p.end_of_step.eq(final_word | silent),
            self.o.p.last.eq((final_word | silent) & final_step),
        ]
        leave = Signal()  # the last word of a step is being taken
        with m.FSM():
            with m.State("CLEAR"):
                m.d.comb += row_write.en.eq(1)
                m.d.sync += number.eq(number + width)
                with m.If(group == groups - 1):
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += event.eq(self.i.p)
                with m.If(self.i.valid):
                    m.next = "PLACE"
            with m.State("PLACE"):
                inside = (left >= 0) & (left < encoding.crop_width)
                inside &= (top >= 0) & (top < encoding.crop_height)
                m.d.sync += [
                    is_later.eq(event.time >= bound),
                    is_inside.eq(event.present & inside),
                    # Of events inside, neither is negative.
                    column.eq(left >> encoding.shift),
                    row.eq(top >> encoding.shift),
                ]
                m.next = "DECIDE"
            with m.State("DECIDE"):
                line = row if channels == 1 else row + event.polarity * rows
                m.d.sync += number.eq(line * columns + column)
                with m.If(~over & is_later & event.present):
                    m.next = "STEP"
                with m.Elif(~over & is_inside):
                    m.next = "READ"
                with m.Else():
                    m.next = "CLOSE"
            with m.State("READ"):
                m.next = "SET"
            with m.State("SET"):
                m.d.comb += [
                    row_write.en.eq(1),
                    row_write.data.eq(row_read.data | hit),
                    list_write.en.eq(row_read.data == 0),
                ]
                m.d.sync += count.eq(count + (row_read.data == 0))
                m.next = "CLOSE"
            with m.State("CLOSE"):
                m.next = "TAKE"
                with m.If(event.last):
                    # All steps that are left end here.
                    m.d.sync += closing.eq(~over)
                    m.next = "END"
                    with m.If(~over):
                        m.next = "STEP"
            with m.State("END"):
                m.d.sync += [over.eq(0), closing.eq(0), bound.eq(encoding.bin_us)]
                m.next = "TAKE"

            with m.State("STEP"):
                m.d.sync += kept.eq(0)
                m.next = "LIST"
                with m.If(silent):
                    m.next = "OFFER"
            with m.State("LIST"):
                m.d.sync += number.eq(list_read.data << (width - 1).bit_length())
                m.next = "ROW"
            with m.State("ROW"):
                m.next = "KEEP"
            with m.State("KEEP"):
                m.d.comb += row_write.en.eq(1)
                m.d.sync += kept.eq(row_read.data)
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += listed.eq(listed + 1)
                    m.d.comb += leave.eq(self.o.p.end_of_step)
                    m.next = "NEXT"
                    with m.If(leave):
                        m.next = "LEFT"
            with m.State("NEXT"):
                m.next = "LIST"
            with m.State("LEFT"):
                # The event that ended the step is looked at again.
                m.next = "PLACE"
                with m.If(closing):
                    m.next = "STEP"
                    with m.If(over):
                        m.next = "END"
        with m.If(leave):
            m.d.sync += [
                listed.eq(0),
                count.eq(0),
                step.eq(step + 1),
                bound.eq(bound + encoding.bin_us),
            ]
            with m.If(final_step):
                m.d.sync += [step.eq(0), over.eq(1)]
        return m
