# SPDX-License-Identifier: Apache-2.0
"""The blocks of a stepwise core, one behind the other."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from hw.design.design import Design
from hw.formats.write_target import memory_target, threshold_target, weight_target
from hw.inputs.intensity_table import IntensityTable
from hw.inputs.rasteriser import Rasteriser
from hw.inputs.rate_encoder import RateEncoder
from hw.inputs.spike_store import SpikeStore
from hw.legendre.recurrent_source import RecurrentSource
from hw.legendre.series_source import SeriesSource
from hw.loading.memory_writes import MemoryWrites
from hw.parts.replay_buffer import ReplayBuffer
from hw.stepwise.answer_marks import AnswerMarks
from hw.stepwise.committee_readout import CommitteeReadout
from hw.stepwise.neuron_unit import NeuronUnit
from hw.stepwise.sampler import Sampler
from hw.stepwise.seed_feed import SeedFeed
from hw.stepwise.step_layer import StepLayer

__all__ = ["add_step_chain"]


def add_step_chain(
    m: Module, *, core: wiring.Component, design: Design, writes: MemoryWrites, probes: bool
) -> None:
    """Put the blocks into a `hw.core.Core`.

    ::

        pixels > IntensityTable > SpikeStore, or
        pixels > RateEncoder, or
        events > Rasteriser > [ReplayBuffer: members], or
        series > SeriesSource > [ReplayBuffer: members], or
        series and words of the hidden neurons > RecurrentSource, or
        words  > [ReplayBuffer: members] >
            [ReplayBuffer: blocks of a step] > StepLayer > NeuronUnit >
            ReplayBuffer: blocks of a step   > StepLayer > NeuronUnit > ... >
            ReplayBuffer: blocks of a step   > StepLayer > NeuronUnit > CommitteeReadout > records

    What stands in brackets is there only if the design may have several members, or the first
    layer several blocks. Encoders of pixels play a sample once for each member themselves. Where
    weights are drawn, a `Sampler` stands beside each `StepLayer`.
    """
    config = core.config
    reset = ResetInserter(~core.running)

    source, counts = _encoder(m, core=core, design=design, writes=writes, probes=probes)
    moves = source.valid & source.ready & counts
    _count(m, core=core, index=0, word=source.p, valid=moves)
    plays_members = design.sample_input == "pixels" and design.memory is None
    if design.members > 1 and not plays_members:
        m.submodules.members = members = reset(ReplayBuffer(design=design, layer=0))
        connect(m, source, members.i)
        m.d.comb += members.passes.eq(config.members)
        source = members.o

    unit_before = None
    feeds: dict[int, Any] = {}
    for index, this in enumerate(design.layers):
        used = config.layers[index]
        if index > 0 or this.blocks > 1:
            m.submodules[f"replay{index}"] = replay = reset(
                ReplayBuffer(design=design, layer=index, per_step=True)
            )
            m.d.comb += replay.passes.eq(used.blocks)
            if unit_before is None:
                connect(m, source, replay.i)
            else:
                emission = unit_before.emission
                _count(m, core=core, index=index, word=emission.word, valid=emission.valid)
                m.d.comb += [
                    # The unit keeps a place for every word before it begins a step.
                    replay.i.valid.eq(emission.valid),
                    replay.i.p.eq(emission.word),
                    replay.reserve.eq(unit_before.reserve),
                    unit_before.room_behind.eq(replay.room),
                ]
                if design.encoder is not None:
                    series = m.submodules.series
                    m.d.comb += [
                        # Nothing follows the last step of a sample.
                        series.feedback.valid.eq(emission.valid & ~unit_before.state.last),
                        series.feedback.word.eq(emission.word),
                    ]
            source = replay.o
        m.submodules[f"layer{index}"] = layer = reset(
            StepLayer(design=design, layer=index, initial=writes.initial(weight_target(index)))
        )
        m.submodules[f"neurons{index}"] = unit = reset(
            NeuronUnit(
                design=design,
                layer=index,
                initial=writes.initial(threshold_target(design, index)),
            )
        )
        connect(m, source, layer.i)
        m.d.comb += [
            layer.blocks.eq(used.blocks),
            layer.members.eq(config.members),
            layer.room.eq(unit.room),
            layer.write_enable.eq(writes.enable(weight_target(index))),
            layer.write_row.eq(writes.row),
            layer.write_data.eq(writes.data(weight_target(index))),
            unit.neurons.eq(used.neurons),
            unit.members.eq(config.members),
            unit.end.eq(layer.end),
            unit.sums.eq(layer.sums),
            unit.write_enable.eq(writes.enable(threshold_target(design, index))),
            unit.write_row.eq(writes.row),
            unit.write_data.eq(writes.data(threshold_target(design, index))),
        ]
        if this.sampled:
            feed = feeds.get(this.inputs_per_cycle)
            if feed is None:
                feed = reset(SeedFeed(width=this.inputs_per_cycle))
                feeds[this.inputs_per_cycle] = feed
                m.submodules[f"seed{index}"] = feed
                m.d.comb += feed.value.eq(config.seed)
            m.submodules[f"sampler{index}"] = sampler = reset(
                Sampler(layer=this, index=index, members=design.members)
            )
            m.d.comb += [
                sampler.fed_group.eq(feed.group),
                sampler.is_final.eq(feed.is_final),
                sampler.seed.eq(feed.seed),
                sampler.members.eq(config.members),
                sampler.group.eq(layer.random_group),
                sampler.release.eq(layer.random_release),
                layer.random_ready.eq(sampler.ready),
                layer.random_bits.eq(sampler.bits),
            ]
        if probes:
            m.d.comb += getattr(core, f"probe{index}").eq(unit.state)
        unit_before = unit

    m.submodules.readout = readout = reset(CommitteeReadout(design=design))
    m.d.comb += [
        readout.score.eq(unit.score),
        readout.neurons.eq(config.layers[-1].neurons),
        readout.members.eq(config.members),
        readout.reserve.eq(unit.reserve),
        readout.reserve_last.eq(unit.reserve_last),
        unit.room_behind.eq(readout.room),
    ]
    if design.evaluates:
        m.submodules.marks = marks = reset(AnswerMarks(in_flight=8 * len(design.layers)))
        m.d.comb += [
            marks.evaluation.eq(m.submodules.series.evaluation),
            marks.answered.eq(readout.o.valid & readout.o.ready & readout.o.p.last),
            readout.marked.eq(marks.running),
        ]
    elif design.step_results:
        m.d.comb += readout.step_results.eq(config.step_results)
    connect(m, readout.o, flipped(core.o_record))


def _encoder(
    m: Module, *, core: wiring.Component, design: Design, writes: MemoryWrites, probes: bool
) -> tuple[Any, Value]:
    """What turns samples into words; returns the stream of words, and whether the word that is
    offered has not been sent before."""
    reset = ResetInserter(~core.running)
    source = flipped(core.i_sample)
    if not design.has_table:
        words, counts = source, Const(1, 1)
        if design.encodes_rates:
            m.submodules.rates = rates = reset(RateEncoder(design=design))
            connect(m, source, rates.i)
            m.d.comb += [
                rates.steps.eq(core.config.steps),
                rates.passes.eq(core.config.members),
                rates.phase.eq(core.config.phase),
            ]
            words, counts = rates.o, rates.is_first_pass
        if design.memory is not None:
            is_recurrent = design.encoder is not None
            kind = RecurrentSource if is_recurrent else SeriesSource
            targets = range(memory_target(design), memory_target(design) + 2 + is_recurrent)
            initial = [writes.initial(target) for target in targets]
            m.submodules.series = series = reset(kind(design=design, initial=initial))
            connect(m, source, series.i)
            enables = [writes.enable(target) for target in targets]
            m.d.comb += [
                series.config.eq(core.config.memory),
                series.write_enable.eq(Cat(enables)),
                series.write_row.eq(writes.row),
                series.write_data.eq(writes.data(targets[0])),
            ]
            for enable, target in zip(enables[1:], targets[1:], strict=True):
                with m.If(enable):
                    m.d.comb += series.write_data.eq(writes.data(target))
            if is_recurrent:
                m.d.comb += series.series.eq(core.config.series)
            elif design.step_results:
                m.d.comb += series.every.eq(core.config.step_results)
            words = series.o
            if probes:
                m.d.comb += [
                    core.probe_memory.eq(series.state),
                    core.probe_words.valid.eq(words.valid & words.ready),
                    *(core.probe_words[name].eq(words.p[name]) for name, _ in words.p.shape()),
                ]
        if design.sample_input == "events":
            m.submodules.rasteriser = raster = reset(Rasteriser(design=design))
            connect(m, source, raster.i)
            m.d.comb += raster.last_step.eq(core.config.steps - 1)
            words = raster.o
        m.d.comb += [
            core.entry.valid.eq(source.valid & core.running),
            core.entry.ready.eq(source.ready),
            core.entry.last.eq(source.p.last),
        ]
        return words, counts
    m.submodules.table = table = reset(IntensityTable(design=design, initial=writes.initial(0)))
    m.submodules.store = store = reset(SpikeStore(design=design, layer=0))
    connect(m, source, table.i)
    connect(m, table.o, store.i)
    m.d.comb += [
        table.write_valid.eq(writes.enable(0)),
        table.write_row.eq(writes.row),
        # 0xFFFF, no spike: no step of a design has its highest bit set.
        table.write_data.step.eq(writes.data(0)),
        table.write_data.fires.eq(~writes.data(0)[15]),
        store.every_step.eq(1),
        store.last_step.eq(core.config.steps - 1),
        store.passes.eq(core.config.members),
        core.entry.eq(store.entry),
        core.entry.valid.eq(store.entry.valid & core.running),
    ]
    return store.o, store.is_first_pass


def _count(m: Module, *, core: wiring.Component, index: int, word: Any, valid: Value) -> None:
    """Count the spikes that enter a layer."""
    entering = Signal.like(word.spikes, name=f"entering{index}")
    has_entered = Signal(name=f"has_entered{index}")
    m.d.sync += [
        entering.eq(word.spikes),
        has_entered.eq(valid & core.running),
        core.spikes[index].eq(Mux(has_entered, sum(entering), 0)),
    ]
