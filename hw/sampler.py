# SPDX-License-Identifier: Apache-2.0
"""Random bits of the input lines of a layer whose weights are drawn."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.design import LayerDesign, ceil_div, index_bits
from model.sampling import start_state

__all__ = ["Sampler", "draw_cycles"]

_WORD = 32


def draw_cycles(inputs_per_cycle: int, fan_in: int, *, first: bool) -> int:
    """Cycles in which the bits of a member are drawn, the ``first`` of its sample or a later one.

    Three passes over the generator's state for each of its outputs, S bits a cycle; before the
    first output of a sample, a pass that looks for a state of 0, and a cycle to load the seed.
    """
    sweep = _WORD // inputs_per_cycle
    return 3 * sweep * ceil_div(fan_in, _WORD) + (1 + sweep if first else 0)


class Sampler(wiring.Component):
    """Draws a bit for each input line and member, one member ahead (`model.sampling`).

    The state of the generator, xorshift32, goes round a ring, highest bits first, S bits a cycle.
    Each of ``s ^= s << 13``, ``s ^= s >> 17``, ``s ^= s << 5`` is one sweep round it, an XOR for
    each of the S bits: bits not yet swept are the old ones, and those that a right shift asks for,
    already swept, are too high to have changed. In the third sweep the bits are stored. Two banks:
    while one member's bits are read, the next one's are drawn, `draw_cycles` after the bank was
    free (and the draw before done); `ready` rises a cycle later.

    Parameters
    ----------
    layer
        Inputs, and S, which divides 16.
    index
        Number of the layer in its network.
    members
        Most members of a sample.

    Members
    -------
    seed : In(32), fan_in, members : In
        Seed, inputs and members in use, stable from reset on.
    ready : Out(1)
        The bits of the member whose turn it is are there.
    group : In
        Group of a word that is being taken.
    bits : Out(S)
        Bits of its inputs, 3 cycles later.
    release : In(1)
        The last word of the member's pass is being taken.
    """

    def __init__(self, *, layer: LayerDesign, index: int, members: int) -> None:
        self._layer = layer
        self._index = index
        self._members = members
        super().__init__(
            {
                "seed": In(_WORD),
                "fan_in": In(range(layer.fan_in + 1)),
                "members": In(range(members + 1)),
                "ready": Out(1),
                "group": In(index_bits(layer.groups)),
                "bits": Out(layer.inputs_per_cycle),
                "release": In(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        width = self._layer.inputs_per_cycle
        chunks = _WORD // width
        chunk_bits = (chunks - 1).bit_length()
        words = ceil_div(self._layer.fan_in, _WORD)
        word_bits = index_bits(words)
        m.submodules.drawn = drawn = memory.Memory(
            shape=width, depth=2 << (word_bits + chunk_bits), init=[]
        )
        write, read = drawn.write_port(), drawn.read_port()

        # Reading.
        full = Signal(2)
        read_bank, bank, group = Signal(), Signal(), Signal.like(self.group)
        m.d.sync += [bank.eq(read_bank), group.eq(self.group), self.bits.eq(read.data)]
        m.d.comb += [
            self.ready.eq(full.bit_select(read_bank, 1)),
            read.addr.eq(group | bank << (word_bits + chunk_bits)),
        ]
        with m.If(self.release):
            m.d.sync += [full.bit_select(read_bank, 1).eq(0), read_bank.eq(~read_bank)]

        # Drawing: bit 31 - j of the ring is bit ``31 - width * chunk - j`` of the state.
        ring, chunk = Signal(_WORD), Signal(index_bits(chunks))
        sweep = Signal(2, init=3)  # 0 to 2: the three shifts; 3: looking for 0
        word, final_word = Signal(word_bits), Signal(word_bits)
        member = Signal(index_bits(self._members))
        fill_bank, any_one, loaded = Signal(), Signal(), Signal()
        final_chunk, active = Signal(), Signal()
        m.d.sync += final_word.eq((self.fan_in - 1) >> 5)
        here_any = ring[_WORD - width :].any()
        fresh = []
        for place in range(width):
            top = _WORD - 1 - place
            shifted = Signal(name=f"shifted{place}")
            with m.Switch(sweep):
                for number, (distance, low, high) in enumerate(
                    ((13, 13, 31), (-17, 0, 14), (5, 5, 31))
                ):
                    here = [c for c in range(chunks) if low <= top - width * c <= high]
                    source = top - distance if distance > 0 else -distance - 1 - place
                    with m.Case(number):
                        inside = _within(chunk, here, chunks)
                        m.d.comb += shifted.eq(ring[source] & inside)
                if place == width - 1:
                    with m.Default():
                        # A state of 0 becomes 1.
                        m.d.comb += shifted.eq(final_chunk & ~(any_one | here_any))
            fresh.append(ring[top] ^ shifted)
        m.d.comb += [
            final_chunk.eq(chunk == chunks - 1),
            active.eq(loaded & ~full.bit_select(fill_bank, 1)),
            write.en.eq(active & (sweep == 2)),
            write.addr.eq(Cat((~chunk)[:chunk_bits], word, fill_bank)),
            write.data.eq(Cat(reversed(fresh))),
        ]
        with m.If(~loaded):
            # The constant of the layer: what a seed of 0 starts from.
            m.d.sync += [
                ring.eq(self.seed ^ Const(start_state(0, self._index), _WORD)),
                loaded.eq(1),
                sweep.eq(3),
                any_one.eq(0),
            ]
        with m.Elif(active):
            m.d.sync += [
                ring.eq(Cat(Cat(reversed(fresh)), ring[: _WORD - width])),
                any_one.eq(any_one | here_any),
                chunk.eq(Mux(final_chunk, 0, chunk + 1)),
            ]
            with m.If(final_chunk):
                m.d.sync += sweep.eq(sweep + 1)  # 3 wraps to 0
                with m.If(sweep == 2):
                    m.d.sync += [sweep.eq(0), word.eq(word + 1)]
                    with m.If(word == final_word):
                        m.d.sync += [
                            word.eq(0),
                            full.bit_select(fill_bank, 1).eq(1),
                            fill_bank.eq(~fill_bank),
                            member.eq(member + 1),
                        ]
                        with m.If(member + 1 == self.members):
                            m.d.sync += [member.eq(0), loaded.eq(0)]
        return m


def _within(chunk: Signal, here: list[int], chunks: int) -> Value:
    """Whether the chunk is one of a run that starts or ends with all of them."""
    if len(here) == chunks:
        return Const(1, 1)
    if not here:
        return Const(0, 1)
    return chunk <= here[-1] if here[0] == 0 else chunk >= here[0]
