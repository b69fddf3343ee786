# SPDX-License-Identifier: Apache-2.0
"""The spiking core: samples in, output records out; no link, no board, no clock."""

from typing import Any

from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design import Design
from hw.intensity_table import IntensityTable
from hw.layer import Layer, observation_layout
from hw.readout import Readout
from hw.replay_buffer import ReplayBuffer
from hw.spike_store import ENTRY, SpikeStore
from hw.spike_times import SpikeTimes
from hw.spike_word import output_record, pixel_beat, spike_word
from model.description import Readout as Rule

__all__ = ["Core", "core_config", "spike_counts"]


def core_config(design: Design) -> data.StructLayout:
    """What a loaded network and the host set: ``steps`` (T), ``readout`` (index into
    ``design.readouts``), and for each of ``layers`` the ``neurons`` and ``blocks`` in use.

    Of a stepwise design also ``members`` (K in use, at least 1), and where the gateware has it
    ``phase`` (of the rate code), ``seed`` (of the members that are drawn) and ``step_results``
    (answer after every step, with K = 1).
    """
    layer = data.StructLayout({"neurons": 16, "blocks": 16})
    fields: dict[str, Any] = {
        "steps": range(design.steps + 1),
        "readout": range(len(design.readouts) + 1),
        "layers": data.ArrayLayout(layer, len(design.layers)),
    }
    if design.is_stepwise:
        fields["members"] = range(design.members + 1)
    if design.encodes_rates:
        fields["phase"] = 8
    if design.sampled:
        fields["seed"] = 32
    if design.step_results:
        fields["step_results"] = 1
    return data.StructLayout(fields)


def spike_counts(design: Design) -> data.ArrayLayout:
    """Numbers of spikes that enter each layer in one cycle."""
    most = max(layer.inputs_per_cycle for layer in design.layers)
    return data.ArrayLayout(range(most + 1), len(design.layers))


