# SPDX-License-Identifier: Apache-2.0
"""The weight memory of a layer and the P lanes behind it."""

from collections.abc import Sequence

from amaranth import Const, Module, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.design.layer_design import LayerDesign, index_bits
from hw.lanes.lane import Lane, lane_latency
from hw.parts.delayed import delayed
from hw.parts.row_memory import RowMemory
from hw.vendor.spram import SpramRowMemory

__all__ = ["LaneArray", "layer_latency"]


def layer_latency(layer: LayerDesign) -> int:
    """Cycles from the taking of a word to its sums: word, row number, memory, row, lane."""
    return 4 + lane_latency(layer)


class LaneArray(wiring.Component):
    """Reads the weights of a word, one row, and adds them up in P lanes.

    ::

        words --> word --> row number --> weight memory --> row register --> P lanes
          n       n+1         n+2              n+3              n+4       n+4+lane latency

    A word a cycle; nothing stalls. What belongs to a word travels beside it.

    Parameters
    ----------
    layer
        Sizes.
    is_spram
        The weights are in SPRAM.
    tag
        Shape of what travels beside a word.
    initial
        Rows of the weight memory at power-up, see `hw.parts.row_memory.RowMemory`; not in SPRAM.

    Members
    -------
    base, place : In
        Their sum is the number of the word's row.
    spikes : In(S)
        The word's spikes, which count only where ``moves`` is 1.
    moves : In(1)
        A word is taken.
    plane : In
        Bit plane of the word; only where inputs have several bits.
    negative : In(1)
        The plane counts negative; only where inputs have a sign.
    control : In
        What its lanes do, as `Lane.load` or `Lane.clear`.
    tag : In(tag), tag_after : Out(tag)
        The same ``latency`` cycles later, together with the sums.
    random_bits : In(S)
        Of the word taken 3 cycles before; only where weights are drawn.
    sums : Out(P signed sums)
        Potentials, or sums of a step.
    write_enable, write_row, write_data : In
        Store a row of the weight memory; only while no samples are in flight.
    """

    def __init__(
        self,
        *,
        layer: LayerDesign,
        is_spram: bool = False,
        tag: ShapeLike = 1,
        initial: Sequence[int] | None = None,
    ) -> None:
        self._layer, self._is_spram, self._initial = layer, is_spram, initial
        this = layer
        super().__init__(
            {
                "base": In(index_bits(this.rows)),
                "place": In(range(max(this.planes, this.groups, 2))),
                "spikes": In(this.inputs_per_cycle),
                "moves": In(1),
                **({"plane": In(range(this.input_bits))} if this.input_bits > 1 else {}),
                **({"negative": In(1)} if this.input_signed else {}),
                "control": In(max(1, this.planes)),
                "tag": In(tag),
                "tag_after": Out(tag),
                **({"random_bits": In(this.inputs_per_cycle)} if this.sampled else {}),
                "sums": Out(data.ArrayLayout(signed(this.potential_bits), this.lanes)),
                "write_enable": In(1),
                "write_row": In(index_bits(this.rows)),
                "write_data": In(this.row_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the taking of a word to its sums."""
        return layer_latency(self._layer)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        this = self._layer
        width = this.inputs_per_cycle
        if self._is_spram:
            memory = SpramRowMemory(rows=this.rows, row_bits=this.row_bits)
        else:
            memory = RowMemory(rows=this.rows, row_bits=this.row_bits, initial=self._initial)
        m.submodules.memory = memory
        base, place = Signal.like(self.base), Signal.like(self.place)
        m.d.sync += [base.eq(self.base), place.eq(self.place), memory.read_row.eq(base + place)]
        m.d.comb += [
            memory.write_enable.eq(self.write_enable),
            memory.write_row.eq(self.write_row),
            memory.write_data.eq(self.write_data),
        ]
        has_moved = Signal()
        m.d.sync += has_moved.eq(self.moves)
        spikes = delayed(m, self.spikes, "spikes", 1)
        # Here, as spikes come late out of a memory.
        spikes = delayed(m, spikes & has_moved.replicate(width), "spikes_moved", 3)
        control = delayed(m, self.control, "control", 4)
        if this.input_bits > 1:
            plane = delayed(m, self.plane, "plane", 4)
        tag = delayed(m, Value.cast(self.tag), "tag", self.latency)
        m.d.comb += Value.cast(self.tag_after).eq(tag)
        weights = self._weights(m, memory.read_data)
        for number in range(this.lanes):
            m.submodules[f"lane{number}"] = lane = Lane(layer=this)
            m.d.comb += [
                lane.bits.eq(weights[number * width : (number + 1) * width]),
                lane.spikes.eq(spikes),
                (lane.clear if this.is_stepwise else lane.load).eq(control),
                self.sums[number].eq(lane.potential),
            ]
            if this.input_bits > 1:
                m.d.comb += lane.plane.eq(plane)
        return m

    def _weights(self, m: Module, row: Value) -> Value:
        """The register behind the memory: undecided weights drawn, all inverted where the word
        counts negative (-w s = (-w) s)."""
        this = self._layer
        width = this.inputs_per_cycle
        register = Signal(this.sign_bits, name="row_register")
        inverted: Value = Const(0, 1)
        if this.input_signed:
            inverted = delayed(m, self.negative, "negative", 3).replicate(this.sign_bits)
        signs = row[: this.sign_bits]
        if not this.sampled:
            m.d.sync += register.eq(signs ^ inverted)
            return register
        undecided = row[this.sign_bits :]
        if width > 1:
            drawn = undecided & self.random_bits.replicate(this.lanes)
            m.d.sync += register.eq((signs | drawn) ^ inverted)
            return register
        # Behind the register, where a lane's tables have inputs to spare.
        undecided_register, random = Signal.like(register), Signal()
        m.d.sync += [
            register.eq(signs ^ inverted),
            undecided_register.eq(undecided),
            random.eq(self.random_bits),
        ]
        # The sign of an undecided weight is 0.
        return register ^ undecided_register & random.replicate(this.lanes)
