# SPDX-License-Identifier: Apache-2.0
"""The neurons of a stepwise layer: sums of a step in, spikes or scores out, states kept."""

from collections.abc import Sequence

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, LayerDesign, index_bits
from hw.parts.delayed import delayed
from hw.parts.row_memory import RowMemory
from hw.parts.step_shapes import (
    STEP_END,
    emission_layout,
    first_state,
    neuron_state,
    score_layout,
    state_layout,
    step_sums_layout,
)
from hw.stepwise.neuron_update import NeuronUpdate
from model.description import NeuronKind

__all__ = ["NeuronUnit", "beat_cycles", "block_cycles", "state_latency", "step_cycles"]

# From the reading of a row of the state memory: memory, register, update.
_UPDATED = 2 + NeuronUpdate.latency


def beat_cycles(layer: LayerDesign) -> int:
    """Cycles of a beat: one for each bit plane of what it emits."""
    return layer.output_bits


def block_cycles(layer: LayerDesign) -> int:
    """Cycles from the end of a block's step to the earliest end of the next block's."""
    return max(layer.beats * beat_cycles(layer), 2)


def step_cycles(layer: LayerDesign) -> int:
    """Cycles from the end of the last block's step to the earliest end of a block's next step:
    a state is read again only after it has been written."""
    return max(layer.beats * beat_cycles(layer), _UPDATED + beat_cycles(layer))


def state_latency(layer: LayerDesign) -> int:
    """Cycles from valid sums to the observation of their first beat: copied, then updated."""
    return _UPDATED + beat_cycles(layer)


