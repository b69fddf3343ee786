# SPDX-License-Identifier: Apache-2.0
"""Series, memory and hidden neurons to spike words: the recurrent hybrid LMU."""

from collections.abc import Sequence

from amaranth import Array, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.design.encoder_design import EncoderDesign
from hw.formats.write_target import write_row_bits
from hw.lanes.lane_array import LaneArray, layer_latency
from hw.legendre.legendre_memory import LegendreMemory, memory_state_layout
from hw.legendre.series_source import memory_config
from hw.legendre.state_reader import StateReader
from hw.parts.clamped import clamped
from hw.parts.replay_buffer import ReplayBuffer
from hw.parts.spike_word import pixel_beat, spike_word
from hw.parts.step_shapes import emission_layout

__all__ = ["RecurrentSource", "series_config", "settle_cycles", "value_cycles"]


def value_cycles(design: Design) -> int:
    """Cycles of a value of a step, if each of its words is taken at once: it is taken, rounded,
    and sent bit plane by bit plane."""
    return 2 + design.encoder.input_bits


def settle_cycles(design: Design) -> int:
    """Cycles from the one after the last word of series or hidden neurons to the encoder's sums."""
    return layer_latency(design.encoder.layer) - 1


def series_config(encoder: EncoderDesign) -> data.StructLayout:
    """What a network says of its series: ``channels`` and ``shift``."""
    return data.StructLayout({"channels": range(encoder.series_channels + 1), "shift": range(9)})


