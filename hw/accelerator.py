# SPDX-License-Identifier: Apache-2.0
"""The accelerator: core, loader and registers; what an export or a board wraps."""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.core import Core, probe_layouts
from hw.design.design import Design
from hw.formats.contents import Contents, check_contents
from hw.formats.image_layout import LoadError, LoadState
from hw.formats.register_map import BootWord, ErrorFlags, LinkWord
from hw.loading.latency_counter import LatencyCounter
from hw.loading.loader import Loader
from hw.loading.registers import RegisterBus, Registers
from hw.parts.byte_beat import ByteBeat
from hw.parts.spike_word import output_record, sample_beat

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """Holds one network at a time, and answers samples with records.

    Parameters
    ----------
    design
        Capacity and fold.
    probes
        Add a port for each of `hw.core.probe_layouts`.
    clock_hz, board
        Clock and name of the board, for the host's information; see
        `hw.loading.registers.Registers`.
    contents
        What the memories hold at power-up; None: nothing that matters.

    Members
    -------
    i_network : In(stream of ByteBeat)
        A device image; the network is active when ``running`` rises.
    i_sample : In(stream of sample_beat)
        Samples; taken only while a network is active, and while there is a seed where its members
        are drawn. What is in the core is lost when the host chooses other members or another seed.
    o_record : Out(stream of output_record)
        One record an output neuron.
    bus : In(RegisterBus)
        Register window.
    errors : In(ErrorFlags)
        Raise a flag of the register window.
    link : In(LinkWord), boot : In(BootWord), boot_write : Out(1), boot_slot : Out(8)
        Of the board around it; see `hw.loading.registers.Registers`.
    forget : In(1)
        Forget the network, or the image that is being loaded.
    dropped : Out(1)
        The host wants the same.
    resident : In(1), ends : Out(1)
        As of `hw.loading.loader.Loader`.
    restart : In(1)
        Forget all samples that are in the core.
    running : Out(1), state : Out(LoadState), load_error : Out(LoadError)
        What is held; see `hw.loading.loader.Loader`.
    sample_values, classes : Out
        Bytes of a sample, and classes, of the network that is held.
    needs_seed : Out(1)
        Members are drawn, and no seed has been chosen.
    measured : Out(1)
        The cycles of the sample whose records leave are being counted.
    """

    def __init__(
        self,
        *,
        design: Design,
        probes: bool = False,
        clock_hz: int = 0,
        board: str | None = None,
        contents: Contents | None = None,
    ) -> None:
        self._design = design
        self._contents = contents if contents is None else check_contents(contents, design)
        self._probes = probes
        self._clock_hz = clock_hz
        self._board = board
        ports = {
            "i_network": In(stream.Signature(ByteBeat)),
            "i_sample": In(stream.Signature(sample_beat(design))),
            "o_record": Out(stream.Signature(output_record(design))),
            "bus": In(RegisterBus()),
            "errors": In(ErrorFlags),
            "link": In(LinkWord),
            "boot": In(BootWord),
            "boot_write": Out(1),
            "boot_slot": Out(8),
            "forget": In(1),
            "dropped": Out(1),
            "resident": In(1),
            "ends": Out(1),
            "restart": In(1),
            "running": Out(1),
            "state": Out(LoadState),
            "load_error": Out(LoadError),
            "sample_values": Out(range(design.sample_values + 1)),
            "classes": Out(range(design.classes + 1)),
            "needs_seed": Out(1),
            "measured": Out(1),
        }
        if probes:
            ports |= {name: Out(layout) for name, layout in probe_layouts(design).items()}
        super().__init__(ports)

    @property
    def design(self) -> Design:
        """Capacity and fold."""
        return self._design

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.registers = registers = Registers(
            design=design, clock_hz=self._clock_hz, board=self._board
        )
        loader = Loader(design=design)
        # One cycle later: a register write has come a long way.
        drop = Signal()
        m.d.sync += drop.eq(registers.drop)
        m.submodules.loader = ResetInserter(drop | self.forget)(loader)
        m.submodules.core = core = Core(design=design, probes=self._probes, contents=self._contents)
        m.submodules.latency = latency = LatencyCounter(
            lead=core.entry_latency, in_flight=8 * len(design.layers)
        )

        connect(m, flipped(self.i_network), loader.i)
        connect(m, flipped(self.bus), registers.bus)
        # After another choice, too, the core is in reset for a cycle.
        running = Signal()
        answers = Signal()
        m.d.comb += [
            running.eq(loader.running & ~registers.chosen & ~self.restart),
            answers.eq(running & ~self.needs_seed),
            core.running.eq(running),
            core.config.eq(loader.config),
            core.write_valid.eq(loader.write_valid),
            core.write_target.eq(loader.write_target),
            core.write_row.eq(loader.write_row),
            core.write_end.eq(loader.write_end),
            core.write_data.eq(loader.write_data),
            self.dropped.eq(drop),
            loader.resident.eq(self.resident),
            self.ends.eq(loader.ends),
            self.running.eq(loader.running),
            self.state.eq(loader.state),
            self.load_error.eq(loader.error),
            self.sample_values.eq(loader.sample_values),
            # No network that was taken has more classes than the design.
            self.classes.eq(loader.config.layers[-1].neurons),
        ]
        for name in probe_layouts(design) if self._probes else ():
            m.d.comb += getattr(self, name).eq(getattr(core, name))

        if design.is_stepwise:
            m.d.comb += core.config.members.eq(registers.choice.members)
        if design.step_results:
            m.d.comb += core.config.step_results.eq(registers.choice.step_results)
        if design.sampled:
            m.d.comb += [
                core.config.seed.eq(registers.choice.seed),
                self.needs_seed.eq((loader.members == 0) & (registers.choice.seed == 0)),
            ]

        # A core in reset neither takes nor gives.
        m.d.comb += [
            core.i_sample.payload.eq(self.i_sample.payload),
            core.i_sample.valid.eq(self.i_sample.valid & answers),
            self.i_sample.ready.eq(core.i_sample.ready & answers),
            self.o_record.payload.eq(core.o_record.payload),
            self.o_record.valid.eq(core.o_record.valid & running),
            core.o_record.ready.eq(self.o_record.ready),
        ]
        # The record that ends a sample; answers after its steps have a last record, too.
        ends = self.o_record.p.last
        if design.is_stepwise:
            ends = ends & ~self.o_record.p.running
        m.d.comb += [
            self.measured.eq(latency.measured),
            latency.running.eq(running),
            latency.sample_valid.eq(core.entry.valid),
            latency.sample_ready.eq(core.entry.ready),
            latency.sample_last.eq(core.entry.last),
            latency.record_valid.eq(self.o_record.valid),
            latency.record_ready.eq(self.o_record.ready),
            latency.record_last.eq(ends),
        ]

        refused = Signal()
        was_refused = Signal()
        m.d.comb += [
            refused.eq(loader.error != LoadError.NONE),
            registers.running.eq(loader.running),
            registers.state.eq(loader.state),
            registers.load_error.eq(loader.error),
            registers.fingerprint.eq(loader.fingerprint),
            registers.members.eq(loader.members),
            registers.sample_values.eq(loader.sample_values),
            registers.config.eq(loader.config),
            registers.latency.eq(latency.latency),
            registers.errors.eq(self.errors),
            registers.link.eq(self.link),
            registers.boot.eq(self.boot),
            self.boot_write.eq(registers.boot_write),
            self.boot_slot.eq(registers.boot_slot),
        ]
        with m.If(refused & ~was_refused):
            m.d.comb += registers.errors.load.eq(1)
        m.d.sync += [
            was_refused.eq(refused),
            registers.sample_done.eq(self.o_record.valid & self.o_record.ready & ends),
            registers.input_spikes.eq(core.spikes[0]),
            registers.hidden_spikes.eq(
                sum(core.spikes[index] for index in range(1, len(design.layers)))
            ),
        ]
        return m
