# SPDX-License-Identifier: Apache-2.0
"""The spiking core: samples in, output records out; no link, no board, no clock."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.formats.contents import Contents, check_contents
from hw.formats.write_target import write_row_bits, write_targets
from hw.legendre.legendre_memory import memory_state_layout
from hw.loading.core_config import core_config
from hw.loading.memory_writes import MemoryWrites
from hw.parts.spike_word import output_record, sample_beat, spike_word
from hw.parts.step_shapes import state_layout
from hw.parts.word_former import ENTRY
from hw.single_spike.layer import observation_layout
from hw.single_spike.single_spike_chain import add_single_spike_chain
from hw.stepwise.step_chain import add_step_chain

__all__ = ["Core", "probe_layouts", "spike_counts"]


def spike_counts(design: Design) -> data.ArrayLayout:
    """Numbers of spikes that enter each layer in one cycle."""
    most = max(layer.inputs_per_cycle for layer in design.layers)
    return data.ArrayLayout(range(most + 1), len(design.layers))


def probe_layouts(design: Design) -> dict[str, data.StructLayout]:
    """What can be seen inside, by name; each has a field ``valid``.

    ``probe<l>``: a layer, `hw.single_spike.layer.observation_layout`, or
    `hw.parts.step_shapes.state_layout` of a stepwise design. With a Legendre memory
    ``probe_memory``: each state when it is written,
    `hw.legendre.legendre_memory.memory_state_layout`; and ``probe_words``: each
    `hw.spike_word.spike_word` that it sends, when it is taken.
    """
    layer_layout = state_layout if design.is_stepwise else observation_layout
    layouts = {f"probe{layer}": layer_layout(design, layer) for layer in range(len(design.layers))}
    if design.memory is not None:
        fields = {name: field.shape for name, field in spike_word(design, 0)}
        layouts["probe_memory"] = memory_state_layout(design.memory)
        layouts["probe_words"] = data.StructLayout({"valid": 1, **fields})
    return layouts


class Core(wiring.Component):
    """Encoder, layers and readout in a row, all working at once on different samples.

    The blocks and their order stand in `hw.single_spike.single_spike_chain` and
    `hw.stepwise.step_chain`.

    Parameters
    ----------
    design
        Capacity and fold.
    probes
        Give the core a port for each of `probe_layouts`.
    contents
        What its memories hold at power-up; None: nothing that matters.

    Members
    -------
    i_sample : In(stream of sample_beat)
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
        Number of the memory, see `hw.formats.write_target`.
    write_row : In(write_row_bits)
        Row number (intensity, for the table).
    write_end : In(1)
        This byte is the last of its row. Bytes come lowest first.
    write_data : In(8)
        The byte.
    spikes : Out(spike_counts)
        Spikes that entered each layer two cycles before; replays do not count.
    entry : Out(ENTRY)
        Transfers of samples where waiting for the source no longer overlaps with work.
    """

    def __init__(
        self, *, design: Design, probes: bool = False, contents: Contents | None = None
    ) -> None:
        self._contents = contents if contents is None else check_contents(contents, design)
        self._design = design
        self._probes = probes
        ports = {
            "i_sample": In(stream.Signature(sample_beat(design))),
            "o_record": Out(stream.Signature(output_record(design))),
            "running": In(1),
            "config": In(core_config(design)),
            "write_valid": In(1),
            "write_target": In(range(1 + write_targets(design)[-1].number)),
            "write_row": In(write_row_bits(design)),
            "write_end": In(1),
            "write_data": In(8),
            "spikes": Out(spike_counts(design)),
            "entry": Out(ENTRY),
        }
        if probes:
            ports |= {name: Out(layout) for name, layout in probe_layouts(design).items()}
        super().__init__(ports)

    @property
    def entry_latency(self) -> int:
        """Cycles from the taking of a beat to its transfer at ``entry``."""
        return 3 if self._design.has_table else 0

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        writes = MemoryWrites(
            m,
            design=self._design,
            valid=self.write_valid,
            target=self.write_target,
            row=self.write_row,
            end=self.write_end,
            data=self.write_data,
            contents=self._contents,
        )
        add_chain = add_step_chain if self._design.is_stepwise else add_single_spike_chain
        add_chain(m, core=self, design=self._design, writes=writes, probes=self._probes)
        return m
