# SPDX-License-Identifier: Apache-2.0
"""Random bits of the input lines of a layer whose weights are drawn."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import LayerDesign, ceil_div, index_bits
from hw.stepwise.seed_feed import WORD, SeedFeed
from model.sampling import start_state

__all__ = ["Sampler", "draw_cycles"]


# The shifts of the generator, and the lowest and the highest bit that each changes.
_SHIFTS = ((13, 13, 31), (-17, 0, 14), (5, 5, 31))


def draw_cycles(layer: LayerDesign, members: int) -> int:
    """Cycles after a reset in which the bits of all members are drawn.

    One sweep round the state, S bits a cycle, for the seed, and three for each output.
    """
    sweep = WORD // layer.inputs_per_cycle
    return sweep * (1 + 3 * ceil_div(layer.fan_in, WORD) * members)


class Sampler(wiring.Component):
    """Draws a bit for each input line and member (`model.sampling`), once after a reset.

    A sample's members are the same for every sample, as the generator starts anew at each: so all
    bits that will ever be asked for are drawn once and kept, for as many members as are built.

    The state of the generator, xorshift32, goes round a ring, highest bits first, S bits a cycle;
    first the seed goes in (a start from 0 becomes one from 1). Each of ``s ^= s << 13``,
    ``s ^= s >> 17``, ``s ^= s << 5`` is one sweep round it, with one XOR for each of the S bits:
    bits that are still to be swept are the old ones, and those that a right shift asks for, swept
    already, are too high to have changed. In the third sweep the bits are stored.

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
    fed_group, is_final, seed : In
        From a `hw.stepwise.seed_feed.SeedFeed` that has been reset together with this.
    members : In
        Members in use.
    ready : Out(1)
        All bits are there: `draw_cycles` after the reset.
    group : In
        Group of a word that is being taken.
    bits : Out(S)
        Bits of its inputs, 3 cycles later.
    release : In(1)
        The last word of a member's pass is being taken.
    """

    def __init__(self, *, layer: LayerDesign, index: int, members: int) -> None:
        self._layer = layer
        self._index = index
        self._members = members
        width = layer.inputs_per_cycle
        fed = SeedFeed.ports(width, flow=In)
        super().__init__(
            {
                "fed_group": fed["group"],
                "is_final": fed["is_final"],
                "seed": fed["seed"],
                "members": In(range(members + 1)),
                "ready": Out(1),
                "group": In(index_bits(layer.groups)),
                "bits": Out(width),
                "release": In(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        width = self._layer.inputs_per_cycle
        groups = WORD // width
        words = ceil_div(self._layer.fan_in, WORD)
        group_bits, word_bits = (groups - 1).bit_length(), (words - 1).bit_length()
        m.submodules.drawn = drawn = memory.Memory(
            shape=width, depth=self._members << (word_bits + group_bits), init=[]
        )
        write, read = drawn.write_port(), drawn.read_port()

        # Reading.
        turn = Signal(index_bits(self._members))
        group, member = Signal.like(self.group), Signal.like(turn)
        within = Cat(group, Const(0, word_bits + group_bits))[: word_bits + group_bits]
        m.d.sync += [group.eq(self.group), member.eq(turn), self.bits.eq(read.data)]
        m.d.comb += read.addr.eq(Cat(within, member))
        with m.If(self.release):
            m.d.sync += turn.eq(Mux(turn + 1 == self.members, 0, turn + 1))

        # Drawing: the highest S bits of the ring are those of the fed group.
        ring = Signal(WORD)
        sweep = Signal(2, init=3)  # 3: the seed; 0 to 2: the three shifts
        word, drawing = Signal(max(1, word_bits)), Signal.like(turn)
        any_one = Signal()
        constant = Const(start_state(0, self._index), WORD).word_select(self.fed_group, width)
        fresh = Signal(width)
        for place in range(width):
            top = ring[WORD - width + place]
            with m.Switch(sweep):
                for number, (shift, low, high) in enumerate(_SHIFTS):
                    here = [g for g in range(groups) if low <= width * g + place <= high]
                    # A bit to the right; or one to the left, which has come round.
                    source = WORD - width + place - shift if shift > 0 else -shift - width + place
                    with m.Case(number):
                        inside = _within(self.fed_group, here, groups)
                        m.d.comb += fresh[place].eq(top ^ (ring[source] & inside))
                with m.Default():
                    m.d.comb += fresh[place].eq(self.seed[place] ^ constant[place])
                    if place == 0:
                        # The last bit of the state: not all may be 0.
                        with m.If(self.is_final & ~any_one & ~fresh[1:].any()):
                            m.d.comb += fresh[0].eq(1)
        m.d.comb += [
            write.en.eq(~self.ready & (sweep == 2)),
            write.addr.eq(Cat(self.fed_group[:group_bits], word[:word_bits], drawing)),
            write.data.eq(fresh),
        ]
        m.d.sync += [
            ring.eq(Cat(fresh, ring[: WORD - width])),
            any_one.eq(any_one | fresh.any()),
        ]
        with m.If(self.is_final):
            m.d.sync += sweep.eq(Mux(sweep == 2, 0, sweep + 1))
            with m.If(sweep == 2):
                m.d.sync += word.eq(word + 1)
                with m.If(word == words - 1):
                    m.d.sync += [word.eq(0), drawing.eq(drawing + 1)]
                    with m.If(drawing == self._members - 1):
                        m.d.sync += self.ready.eq(1)
        return m


def _within(group: Value, here: list[int], groups: int) -> Value:
    """Whether the group is one of a run that starts or ends with all of them."""
    if len(here) == groups:
        return Const(1, 1)
    if not here:
        return Const(0, 1)
    return group <= here[-1] if here[0] == 0 else group >= here[0]
