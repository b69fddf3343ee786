# SPDX-License-Identifier: Apache-2.0
"""The seed in chunks, for all samplers whose layers take as many inputs a cycle."""

from typing import Any

from amaranth import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design import index_bits

__all__ = ["WORD", "SeedFeed"]

#: Bits of a seed, of a generator's state and of its output.
WORD = 32


class SeedFeed(wiring.Component):
    """Counts chunks of S bits of a 32-bit word, highest first, again and again.

    Parameters
    ----------
    width
        S, divides 16.

    Members
    -------
    value : In(32)
        The seed.
    chunk : Out
        Number of the chunk, 0 in the cycle after a reset.
    is_final : Out(1)
        It is the last one of the word.
    seed : Out(S)
        The seed's bits ``31 - S*chunk - S + 1`` to ``31 - S*chunk``.
    """

    def __init__(self, *, width: int) -> None:
        self._width = width
        super().__init__({"value": In(WORD), **self.ports(width, flow=Out)})

    @staticmethod
    def ports(width: int, *, flow: Any) -> dict[str, wiring.Member]:
        """The ports that a sampler shares."""
        return {
            "chunk": flow(index_bits(WORD // width)),
            "is_final": flow(1),
            "seed": flow(width),
        }

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        final = WORD // self._width - 1
        place = (final - self.chunk)[: len(self.chunk)]
        m.d.sync += self.chunk.eq(Mux(self.is_final, 0, self.chunk + 1))
        m.d.comb += [
            self.is_final.eq(self.chunk == final),
            self.seed.eq(self.value.word_select(place, self._width)),
        ]
        return m
