# SPDX-License-Identifier: Apache-2.0
"""Series through a Legendre memory to spike words: the parallel form of the LMU."""

from collections.abc import Sequence

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design.design import Design
from hw.design.memory_design import MemoryDesign
from hw.legendre.legendre_memory import LegendreMemory, memory_state_layout
from hw.legendre.state_reader import StateReader
from hw.parts.spike_word import pixel_beat, spike_word

__all__ = ["EVALUATION", "SeriesSource", "memory_config"]

#: The words of an evaluation begin: ``valid``, ``running`` (not the sample's last one).
EVALUATION = data.StructLayout({"valid": 1, "running": 1})


def memory_config(memory: MemoryDesign) -> data.StructLayout:
    """What a network says of its memory: ``order``, ``channels``, ``states`` (their product),
    ``input_scale`` (for this gateware), ``zero`` (byte that stands for 0) and ``reads``."""
    return data.StructLayout(
        {
            "order": range(memory.order + 1),
            "channels": range(memory.channels + 1),
            "states": range(memory.states + 1),
            "input_scale": memory.scale_bits,
            "zero": 8,
            "reads": range(memory.reads + 1),
        }
    )


class SeriesSource(wiring.Component):
    """Moves the memory on with every value, and sends its states at the end of each sample.

    Where ``every`` is not 0, also after every so many steps. A value takes
    ``MemoryDesign.cycles(q)`` cycles; an evaluation begins when the next value could be taken, and
    that is taken one cycle after the evaluation's last word.

    Parameters
    ----------
    design
        Capacity.
    initial
        What the memories hold at power-up, each as `hw.parts.row_memory.RowMemory` takes it:
        coefficients, emission shifts.

    Members
    -------
    i : In(stream of pixel_beat)
        Samples, one value a beat, step by step.
    o : Out(stream of spike_word)
        Evaluations: a step for each read of the states.
    config : In(memory_config)
        Stable.
    every : In(16)
        Steps from one evaluation of a sample to the next; 0: at its end only.
    write_enable : In(2), write_row : In, write_data : In
        Writes a coefficient (bit 0), or an emission shift (bit 1).
    evaluation : Out(EVALUATION)
        When one begins.
    state : Out(memory_state_layout)
        Each state when it is written.
    """

    def __init__(
        self, *, design: Design, initial: Sequence[Sequence[int] | None] = (None,) * 2
    ) -> None:
        self._initial = initial
        self._design = design
        memory = design.memory
        super().__init__(
            {
                "i": In(stream.Signature(pixel_beat(design))),
                "o": Out(stream.Signature(spike_word(design, 0))),
                "config": In(memory_config(memory)),
                "every": In(16),
                "write_enable": In(2),
                "write_row": In(16),
                "write_data": In(max(memory.coefficient_bits + 1, memory.shift_bits)),
                "evaluation": Out(EVALUATION),
                "state": Out(memory_state_layout(memory)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = LegendreMemory(
            memory=self._design.memory, initial=self._initial[0]
        )
        m.submodules.reader = reader = StateReader(design=self._design, initial=self._initial[1])
        config, beat = self.config, self.i.p
        connect(m, reader.o, flipped(self.o))
        m.d.comb += [
            self.state.eq(memory.state),
            memory.order.eq(config.order),
            memory.input_scale.eq(config.input_scale),
            memory.i.p.value.eq(beat.pixels[0] - config.zero),
            reader.read_data.eq(memory.read_data),
            memory.read_row.eq(reader.read_row),
            reader.reads.eq(config.reads),
            reader.states.eq(config.states),
        ]
        for number, target in enumerate((memory, reader)):
            m.d.comb += [
                target.write_enable.eq(self.write_enable[number]),
                target.write_row.eq(self.write_row),
                target.write_data.eq(self.write_data),
            ]

        channel, final_channel = Signal.like(config.channels), Signal.like(config.channels)
        is_first_step = Signal(init=1)
        steps = Signal(16)  # since the last evaluation
        is_last = Signal()
        m.d.sync += final_channel.eq(config.channels - 1)
        m.d.comb += [
            memory.i.p.first_step.eq(is_first_step),
            memory.i.p.first_channel.eq(channel == 0),
            self.evaluation.running.eq(~is_last),
        ]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [memory.i.valid.eq(self.i.valid), self.i.ready.eq(memory.i.ready)]
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [channel.eq(channel + 1), is_last.eq(beat.last)]
                    with m.If(channel == final_channel):
                        m.d.sync += [
                            channel.eq(0),
                            steps.eq(steps + 1),
                            is_first_step.eq(beat.last),
                        ]
                        m.next = "JUDGE"
            with m.State("JUDGE"):
                m.next = "TAKE"
                with m.If(is_last | (steps == self.every)):
                    m.d.sync += steps.eq(0)
                    m.next = "FINISH"
            with m.State("FINISH"):
                with m.If(memory.i.ready):
                    m.d.comb += [reader.start.eq(1), self.evaluation.valid.eq(1)]
                    m.next = "EVALUATE"
            with m.State("EVALUATE"):
                with m.If(reader.done):
                    m.next = "TAKE"
        return m
