# SPDX-License-Identifier: Apache-2.0
"""The Legendre memory: one multiplier that walks up and down the states for every input value."""

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import index_bits
from hw.design.memory_design import MemoryDesign
from hw.parts.clamped import clamped
from hw.parts.row_memory import RowMemory

__all__ = ["LegendreMemory", "input_layout", "memory_state_layout", "write_delay"]

# Cycles between the last row that is walked and the first one on the way back, and between the
# last one and the next input value.
_TURN = 4
_DRAIN = 7


def input_layout(memory: MemoryDesign) -> data.StructLayout:
    """An input value: ``value`` (signed), ``first_step`` (of its sample: the states before it are
    0), ``first_channel``. The channels of a step follow each other."""
    return data.StructLayout(
        {"value": signed(memory.input_bits), "first_step": 1, "first_channel": 1}
    )


def memory_state_layout(memory: MemoryDesign) -> data.StructLayout:
    """A state that is being written: ``valid``, ``row`` (``channel * q + i``), ``value``."""
    return data.StructLayout(
        {"valid": 1, "row": index_bits(memory.states), "value": signed(memory.state_bits)}
    )


def write_delay(memory: MemoryDesign, order: int, index: int) -> int:
    """Cycles from the taking of an input value to the writing of state ``index`` of its channel."""
    return memory.cycles(order) - 1 - index


