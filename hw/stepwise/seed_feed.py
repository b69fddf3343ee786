# SPDX-License-Identifier: Apache-2.0
"""The seed in chunks, for all samplers whose layers take as many inputs a cycle."""

from typing import Any

from amaranth import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import index_bits

__all__ = ["WORD", "SeedFeed"]

#: Bits of a seed, of a generator's state and of its output.
WORD = 32


class SeedFeed(wiring.Component):
    """Counts the groups of S bits of a 32-bit word down, again and again.

    Parameters
    ----------
    width
        S, divides 16.

    Members
    -------
    value : In(32)
        The seed.
    group : Out
        From 32/S - 1, in the cycle after a reset, down to 0.
    is_final : Out(1)
        It is 0.
    seed : Out(S)
        The seed's bits ``S*group`` to ``S*group + S - 1``.
    """

    def __init__(self, *, width: int) -> None:
        self._width = width
        super().__init__({"value": In(WORD), **self.ports(width, flow=Out)})

    @staticmethod
    def ports(width: int, *, flow: Any) -> dict[str, wiring.Member]:
        """The ports that a sampler shares."""
        return {
            "group": flow(index_bits(WORD // width), init=WORD // width - 1),
            "is_final": flow(1),
            "seed": flow(width),
        }

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.sync += self.group.eq(Mux(self.is_final, WORD // self._width - 1, self.group - 1))
        m.d.comb += [
            self.is_final.eq(self.group == 0),
            self.seed.eq(self.value.word_select(self.group, self._width)),
        ]
        return m
