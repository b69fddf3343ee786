# SPDX-License-Identifier: Apache-2.0
"""The blocks of a single-spike core, one behind the other."""

from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from hw.design.design import Design
from hw.formats.write_target import weight_target
from hw.inputs.intensity_table import IntensityTable
from hw.inputs.spike_store import SpikeStore
from hw.loading.memory_writes import MemoryWrites
from hw.parts.replay_buffer import ReplayBuffer
from hw.single_spike.layer import Layer
from hw.single_spike.readout import Readout
from hw.single_spike.spike_times import SpikeTimes
from model.description import Readout as Rule

__all__ = ["add_single_spike_chain"]


def add_single_spike_chain(
    m: Module, *, core: wiring.Component, design: Design, writes: MemoryWrites, probes: bool
) -> None:
    """Put the blocks into a `hw.core.Core`.

    ::

        pixels > IntensityTable > SpikeStore > [ReplayBuffer] > Layer > SpikeTimes >
                 SpikeStore > [ReplayBuffer] > Layer > ... > Layer > Readout > records

    A `ReplayBuffer` stands only where a layer may have several blocks. With
    ``sample_input="words"`` the words enter right before the first layer.
    """
    config = core.config
    reset = ResetInserter(~core.running)

    source = flipped(core.i_sample)
    if design.sample_input == "pixels":
        m.submodules.table = table = reset(IntensityTable(design=design, initial=writes.initial(0)))
        connect(m, source, table.i)
        m.d.comb += [
            table.write_valid.eq(writes.enable(0)),
            table.write_row.eq(writes.row),
            # 0xFFFF, no spike: no step of a design has its highest bit set.
            table.write_data.step.eq(writes.data(0)),
            table.write_data.fires.eq(~writes.data(0)[15]),
        ]
        source = table.o
    else:
        m.d.comb += [
            core.entry.valid.eq(source.valid & core.running),
            core.entry.ready.eq(source.ready),
            core.entry.last.eq(source.p.last),
        ]

    for index, this in enumerate(design.layers):
        is_output = index == len(design.layers) - 1
        if index > 0 or design.sample_input == "pixels":
            m.submodules[f"store{index}"] = store = reset(SpikeStore(design=design, layer=index))
            connect(m, source, store.i)
            if index == 0:
                m.d.comb += [
                    core.entry.eq(store.entry),
                    core.entry.valid.eq(store.entry.valid & core.running),
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
            has_entered.eq(source.valid & source.ready & core.running),
            core.spikes[index].eq(Mux(has_entered, sum(entering), 0)),
        ]
        if this.blocks > 1:
            m.submodules[f"replay{index}"] = replay = reset(
                ReplayBuffer(design=design, layer=index)
            )
            connect(m, source, replay.i)
            m.d.comb += replay.passes.eq(config.layers[index].blocks)
            source = replay.o
        m.submodules[f"layer{index}"] = layer = reset(
            Layer(design=design, layer=index, initial=writes.initial(weight_target(index)))
        )
        connect(m, source, layer.i)
        m.d.comb += [
            layer.blocks.eq(config.layers[index].blocks),
            layer.write_enable.eq(writes.enable(weight_target(index))),
            layer.write_row.eq(writes.row),
            layer.write_data.eq(writes.data(weight_target(index))),
        ]
        if probes:
            m.d.comb += getattr(core, f"probe{index}").eq(layer.observation)
        if is_output:
            m.submodules.readout = back_end = reset(Readout(design=design))
            m.d.comb += back_end.rule.eq(config.readout)
            if design.early_stop:
                m.d.comb += [
                    last_store.stop.eq(back_end.stop),
                    last_store.stop_sample.eq(back_end.stop_sample),
                ]
        else:
            m.submodules[f"times{index}"] = back_end = reset(SpikeTimes(design=design, layer=index))
            m.d.comb += back_end.blocks.eq(config.layers[index].blocks)
        m.d.comb += [
            back_end.observation.eq(layer.observation),
            back_end.reserve.eq(layer.reserve),
            back_end.neurons.eq(config.layers[index].neurons),
            layer.room.eq(back_end.room),
        ]
        source = back_end.o
    connect(m, source, flipped(core.o_record))