class LegendreMemory(wiring.Component):
    """States of some channels, which an input value moves on by one step.

    As ``model/legendre_step.py`` says::

        c_i = (-1)^i * (((2i + 1) * u * input_scale + 2^(E-1)) >> E)
        b_i = sat_W((m_i << (G + 1)) + c_i - ((g_{i-1} + 1) >> 1))
        g_i = sat_V((k_i * b_i + 2^(C-1)) >> C)
        r_i = sat_W(g_i + ((k_i * r_{i+1} + 2^C) >> (C + 1)))
        m_i <- sat_B((((r_{i-1} - r_{i+1}) + 2^G) >> (G + 1)) - m_i)

    Both passes are the same loop of one cycle an element::

        x (m_i and c_i, or g_i) --> [+] --> sat_W --> b_i or r_i --> [* k] --> halved --+
                                     ^                                                  |
                                     +--------------------------------------------------+

    In ``halved`` the product of the forward pass stands complemented, and the carry of the sum
    makes up for it and rounds: ``(g + 1) >> 1`` is the product shifted by C + 1 and rounded up from
    a quarter. No product leaves V, so that nothing is clamped behind the multiplier: it is less
    than ``2^(W-1) * 2^(C+1)``.

    An input value takes ``MemoryDesign.cycles(q)`` = 2 q + 21 cycles: one to take it, 9 to
    multiply it by its scale, q to walk up, 4 to turn, q to walk back, 7 until the last state is
    written.

    Parameters
    ----------
    memory
        Capacity and widths.
    initial
        Coefficients at power-up, see `hw.parts.row_memory.RowMemory`.

    Members
    -------
    i : In(stream of input_layout)
        Input values.
    order, input_scale : In
        q of the network, and the scale for this gateware; stable.
    write_enable : In(1), write_row : In, write_data : In
        Writes a coefficient, of C + 1 bits.
    read_row : In, read_data : Out(signed(B))
        While an input value could be taken: the state whose row stood there one cycle before.
    state : Out(memory_state_layout)
        Each state when it is written.
    """

    def __init__(self, *, memory: MemoryDesign, initial: Sequence[int] | None = None) -> None:
        self._initial = initial
        self._memory = memory
        rows = index_bits(memory.states)
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(memory))),
                "order": In(range(memory.order + 1)),
                "input_scale": In(memory.scale_bits),
                "write_enable": In(1),
                "write_row": In(index_bits(memory.order)),
                "write_data": In(memory.coefficient_bits + 1),
                "read_row": In(rows),
                "read_data": Out(signed(memory.state_bits)),
                "state": Out(memory_state_layout(memory)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        memory = self._memory
        width, guard = memory.multiplicand_bits, memory.guard_bits
        bits = memory.coefficient_bits
        index_shape = range(memory.order + 1)

        m.submodules.states = states = RowMemory(rows=memory.states, row_bits=memory.state_bits)
        m.submodules.coefficients = coefficients = RowMemory(
            rows=memory.order, row_bits=bits + 1, initial=self._initial
        )
        m.submodules.forward = forward = RowMemory(rows=memory.order, row_bits=memory.forward_bits)

        # Phases.
        resting, walking, returning = Signal(), Signal(), Signal()
        backward = Signal()  # the loop runs down
        index = Signal(index_shape)  # coefficient that is fetched
        index_before = Signal(index_shape)
        row, next_row = Signal.like(self.read_row), Signal.like(self.read_row)
        final_index = Signal(index_shape)
        left = Signal(range(max(memory.input_bits, _TURN, _DRAIN)))
        is_first_step = Signal()
        fetching = Signal()  # a coefficient, and on the way back a forward value
        loaded, looping, looped = Signal(), Signal(), Signal()
        m.d.sync += [
            final_index.eq(self.order - 2),
            index_before.eq(index),
            loaded.eq(fetching),
            looping.eq(loaded),
            looped.eq(looping),
            left.eq(left - 1),
        ]
        walked = Signal()
        m.d.sync += walked.eq(walking)
        m.d.comb += fetching.eq(walked | returning)
        with m.If(walked):
            m.d.sync += index.eq(index + 1)
        with m.FSM():
            with m.State("REST"):
                m.d.comb += [self.i.ready.eq(1), resting.eq(1)]
                m.d.sync += [left.eq(memory.input_bits - 1), index.eq(0), backward.eq(0)]
                with m.If(self.i.valid):
                    m.d.sync += [
                        row.eq(Mux(self.i.p.first_channel, 0, next_row)),
                        is_first_step.eq(self.i.p.first_step),
                    ]
                    m.next = "SCALE"
            with m.State("SCALE"):
                with m.If(left == 0):
                    m.next = "WALK"
            with m.State("WALK"):
                m.d.comb += walking.eq(1)
                m.d.sync += [row.eq(row + 1), left.eq(_TURN - 1)]
                with m.If(walked & (index == final_index)):
                    m.next = "TURN"
            with m.State("TURN"):
                m.d.sync += next_row.eq(row)
                # It came to rest one behind the last coefficient.
                with m.If(left[1:] == 0):
                    m.d.sync += index.eq(index - 1)
                with m.If(left == 0):
                    m.d.sync += backward.eq(1)
                    m.next = "RETURN"
            with m.State("RETURN"):
                m.d.comb += returning.eq(1)
                m.d.sync += [index.eq(index - 1), left.eq(_DRAIN - 1)]
                with m.If(index_before == 0):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(left == 0):
                    m.next = "REST"

        state = Signal(signed(memory.state_bits))
        m.d.comb += [
            states.read_row.eq(Mux(resting, self.read_row, row)),
            coefficients.read_row.eq(index),
            forward.read_row.eq(index_before),
            self.read_data.eq(states.read_data),
            # Memories have no start value.
            state.eq(Mux(is_first_step, 0, states.read_data)),
            coefficients.write_enable.eq(self.write_enable),
            coefficients.write_row.eq(self.write_row),
            coefficients.write_data.eq(self.write_data),
        ]
        entry = self._add_input(m, resting=resting, walking=walking, walked=walked, state=state)

        # The loop.
        x = Signal(signed(memory.forward_bits))
        # Without a reset it fits into the multiplier.
        coefficient = Signal(unsigned(bits + 1), reset_less=True)
        m.d.sync += [
            coefficient.eq(coefficients.read_data),
            x.eq(Mux(backward, forward.read_data.as_signed(), entry)),
        ]
        halved, carry = Signal(signed(width)), Signal()
        half, quarter = Signal(), Signal()  # the two highest bits below it
        term = Signal(signed(width))
        product = Signal(signed(width + bits + 1))
        m.d.comb += [
            term.eq(clamped(_sum(x, halved, carry), signed(width))),
            # Less than 2^(W-1) * 2^(C+1).
            product.eq(term * coefficient),
        ]
        m.d.sync += [
            halved.eq(0),
            carry.eq(0),
            half.eq(product[bits]),
            quarter.eq(product[bits - 1]),
        ]
        with m.If(looping):
            m.d.sync += [
                halved.eq(product[bits + 1 :] ^ (~backward).replicate(width)),
                carry.eq(Mux(backward, product[bits], ~(product[bits] | product[bits - 1]))),
            ]
        passed = Signal(range(memory.order))
        whole = Cat(half, ~halved).as_signed()
        m.d.comb += [
            forward.write_enable.eq(looped & ~backward),
            forward.write_row.eq(passed),
            forward.write_data.eq(whole + quarter),
        ]
        with m.If(resting):
            m.d.sync += passed.eq(0)
        with m.Elif(looped):
            m.d.sync += passed.eq(passed + 1)

        # New states, one behind the loop: r_{i-1} is the newest.
        newest, middle, oldest = (Signal(signed(width), name=f"r{age}") for age in range(3))
        with m.If(looping):
            m.d.sync += newest.eq(term)
        m.d.sync += [middle.eq(newest), oldest.eq(middle)]
        updating, again, settled, writing = (
            Signal(name=name) for name in ("updating", "again", "settled", "writing")
        )
        is_top = Signal()
        change = Signal(signed(width + 1))
        rounded = Signal(signed(width - guard + 1))
        moved = Signal(signed(width - guard + 2))
        again_row, write_row = Signal.like(row), Signal.like(row)
        m.d.comb += is_top.eq(updating & ~again)
        m.d.sync += [
            updating.eq(looped & backward),
            again.eq(updating),
            settled.eq(again),
            writing.eq(settled),
            change.eq(_sum(newest, Mux(is_top, middle, ~oldest), ~is_top)),
            rounded.eq((change >> guard + 1) + change[guard]),
            moved.eq(rounded - state),
            again_row.eq(row),
            write_row.eq(again_row),
        ]
        with m.If(updating):
            m.d.sync += row.eq(row - 1)
        m.d.comb += [
            self.state.valid.eq(writing),
            self.state.row.eq(write_row),
            self.state.value.eq(clamped(moved, signed(memory.state_bits))),
            states.write_enable.eq(writing),
            states.write_row.eq(write_row),
            states.write_data.eq(self.state.value),
        ]
        return m

    def _add_input(
        self, m: Module, *, resting: Value, walking: Value, walked: Value, state: Value
    ) -> Value:
        """``(m_i << (G + 1)) + c_i``, two cycles after row i was walked; what is cut off would be
        cut off behind the next sum anyway."""
        memory = self._memory
        # Digit by digit of u, the highest first: it counts negative. Then once more, for 2 u.
        digits = Signal(memory.input_bits)
        is_sign = Signal()
        product = Signal(signed(memory.product_bits))
        gained = Cat(self.input_scale & digits[-1].replicate(memory.scale_bits), 0)
        m.d.sync += [digits.eq(digits << 1), is_sign.eq(resting)]
        with m.If(~walked):
            m.d.sync += product.eq(_sum(product << 1, _flipped(gained, is_sign), is_sign))
        with m.If(resting):
            m.d.sync += [digits.eq(self.i.p.value), product.eq(0)]
        # (2i + 1) u: u first, then 2 u more for every state.
        term = Signal(signed(memory.term_bits))
        with m.If(walking):
            m.d.sync += term.eq(term + product)
        with m.Else():
            m.d.sync += term.eq(0)
        is_odd = Signal()
        m.d.sync += is_odd.eq(walked & ~is_odd)
        whole, rest = term >> memory.input_shift, term[memory.input_shift - 1]
        total = _sum(state << memory.guard_bits + 1, _flipped(whole, is_odd), rest ^ is_odd)
        entry = Signal(total.shape())
        m.d.sync += entry.eq(total)
        return clamped(entry, signed(memory.forward_bits))


def _flipped(value: Value, flips: Value) -> Value:
    """The value, or its complement."""
    return (value.as_unsigned() ^ flips.replicate(len(value))).as_signed()


def _sum(left: Value, right: Value, carry: Value) -> Value:
    """Sum of two signed numbers and a bit, in one carry chain."""
    total = Cat(carry, left).as_signed() + Cat(carry, right).as_signed()
    return (total >> 1).as_signed()
