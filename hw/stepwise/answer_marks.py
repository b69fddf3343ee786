# SPDX-License-Identifier: Apache-2.0
"""Which answers are only running ones: a mark that each evaluation leaves for its answer."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import index_bits
from hw.legendre.series_source import EVALUATION

__all__ = ["AnswerMarks"]


class AnswerMarks(wiring.Component):
    """Keeps the marks of the evaluations that are between the memory and the readout, in order.

    Parameters
    ----------
    in_flight
        Most evaluations between them.

    Members
    -------
    evaluation : In(EVALUATION)
        One begins.
    answered : In(1)
        The last record of the oldest one's answer is taken.
    running : Out(1)
        Mark of the oldest one.
    """

    def __init__(self, *, in_flight: int) -> None:
        self._in_flight = in_flight
        super().__init__({"evaluation": In(EVALUATION), "answered": In(1), "running": Out(1)})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        marks = Signal(1 << index_bits(self._in_flight))  # the newest lowest
        oldest = Signal(range(len(marks)), init=len(marks) - 1)
        m.d.comb += self.running.eq(marks.bit_select(oldest, 1))
        with m.If(self.evaluation.valid):
            m.d.sync += marks.eq(Cat(self.evaluation.running, marks))
        m.d.sync += oldest.eq(oldest + self.evaluation.valid - self.answered)
        return m