class RecurrentSource(wiring.Component):
    """Closes the loop of ``model/stepwise.py``: what the first layer sees in a step, in words.

    ::

        values ----------------------+                              +--> o
        hidden neurons, step before -+--> words, as they are sent --+
        StateReader <-- memory <-- sums <----------- encoder lanes -+

    In a step the words of its values are sent, then those that the hidden neurons emitted in the
    step before, then the states of the memory, whose last one ends the step. The encoder adds up
    the same words as they pass: states of one step, series and hidden neurons of the next are the
    memory's input there. A word of plane k counts ``2 ** (k + shift)`` times, with the shift of its
    kind.

    A value takes `value_cycles`; the words of the hidden neurons one cycle each, as soon as the
    last of them has come (`hw.parts.replay_buffer.ReplayBuffer`, whose end without spikes is
    swallowed); then the sums settle for `settle_cycles`; each channel of the memory takes its
    ``MemoryDesign.cycles``; then the states are read as by `hw.legendre.state_reader.StateReader`.

    Parameters
    ----------
    design
        Capacity; words of the first two layers carry one input.
    initial
        What the memories hold at power-up, each as `hw.parts.row_memory.RowMemory` takes it:
        coefficients, emission shifts, weights of the encoder.

    Members
    -------
    i : In(stream of pixel_beat)
        Samples, one value a beat, step by step.
    o : Out(stream of spike_word)
        Words of the first layer.
    feedback : In(emission_layout)
        What the hidden neurons emit, but in the last step of a sample.
    config : In(memory_config), series : In(series_config)
        Stable.
    write_enable : In(3), write_row : In, write_data : In
        Writes a coefficient (bit 0), an emission shift (bit 1), or a row of the encoder's weights
        (bit 2).
    state : Out(memory_state_layout)
        Each state when it is written.
    """

    def __init__(
        self, *, design: Design, initial: Sequence[Sequence[int] | None] = (None,) * 3
    ) -> None:
        self._initial = initial
        self._design = design
        memory, encoder = design.memory, design.encoder
        widths = (memory.coefficient_bits + 1, memory.shift_bits, encoder.channels)
        super().__init__(
            {
                "i": In(stream.Signature(pixel_beat(design))),
                "o": Out(stream.Signature(spike_word(design, 0))),
                "feedback": In(emission_layout(design, 0)),
                "config": In(memory_config(memory)),
                "series": In(series_config(encoder)),
                "write_enable": In(3),
                "write_row": In(write_row_bits(design)),
                "write_data": In(max(widths)),
                "state": Out(memory_state_layout(memory)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design, config, beat, word = self._design, self.config, self.i.p, self.o.p
        encoder, bits = design.encoder, design.encoder.input_bits
        m.submodules.memory = memory = LegendreMemory(
            memory=design.memory, initial=self._initial[0]
        )
        m.submodules.reader = reader = StateReader(design=design, initial=self._initial[1])
        m.submodules.lanes = lanes = LaneArray(layer=encoder.layer, initial=self._initial[2])
        m.submodules.hidden = hidden = ReplayBuffer(design=design, layer=1, per_step=True)
        for number, target in enumerate((memory, reader, lanes)):
            m.d.comb += [
                target.write_enable.eq(self.write_enable[number]),
                target.write_row.eq(self.write_row),
                target.write_data.eq(self.write_data),
            ]
        m.d.comb += [
            self.state.eq(memory.state),
            memory.order.eq(config.order),
            memory.input_scale.eq(config.input_scale),
            reader.read_data.eq(memory.read_data),
            memory.read_row.eq(reader.read_row),
            reader.reads.eq(1),
            reader.states.eq(config.states),
            hidden.passes.eq(1),
            hidden.i.valid.eq(self.feedback.valid),
            hidden.i.p.eq(self.feedback.word),
        ]

        # Where series and hidden neurons stand among the inputs.
        first_hidden = Signal.like(word.group)
        final_value, final_channel = Signal.like(self.series.channels), Signal.like(config.channels)
        m.d.sync += [
            first_hidden.eq(config.states + self.series.channels),
            final_value.eq(self.series.channels - 1),
            final_channel.eq(config.channels - 1),
        ]
        place, channel = Signal.like(self.series.channels), Signal.like(config.channels)
        is_first_step, is_last = Signal(init=1), Signal()
        difference = Signal(signed(9))
        number, plane = Signal(bits), Signal(range(bits))
        left = Signal(range(settle_cycles(design)))
        clear = Signal()
        shift = Signal(range(max(encoder.shifts) + 1))
        sums = Array(lanes.sums[lane] for lane in range(encoder.channels))
        m.d.comb += [
            memory.i.p.value.eq(sums[channel]),
            memory.i.p.first_step.eq(is_first_step),
            memory.i.p.first_channel.eq(channel == 0),
        ]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += difference.eq(beat.pixels[0] - config.zero)
                with m.If(self.i.valid):
                    # No states and hidden neurons are left from a sample before.
                    m.d.comb += clear.eq(is_first_step & (place == 0))
                    m.d.sync += is_last.eq(beat.last)
                    m.next = "ROUND"
            with m.State("ROUND"):
                m.d.sync += number.eq(clamped(difference >> self.series.shift, signed(bits)))
                m.next = "VALUE"
            with m.State("VALUE"):
                m.d.comb += [
                    shift.eq(encoder.shifts[1]),
                    self.o.valid.eq(number[0]),
                    word.group.eq(config.states + place),
                    word.spikes.eq(1),
                    word.plane.eq(plane),
                ]
                m.d.sync += left.eq(settle_cycles(design) - 1)
                with m.If(~self.o.valid | self.o.ready):
                    m.d.sync += [number.eq(number >> 1), plane.eq(plane + 1)]
                    with m.If(plane == bits - 1):
                        m.d.sync += [plane.eq(0), place.eq(place + 1)]
                        m.next = "TAKE"
                        with m.If(place == final_value):
                            m.d.sync += place.eq(0)
                            m.next = "HIDDEN"
                            with m.If(is_first_step):
                                m.next = "SETTLE"
            with m.State("HIDDEN"):
                m.d.comb += [
                    shift.eq(encoder.shifts[2]),
                    self.o.valid.eq(hidden.o.valid & hidden.o.p.spikes.any()),
                    hidden.o.ready.eq(~self.o.valid | self.o.ready),
                    word.group.eq(first_hidden + hidden.o.p.group),
                    word.spikes.eq(hidden.o.p.spikes),
                    word.plane.eq(hidden.o.p.plane),
                ]
                with m.If(hidden.o.valid & hidden.o.ready & hidden.o.p.end_of_step):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "MEMORY"
            with m.State("MEMORY"):
                m.d.comb += memory.i.valid.eq(1)
                with m.If(memory.i.ready):
                    m.d.sync += channel.eq(channel + 1)
                    with m.If(channel == final_channel):
                        m.d.comb += clear.eq(1)
                        m.d.sync += [channel.eq(0), is_first_step.eq(is_last)]
                        m.next = "FINISH"
            with m.State("FINISH"):
                with m.If(memory.i.ready):
                    m.d.comb += reader.start.eq(1)
                    m.next = "STATES"
            with m.State("STATES"):
                m.d.comb += [
                    shift.eq(encoder.shifts[0]),
                    self.o.valid.eq(reader.o.valid),
                    reader.o.ready.eq(self.o.ready),
                    word.eq(reader.o.p),
                    word.last.eq(reader.o.p.last & is_last),
                ]
                with m.If(reader.done):
                    m.next = "TAKE"

        moves = Signal()
        m.d.comb += [
            moves.eq(self.o.valid & self.o.ready),
            lanes.place.eq(word.group),
            lanes.spikes.eq(word.spikes),
            lanes.moves.eq(moves),
            lanes.plane.eq(word.plane + shift),
            lanes.negative.eq(word.plane == bits - 1),
            lanes.control.eq(clear),
        ]
        return m
