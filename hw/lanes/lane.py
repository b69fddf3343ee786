# SPDX-License-Identifier: Apache-2.0
"""One lane: the popcount and the membrane register of one neuron."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import LayerDesign, ceil_div

__all__ = ["Lane", "lane_latency"]


def lane_latency(layer: LayerDesign) -> int:
    """Cycles from a word at a lane to its potential: 1, and 1 more for the popcount of several
    inputs, and for the shift of a bit plane."""
    return 1 + (layer.inputs_per_cycle > 1) + (layer.input_bits > 1)


class Lane(wiring.Component):
    """Adds the weights of the inputs that spike to a membrane that starts at ``-threshold``.

    The sum of a word is ``2 * popcount(spikes AND weights) - popcount(spikes)``, in -S..S
    (``model/golden.py``: weight bit 1 is +1, 0 is -1). No comparator: the neuron has reached its
    threshold while the sign bit is 0.

    One carry chain does it all. With S = 1 it adds ``down`` to every bit, and a carry: 1 and 0 for
    -1, 0 and 1 for +1. While a digit is loaded, ``down`` and carry are the digit, so that every
    other bit keeps its value. With S > 1 the inputs are taken in pairs: a pair adds
    ``2 * half + odd``, where ``half`` (-1..1) is the lane's, and ``odd`` (one spike, not two) is
    the same in all lanes. Of two pairs, one ``odd`` is the operand's lowest bit and one the carry.

    A lane of a stepwise layer keeps the sum of one step: the first word of a step takes the place
    of what was there, instead of adding to it.

    A word of a bit plane counts ``2 ** plane`` times. With S = 1 that needs no shifter: +1 and -1
    become one bit, or that bit and all above it, the same two patterns in all lanes.

    Parameters
    ----------
    layer
        Gives S, bits of an input and the width of the potential, which no partial sum can exceed.

    Members
    -------
    bits : In(S)
        The lane's part of the memory row: weights (inverted where the plane counts negative), or
        a digit of the start value.
    spikes : In(S)
        Spikes of the word; 0 to leave the potential as it is, and while loading.
    load : In(planes)
        Bit p: put ``bits`` in the place of digit p of the start value. Digit 0 is the most
        significant one, and sign-extended. Not in a stepwise layer.
    clear : In(1)
        The word is the first of its step. Only in a stepwise layer.
    plane : In
        Bit plane of the word. Only where inputs have several bits.
    potential : Out(signed(potential_bits))
        ``V - threshold``, or the sum of the step. A word changes it ``latency`` cycles later.
    """

    def __init__(self, *, layer: LayerDesign) -> None:
        self._layer = layer
        width = layer.inputs_per_cycle
        super().__init__(
            {
                "bits": In(width),
                "spikes": In(width),
                **({"clear": In(1)} if layer.is_stepwise else {"load": In(layer.planes)}),
                **({"plane": In(range(layer.input_bits))} if layer.input_bits > 1 else {}),
                "potential": Out(signed(layer.potential_bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a word to the potential, see `lane_latency`."""
        return lane_latency(self._layer)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        layer = self._layer
        if layer.input_bits > 1:
            self._add_planes(m)
            return m
        width, planes = layer.inputs_per_cycle, layer.planes
        bits = len(self.potential)
        # The word beside whose weights something is loaded or cleared.
        control = self.clear if layer.is_stepwise else self.load
        if width == 1:
            down = Signal()
            carry = Signal()
            loads = Const(0, 1) if layer.is_stepwise else self.load.any()
            m.d.comb += [
                down.eq(Mux(self.bits, loads, self.spikes)),
                carry.eq(self.bits & (loads | self.spikes)),
            ]
            digit, operand, carries = down, down.replicate(bits), [carry]
        else:
            control = Signal.like(control)
            digit = Signal(width)
            m.d.sync += [
                control.eq(self.clear if layer.is_stepwise else self.load),
                digit.eq(self.bits),
            ]
            operand, carries = self._pairs(m)
        # The ones below the lowest bit make a carry of the bit beside them. Design.potential_bits
        # bounds every partial sum.
        before = self.potential
        if layer.is_stepwise and width > 2:
            before = Mux(control, 0, self.potential)
        carry = carries.pop() if carries else Const(0, 1)
        total = (Cat(Const(1, 1), before) + Cat(carry, operand).as_signed())[1 : 1 + bits]
        for late in carries:
            total = (total + late)[:bits]
        if layer.is_stepwise:
            if width <= 2:
                # One pair of inputs, or the carry of a single one: the operand is the sum.
                alone = Cat(down | carry, down.replicate(bits)) if width == 1 else operand
                total = Mux(control, alone.as_signed(), total)
            m.d.sync += self.potential.eq(total)
            return m
        for position in range(bits):
            plane = min(position // width, planes - 1)
            within = min(position - plane * width, width - 1)
            m.d.sync += self.potential[position].eq(
                Mux(control[planes - 1 - plane], digit[within], total[position])
            )
        return m

    def _pairs(self, m: Module) -> tuple[Value, list[Value]]:
        """The sum of a word, a cycle later: an operand and carries."""
        halves, carries = [], []
        for pair in range(ceil_div(len(self.spikes), 2)):
            weights = self.bits[2 * pair : 2 * pair + 2]
            spikes = self.spikes[2 * pair : 2 * pair + 2]
            half = Signal(range(-1, 2), name=f"half{pair}")
            odd = Signal(name=f"odd{pair}")
            ups = sum(bit for bit in weights & spikes)
            # Two spikes give -2, 0 or 2; a single one -1 = 2 * -1 + 1 or 1 = 2 * 0 + 1.
            m.d.sync += [half.eq(ups - spikes.any()), odd.eq(spikes.xor())]
            halves.append(half)
            carries.append(odd)
        return Cat(carries.pop(), sum(halves)).as_signed(), carries

    def _add_planes(self, m: Module) -> None:
        """The sum of a step over words of bit planes."""
        width, depth = self._layer.inputs_per_cycle, self._layer.input_bits
        # A word's sum lies in -S..S.
        shifted = Signal(signed(width.bit_length() + depth))
        clear = self.clear
        if width == 1:
            up, down = Signal(depth), Signal(signed(depth + 1))
            m.d.comb += [
                # No plane above the highest.
                up.eq(self.spikes << self.plane),
                down.eq(Cat(up[: place + 1].any() for place in range(depth)).as_signed()),
            ]
            m.d.sync += shifted.eq(Mux(self.bits, up, down))
            stages = 1
        else:
            operand, carries = self._pairs(m)
            plane = Signal.like(self.plane)
            m.d.sync += [plane.eq(self.plane), shifted.eq(sum(carries, operand) << plane)]
            stages = 2
        for number in range(stages):
            before, clear = clear, Signal(name=f"clear{number}")
            m.d.sync += clear.eq(before)
        # Design.potential_bits bounds every partial sum.
        m.d.sync += self.potential.eq(Mux(clear, shifted, self.potential + shifted))
