# SPDX-License-Identifier: Apache-2.0
"""One lane: the popcount and the membrane register of one neuron."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design import LayerDesign

__all__ = ["Lane", "lane_latency"]


def lane_latency(layer: LayerDesign) -> int:
    """Cycles from a word at a lane to its potential: 1, or 2 where the popcount has a stage."""
    return 1 if layer.inputs_per_cycle == 1 else 2


class Lane(wiring.Component):
    """Adds the weights of the inputs that spike to a membrane that starts at ``-threshold``.

    The sum of a word is ``2 * popcount(spikes AND weights) - popcount(spikes)``, in -S..S
    (``model/golden.py``: weight bit 1 is +1, 0 is -1). No comparator: the neuron has reached its
    threshold while the sign bit is 0.

    Parameters
    ----------
    layer
        Gives S and the width of the potential, which no partial sum can exceed.

    Members
    -------
    bits : In(S)
        The lane's part of the memory row: weights, or a digit of the start value.
    spikes : In(S)
        Spikes of the word; 0 to leave the potential as it is.
    load : In(1)
        Shift the digit into the potential (most significant digit first) instead of adding.
    first_digit : In(1)
        With ``load``: the digit is the first one, and is sign-extended.
    potential : Out(signed(potential_bits))
        ``V - threshold``. A word changes it ``latency`` cycles later.
    """

    def __init__(self, *, layer: LayerDesign) -> None:
        self._layer = layer
        width = layer.inputs_per_cycle
        super().__init__(
            {
                "bits": In(width),
                "spikes": In(width),
                "load": In(1),
                "first_digit": In(1),
                "potential": Out(signed(layer.potential_bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a word to the potential, see `lane_latency`."""
        return lane_latency(self._layer)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        width = self._layer.inputs_per_cycle
        if width == 1:
            # +1, -1 or 0 without an adder for the sign: all bits but the lowest are its copies.
            down = Signal()
            m.d.comb += down.eq(self.spikes & ~self.bits)
            change = Cat(self.spikes, down).as_signed()
            digit, load, first_digit = self.bits, self.load, self.first_digit
        else:
            change = Signal(range(-width, width + 1))
            digit = Signal(width)
            load = Signal()
            first_digit = Signal()
            ups = sum((self.spikes & self.bits)[k] for k in range(width))
            count = sum(self.spikes[k] for k in range(width))
            m.d.sync += [
                # 2 * ups - count lies in -width..width.
                change.eq((ups << 1) - count),
                digit.eq(self.bits),
                load.eq(self.load),
                first_digit.eq(self.first_digit),
            ]
        with m.If(load):
            with m.If(first_digit):
                m.d.sync += self.potential.eq(digit.as_signed())
            with m.Else():
                # The digits of a start value, which the potential can hold.
                m.d.sync += self.potential.eq(Cat(digit, self.potential))
        with m.Else():
            # Design.potential_bits bounds every partial sum.
            m.d.sync += self.potential.eq(self.potential + change)
        return m