class Core(wiring.Component):
    """Encoder, layers and readout in a row, all working at once on different samples.

    ::

        pixels > IntensityTable > SpikeStore > [ReplayBuffer] > Layer > SpikeTimes >
                 SpikeStore > [ReplayBuffer] > Layer > ... > Layer > Readout > records

    A `ReplayBuffer` stands only where a layer may have several blocks. With
    ``sample_input="words"`` the words enter right before the first layer.

    Parameters
    ----------
    design
        Capacity and fold.
    probes
        Give the core a port ``probe<l>`` for the observation of every layer.

    Members
    -------
    i_sample : In(stream of pixel_beat or spike_word)
        Samples.
    o_record : Out(stream of output_record)
        Results, in the order of the samples.
    running : In(1)
        0 holds everything but the memories in reset.
    config : In(core_config)
        Stable while ``running``.
    write_valid : In(1)
        Take a byte of a memory row; only while not ``running``.
    write_target : In
        0: intensity table; 1 + l: weight memory of layer l.
    write_row : In(16)
        Row number (intensity, for the table).
    write_end : In(1)
        This byte is the last of its row. Bytes come lowest first: 2 a row of the table (spike
        step, 0xFFFF for none), ``LayerDesign.row_bytes`` a row of a weight memory.
    write_data : In(8)
        The byte.
    spikes : Out(spike_counts)
        Spikes that entered each layer two cycles before; replays do not count.
    entry : Out(ENTRY)
        Transfers of samples where waiting for the source no longer overlaps with work.
    """

    def __init__(self, *, design: Design, probes: bool = False) -> None:
        self._design = design
        self._probes = probes
        sample = pixel_beat(design) if design.sample_input == "pixels" else spike_word(design, 0)
        ports = {
            "i_sample": In(stream.Signature(sample)),
            "o_record": Out(stream.Signature(output_record(design))),
            "running": In(1),
            "config": In(core_config(design)),
            "write_valid": In(1),
            "write_target": In(range(1 + len(design.layers))),
            "write_row": In(16),
            "write_end": In(1),
            "write_data": In(8),
            "spikes": Out(spike_counts(design)),
            "entry": Out(ENTRY),
        }
        if probes:
            for layer in range(len(design.layers)):
                ports[f"probe{layer}"] = Out(observation_layout(design, layer))
        super().__init__(ports)

    @property
    def entry_latency(self) -> int:
        """Cycles from the taking of a beat to its transfer at ``entry``."""
        return 3 if self._design.sample_input == "pixels" else 0

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design, config = self._design, self.config
        reset = ResetInserter(~self.running)

        # Memory rows are put together from bytes: they shift in from the top.
        row_bits = [16] + [layer.row_bits for layer in design.layers]
        row_bytes = [2] + [layer.row_bytes for layer in design.layers]
        row = Signal(8 * max(row_bytes))
        write_enable = Signal(len(row_bytes))
        write_row = Signal(16)
        m.d.sync += write_enable.eq(0)
        with m.If(self.write_valid):
            m.d.sync += [
                row.eq((row >> 8) | (self.write_data << (len(row) - 8))),
                write_row.eq(self.write_row),
                write_enable.eq(self.write_end << self.write_target),
            ]

        def row_of(target: int) -> Signal:
            """The row in hand, as wide as the target's."""
            return row[len(row) - 8 * row_bytes[target] :][: row_bits[target]]

        source = flipped(self.i_sample)
        if design.sample_input == "pixels":
            m.submodules.table = table = reset(IntensityTable(design=design))
            connect(m, source, table.i)
            m.d.comb += [
                table.write_valid.eq(write_enable[0]),
                table.write_row.eq(write_row),
                # 0xFFFF, no spike: no step of a design has its highest bit set.
                table.write_data.step.eq(row_of(0)),
                table.write_data.fires.eq(~row_of(0)[15]),
            ]
            source = table.o
        else:
            m.d.comb += [
                self.entry.valid.eq(source.valid & self.running),
                self.entry.ready.eq(source.ready),
                self.entry.last.eq(source.p.last),
            ]

        for index, this in enumerate(design.layers):
            is_output = index == len(design.layers) - 1
            if index > 0 or design.sample_input == "pixels":
                m.submodules[f"store{index}"] = store = reset(
                    SpikeStore(design=design, layer=index)
                )
                connect(m, source, store.i)
                if index == 0:
                    m.d.comb += [
                        self.entry.eq(store.entry),
                        self.entry.valid.eq(store.entry.valid & self.running),
                    ]
                if is_output and Rule.SUMMED_POTENTIAL in design.readouts:
                    summed = design.readouts.index(Rule.SUMMED_POTENTIAL)
                    m.d.comb += [
                        store.every_step.eq(config.readout == summed),
                        store.last_step.eq(config.steps - 1),
                    ]
                last_store, source = store, store.o
            entering = Signal(this.inputs_per_cycle, name=f"entering{index}")
            has_entered = Signal(name=f"has_entered{index}")
            m.d.sync += [
                entering.eq(source.p.spikes),
                has_entered.eq(source.valid & source.ready & self.running),
                self.spikes[index].eq(Mux(has_entered, sum(entering), 0)),
            ]
            if this.blocks > 1:
                m.submodules[f"replay{index}"] = replay = reset(
                    ReplayBuffer(design=design, layer=index)
                )
                connect(m, source, replay.i)
                m.d.comb += replay.passes.eq(config.layers[index].blocks)
                source = replay.o
            m.submodules[f"layer{index}"] = layer = reset(Layer(design=design, layer=index))
            connect(m, source, layer.i)
            m.d.comb += [
                layer.blocks.eq(config.layers[index].blocks),
                layer.write_enable.eq(write_enable[1 + index]),
                layer.write_row.eq(write_row),
                layer.write_data.eq(row_of(1 + index)),
            ]
            if self._probes:
                m.d.comb += getattr(self, f"probe{index}").eq(layer.observation)
            if is_output:
                m.submodules.readout = back_end = reset(Readout(design=design))
                m.d.comb += back_end.rule.eq(config.readout)
                if design.early_stop:
                    m.d.comb += [
                        last_store.stop.eq(back_end.stop),
                        last_store.stop_sample.eq(back_end.stop_sample),
                    ]
            else:
                m.submodules[f"times{index}"] = back_end = reset(
                    SpikeTimes(design=design, layer=index)
                )
                m.d.comb += back_end.blocks.eq(config.layers[index].blocks)
            m.d.comb += [
                back_end.observation.eq(layer.observation),
                back_end.reserve.eq(layer.reserve),
                back_end.neurons.eq(config.layers[index].neurons),
                layer.room.eq(back_end.room),
            ]
            source = back_end.o
        connect(m, source, flipped(self.o_record))
        return m
