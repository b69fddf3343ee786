# SPDX-License-Identifier: Apache-2.0
"""States of a Legendre memory to spike words, as small integers in bit planes."""

from collections.abc import Sequence

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.clamped import clamped
from hw.parts.row_memory import RowMemory
from hw.parts.spike_word import spike_word

__all__ = ["StateReader", "group_cycles"]

# Cycles from the last row of a group to its first word.
_STAGES = 5


def group_cycles(design: Design) -> int:
    """Cycles of a group of S states, if each of its words is taken at once."""
    return design.layers[0].inputs_per_cycle + _STAGES - 1 + design.memory.emission_bits


class StateReader(wiring.Component):
    """Reads all states R times, each time with another rounding offset, and sends what it reads.

    As ``model/legendre_step.py`` and ``LegendreMemory.read_offsets`` say, in read r::

        n_i = sat_b((m_i + ((2r + 1) * 2^shift_i) // (2R)) >> shift_i)

    The offset is a fixed number of fractions of the step ``2^shift_i``, so that it is added behind
    the shift: ``log2(R) + 1`` bits more are kept for it.

    A group of S states is read one state a cycle; the first word may leave 5 cycles after the last
    of them was asked for. Then one cycle a bit plane, the lowest first, a word for each that has
    set bits. The last plane of a read always has a word, which ends the step. So a group takes
    `group_cycles` = S + 4 + b cycles, an evaluation R * groups times as many, the first group's
    first row one cycle after ``start``.

    Parameters
    ----------
    design
        Capacity; its first layer takes the words.
    initial
        Emission shifts at power-up, see `hw.parts.row_memory.RowMemory`.

    Members
    -------
    start : In(1)
        Begin to read; not while reading.
    states, reads : In
        How many, and how often; stable.
    write_enable : In(1), write_row : In, write_data : In
        Writes an emission shift.
    read_row : Out, read_data : In(signed(B))
        The state whose row stood there one cycle before.
    o : Out(stream of spike_word)
        A step for each read, ``last`` with the last of them.
    done : Out(1)
        The last word is being taken.
    """

    def __init__(self, *, design: Design, initial: Sequence[int] | None = None) -> None:
        self._initial = initial
        self._design = design
        memory = design.memory
        rows = index_bits(memory.states)
        super().__init__(
            {
                "start": In(1),
                "states": In(range(memory.states + 1)),
                "reads": In(range(memory.reads + 1)),
                "write_enable": In(1),
                "write_row": In(rows),
                "write_data": In(memory.shift_bits),
                "read_row": Out(rows),
                "read_data": In(signed(memory.state_bits)),
                "o": Out(stream.Signature(spike_word(design, 0))),
                "done": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        memory, width = self._design.memory, self._design.layers[0].inputs_per_cycle
        bits, finest = memory.emission_bits, 2 * memory.reads
        fraction = finest.bit_length() - 1

        # Which row; a group is filled up with zeros.
        row = Signal(range(memory.states + width + 1))
        place = Signal(range(max(2, width)))
        group = Signal.like(self.o.p.group)
        read, final_read = Signal.like(self.reads), Signal.like(self.reads)
        asking, is_final = Signal(), Signal()  # the last group of a read
        m.d.sync += [final_read.eq(self.reads - 1), is_final.eq(row >= self.states)]
        m.submodules.shifts = shifts = RowMemory(
            rows=memory.states, row_bits=memory.shift_bits, initial=self._initial
        )
        m.d.comb += [
            self.read_row.eq(row),
            shifts.read_row.eq(row),
            shifts.write_enable.eq(self.write_enable),
            shifts.write_row.eq(self.write_row),
            shifts.write_data.eq(self.write_data),
        ]

        # State and shift; shifted by a multiple of 4; shifted; with its offset; in its group.
        asked, present = Signal(_STAGES - 1), Signal(_STAGES - 1)
        shape = signed(memory.state_bits + fraction)
        coarse, shifted = Signal(shape), Signal(shape)
        fine = Signal(2)
        total = Signal(signed(shape.width + 1))
        offset, growth = Signal(range(finest)), Signal(range(finest + 1))
        numbers = Signal(width * bits)  # the first state's lowest bit lowest
        shift, number = shifts.read_data, Signal(signed(bits))
        with m.If(present[-1]):
            m.d.comb += number.eq(clamped(total >> fraction, signed(bits)))
        m.d.comb += growth.eq(Cat(0, reversed(list(self.reads))))
        m.d.sync += [
            asked.eq(Cat(asking, asked)),
            present.eq(Cat(row < self.states, present)),
            coarse.eq((self.read_data << fraction) >> Cat(0, 0, shift[2:])),
            fine.eq(shift[:2]),
            shifted.eq(coarse >> fine),
            total.eq(shifted + offset),
        ]
        with m.If(asked[-1]):
            m.d.sync += numbers.eq(Cat(numbers, number)[bits:])

        plane = Signal(range(max(2, bits)))
        is_last_plane, sends, advance = Signal(), Signal(), Signal()
        left = Signal(range(_STAGES))
        spikes = numbers[::bits]
        m.d.comb += [
            is_last_plane.eq(plane == bits - 1),
            self.o.p.group.eq(group),
            self.o.p.spikes.eq(spikes),
            self.o.p.plane.eq(plane),
            self.o.p.end_of_step.eq(is_final & is_last_plane),
            self.o.p.last.eq(is_final & is_last_plane & (read == final_read)),
            sends.eq(spikes.any() | self.o.p.end_of_step),
            advance.eq(~sends | self.o.ready),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [row.eq(0), place.eq(0), group.eq(0), read.eq(0)]
                m.d.sync += offset.eq(growth >> 1)
                with m.If(self.start):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += asking.eq(1)
                m.d.sync += [row.eq(row + 1), place.eq(place + 1), left.eq(_STAGES - 2)]
                with m.If(place == width - 1):
                    m.d.sync += place.eq(0)
                    m.next = "ROUND"
            with m.State("ROUND"):
                m.d.sync += [left.eq(left - 1), plane.eq(0)]
                with m.If(left == 0):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(sends)
                with m.If(advance):
                    m.d.sync += [plane.eq(plane + 1), numbers.eq(numbers >> 1)]
                    with m.If(is_last_plane):
                        m.d.sync += group.eq(group + 1)
                        m.next = "READ"
                        with m.If(is_final):
                            m.d.sync += [row.eq(0), group.eq(0), read.eq(read + 1)]
                            m.d.sync += offset.eq(offset + growth)
                            with m.If(read == final_read):
                                m.d.comb += self.done.eq(1)
                                m.next = "IDLE"
        return m
