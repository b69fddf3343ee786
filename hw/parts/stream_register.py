# SPDX-License-Identifier: Apache-2.0
"""A place for one payload, which cuts every path between two streams."""

from amaranth import Module, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamRegister"]


class StreamRegister(wiring.Component):
    """Holds one payload; `valid`, `ready` and payload all come from flip-flops.

    A payload taken in one cycle is offered in the next, and another one is taken after it has
    left: a transfer takes two cycles.

    Parameters
    ----------
    shape
        Of the payload.

    Members
    -------
    i : In(stream of shape), o : Out(stream of shape)
        Source and sink.
    """

    def __init__(self, *, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def latency(self) -> int:
        """Cycles from a payload's acceptance to its offer."""
        return 1

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full), self.o.valid.eq(full)]
        with m.If(~full):
            m.d.sync += [self.o.payload.eq(self.i.payload), full.eq(self.i.valid)]
        with m.Elif(self.o.ready):
            m.d.sync += full.eq(0)
        return m
