# SPDX-License-Identifier: Apache-2.0
"""Resources of the parts of a stepwise core before it is built; factors as in `hw.fit.estimate`."""

from collections.abc import Callable

from hw.design.design import Design, LayerDesign, ceil_div, index_bits
from hw.flow.report import Resources
from hw.parts.replay_buffer import entry_layout
from hw.parts.step_shapes import neuron_state
from model.description import NeuronKind

__all__ = ["step_parts"]

#: Block RAMs of a memory from depth and width.
Blocks = Callable[[int, int], int]


def step_parts(design: Design, blocks: Blocks) -> dict[str, Resources]:
    """Parts behind the encoder but for the layers' lanes and weights, named as in build reports.

    Parameters
    ----------
    design
        Capacity and fold.
    blocks
        Gives the block RAMs of a memory of so many words of so many bits.
    """
    parts: dict[str, Resources] = {}
    if design.encodes_rates:
        width = 8 * design.pixels_per_cycle
        memory = max(1, blocks(design.layers[0].groups, width))
        parts["rates"] = Resources(
            luts=80 + 35 * design.pixels_per_cycle,
            flip_flops=95 + 33 * design.pixels_per_cycle,
            ram_blocks=2 * memory,
        )
    if design.sample_input == "events":
        bits = index_bits(design.layers[0].groups)
        parts["rasteriser"] = Resources(
            luts=350,
            flip_flops=250,
            ram_blocks=blocks(1 << bits, design.layers[0].inputs_per_cycle)
            + blocks(1 << bits, bits),
        )
    if design.members > 1 and design.sample_input != "pixels":
        parts["members"] = _replay(design, 0, design.sample_words, blocks)
    for index, layer in enumerate(design.layers):
        if index > 0 or layer.blocks > 1:
            parts[f"replay{index}"] = _replay(design, index, layer.groups, blocks)
        parts[f"neurons{index}"] = _neurons(layer, blocks)
        if layer.sampled:
            parts[f"sampler{index}"] = Resources(
                luts=130,
                flip_flops=110,
                ram_blocks=blocks(2 * layer.groups, layer.inputs_per_cycle),
            )
    bits = design.score_bits
    entry = bits + (design.members.bit_length() if design.members > 1 else 0)
    parts["readout"] = Resources(
        luts=30 + 6 * bits,
        flip_flops=20 + 6 * bits,
        # Kept in a block RAM however small it is.
        ram_blocks=max(1, blocks(256, entry)),
    )
    return parts


def _replay(design: Design, layer: int, words: int, blocks: Blocks) -> Resources:
    depth, entry = 2 << index_bits(words), entry_layout(design, layer).size
    # Planes are gathered in an entry, and found in it.
    planes = 4 * entry + 16 if design.layers[layer].input_bits > 1 else 0
    return Resources(luts=55 + planes, flip_flops=55 + planes, ram_blocks=blocks(depth, entry))


def _neurons(layer: LayerDesign, blocks: Blocks) -> Resources:
    """Copies of the sums, which shift out; U updates; states and thresholds."""
    copies = layer.lanes * layer.potential_bits
    count, state = layer.updates_per_cycle, neuron_state(layer).size
    update = Resources(luts=ceil_div(11 * state, 2), flip_flops=9 * state)
    if layer.kind is NeuronKind.DIFFUSED:
        # A sum less a threshold, shifted and clamped.
        width = layer.potential_bits + layer.gain_bits
        update = Resources(luts=9 * width, flip_flops=10 * width)
    return Resources(
        luts=copies + 50 + count * update.luts,
        flip_flops=copies + 80 + count * update.flip_flops,
        ram_blocks=blocks(layer.state_rows, count * state)
        + blocks(layer.state_rows, layer.threshold_row_bits),
    )