class NeuronUnit(wiring.Component):
    """Updates the state of every neuron in every step, a beat of U neurons at a time.

    ::

        sums > copy > U neurons a beat ---+
                                          +--> U x NeuronUpdate --> state memory
        state memory, threshold memory ---+                    \\--> word of spikes, or score

    The sums of a block are copied in the cycle in which they are valid, and taken from the next
    cycle on, beat after beat of U neurons in neuron order. A beat takes ``beat_cycles`` cycles: one
    where neurons fire or not, b where they emit integers of b bits. In each the same update goes
    through, and 7 cycles later (memory, register, 5 of update) one bit plane of its outcome is
    emitted, the lowest first; in the last one the beat is observed and written back. Planes without
    set bits emit nothing, but the last one of a step always does. Neurons beyond those in use never
    fire.

    Nothing stalls behind the end of a block's step: `room` is 0 until the copy will be free when
    the next sums arrive, which is ``block_cycles`` cycles later, or ``step_cycles`` where a step
    has ended; and, where a step begins, while `room_behind` is 0. In the first step of a pass,
    states count as 0, fractions of diffused quantisers as 1/2.

    A row of the threshold memory has U thresholds, the first neuron's lowest; above each threshold
    stands the gain of its neuron, where the kind has one.

    Parameters
    ----------
    design, layer
        Sizes; an integrator gives scores, other kinds words.
    initial
        Rows of the threshold memory at power-up, see `hw.parts.row_memory.RowMemory`.

    Members
    -------
    neurons, members : In
        In use.
    end : In(STEP_END)
        From the layer: the end of a block's step is being taken.
    room : Out(1)
        The end of another one may be taken.
    sums : In(step_sums_layout)
        From the layer.
    reserve : Out(1), reserve_last : Out(1)
        The outcome of another step is under way, of the last of a pass.
    room_behind : In(1)
        There is a place for the outcome of another step.
    emission : Out(emission_layout)
        Spikes, unless the kind is integrator.
    score : Out(score_layout)
        Scores, if the kind is integrator.
    state : Out(state_layout)
        What was written.
    write_enable, write_row, write_data : In
        Store a row of the threshold memory; only while no samples are in flight.
    """

    def __init__(self, *, design: Design, layer: int, initial: Sequence[int] | None = None) -> None:
        self._initial = initial
        self._design = design
        self._index = layer
        this = design.layers[layer]
        is_output = this.kind is NeuronKind.INTEGRATOR
        outcome = (
            {"score": Out(score_layout(design))}
            if is_output
            else {"emission": Out(emission_layout(design, layer))}
        )
        super().__init__(
            {
                "neurons": In(range(this.neurons + 1)),
                "members": In(range(design.members + 1)),
                "end": In(STEP_END),
                "room": Out(1),
                "sums": In(step_sums_layout(design, layer)),
                "reserve": Out(1),
                "reserve_last": Out(1),
                "room_behind": In(1),
                **outcome,
                "state": Out(state_layout(design, layer)),
                "write_enable": In(1),
                "write_row": In(index_bits(this.state_rows)),
                "write_data": In(this.threshold_row_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from valid sums to the observation of their first beat."""
        return state_latency(self._design.layers[self._index])

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        self._keep_room(m)
        this = self._design.layers[self._index]
        count = this.updates_per_cycle
        state_shape = neuron_state(this)

        # Beats of the block in hand.
        copies = Signal(this.lanes * this.potential_bits)
        active, is_last, fresh = Signal(), Signal(), Signal(init=1)
        beat = Signal(index_bits(this.beats))
        row = Signal(index_bits(this.state_rows))
        reached = Signal(range(this.neurons + 2 * count), init=count)
        end_of_step = Signal()
        m.d.comb += end_of_step.eq(reached >= self.neurons)
        plane, moves = Signal(index_bits(this.output_bits)), Signal()
        m.d.comb += moves.eq(active & (plane == this.output_bits - 1))
        if this.output_bits > 1:
            with m.If(active):
                m.d.sync += plane.eq(Mux(moves, 0, plane + 1))
        with m.If(moves):
            m.d.sync += [
                copies.eq(copies >> (count * this.potential_bits)),
                beat.eq(beat + 1),
                row.eq(row + 1),
                reached.eq(reached + count),
            ]
            with m.If(beat == this.beats - 1):
                m.d.sync += active.eq(0)
            with m.If(end_of_step):
                m.d.sync += [active.eq(0), row.eq(0), reached.eq(count), fresh.eq(is_last)]
        with m.If(self.sums.valid):
            m.d.sync += [
                copies.eq(self.sums.sums.as_value()),
                active.eq(1),
                is_last.eq(self.sums.last),
                beat.eq(0),
            ]

        m.submodules.states = states = RowMemory(
            rows=this.state_rows, row_bits=count * state_shape.size
        )
        m.submodules.thresholds = thresholds = RowMemory(
            rows=this.state_rows, row_bits=this.threshold_row_bits, initial=self._initial
        )
        # What travels beside a beat, from the cycle in which its row is read.
        travelling = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "plane": index_bits(this.output_bits),
                    "fresh": 1,
                    "end_of_step": 1,
                    "last": 1,
                    "used": count,
                }
            )
        )
        m.d.comb += [
            states.read_row.eq(row),
            thresholds.read_row.eq(row),
            thresholds.write_enable.eq(self.write_enable),
            thresholds.write_row.eq(self.write_row),
            thresholds.write_data.eq(self.write_data),
            travelling.valid.eq(active),
            travelling.plane.eq(plane),
            travelling.fresh.eq(fresh),
            travelling.end_of_step.eq(end_of_step),
            travelling.last.eq(is_last),
            # All but the neurons that the last beat has too many.
            *(
                travelling.used[place].eq(reached + place < self.neurons + count)
                for place in range(count)
            ),
        ]
        stages = [travelling]
        for number in range(1, _UPDATED + 1):
            stage = Signal(travelling.shape(), name=f"stage{number}")
            m.d.sync += stage.eq(stages[-1])
            stages.append(stage)
        done = stages[-1]
        sums = delayed(m, copies[: count * this.potential_bits], "sums", 2)
        sums = self._after_burn_in(m, sums, moves & end_of_step, is_last)
        read = Signal(count * state_shape.size)
        limits = Signal(this.threshold_row_bits)
        m.d.sync += [read.eq(states.read_data), limits.eq(thresholds.read_data)]
        with m.If(stages[1].fresh):
            m.d.sync += read.eq(Const(first_state(this), state_shape.size).replicate(count))

        # The last plane of a beat.
        complete = Signal()
        m.d.comb += complete.eq(done.valid & (done.plane == this.output_bits - 1))
        fires = Signal(count)
        written, emitted = [], []
        limit_bits = this.threshold_bits + this.gain_bits
        for place in range(count):
            m.submodules[f"neuron{place}"] = neuron = NeuronUpdate(layer=this)
            m.d.comb += [
                neuron.state.eq(read[place * state_shape.size :][: state_shape.size]),
                neuron.sum.eq(sums[place * this.potential_bits :][: this.potential_bits]),
                neuron.threshold.eq(limits[place * limit_bits :][: this.threshold_bits]),
                fires[place].eq(neuron.emitted.bit_select(done.plane, 1) & done.used[place]),
                self.state.states[place].eq(neuron.next_state),
            ]
            if this.gain_bits:
                above = place * limit_bits + this.threshold_bits
                m.d.comb += neuron.gain.eq(limits[above:][: this.gain_bits])
            bits = neuron.emitted.as_unsigned()
            emitted.append(bits & done.used[place].replicate(this.output_bits))
            written.append(neuron.next_state.as_value())

        write_row = Signal.like(row)
        with m.If(complete):
            m.d.sync += write_row.eq(write_row + 1)
            with m.If(done.end_of_step):
                m.d.sync += write_row.eq(0)
        m.d.comb += [
            states.write_enable.eq(complete),
            states.write_row.eq(write_row),
            states.write_data.eq(Cat(written)),
        ]
        if this.kind is NeuronKind.INTEGRATOR:
            m.d.comb += [
                self.score.valid.eq(done.valid),
                self.score.score.eq(neuron.score),
                self.score.end.eq(done.end_of_step),
                self.score.last.eq(done.last),
            ]
        else:
            word = self.emission.word
            m.d.comb += [
                self.emission.valid.eq(done.valid & fires.any() | complete & done.end_of_step),
                word.group.eq(write_row),
                word.spikes.eq(fires),
                word.end_of_step.eq(complete & done.end_of_step),
                word.last.eq(complete & done.end_of_step & done.last),
            ]
            if this.output_bits > 1:
                m.d.comb += word.plane.eq(done.plane)
        self._observe(m, done, complete, write_row, emitted)
        return m

    def _keep_room(self, m: Module) -> None:
        """Room for the end of another block's step, decided from what has been taken."""
        this = self._design.layers[self._index]
        block, step = block_cycles(this), step_cycles(this)
        wait = Signal(range(max(block, step)))
        idle, begun = Signal(init=1), Signal()
        m.d.comb += [
            self.room.eq(idle & (begun | self.room_behind)),
            self.reserve.eq(self.end.valid & ~begun),
            self.reserve_last.eq(self.end.last),
        ]
        with m.If(self.end.valid):
            m.d.sync += [begun.eq(~self.end.final_block), wait.eq(block - 1), idle.eq(0)]
            with m.If(self.end.final_block):
                m.d.sync += wait.eq(step - 1)
        with m.Elif(~idle):
            m.d.sync += [wait.eq(wait - 1), idle.eq(wait == 1)]

    def _after_burn_in(self, m: Module, sums: Value, step_ends: Value, is_last: Value) -> Value:
        """The sums, 0 in the first steps of an integrator that ignores them."""
        burn_in = self._design.layers[self._index].dynamics.burn_in
        if not burn_in:
            return sums
        count = Signal(range(burn_in + 1))
        counting = Signal()
        with m.If(step_ends):
            m.d.sync += count.eq(count + (count != burn_in))
            with m.If(is_last):
                m.d.sync += count.eq(0)
        m.d.comb += counting.eq(count == burn_in)
        gate = delayed(m, counting, "counting", 2)
        return sums & gate.replicate(len(sums))

    def _observe(
        self, m: Module, done: Signal, complete: Signal, row: Signal, emitted: list[Value]
    ) -> None:
        """Counts for whoever watches; they cost nothing where nobody does."""
        step = Signal(self._design.step_bits)
        member = Signal(index_bits(self._design.members))
        with m.If(complete & done.end_of_step):
            m.d.sync += step.eq(step + 1)
            with m.If(done.last):
                m.d.sync += [step.eq(0), member.eq(member + 1)]
                with m.If(member + 1 == self.members):
                    m.d.sync += member.eq(0)
        m.d.comb += [
            self.state.valid.eq(complete),
            self.state.member.eq(member),
            self.state.step.eq(step),
            self.state.row.eq(row),
            self.state.last.eq(done.last),
            Value.cast(self.state.spikes).eq(Cat(emitted)),
        ]
