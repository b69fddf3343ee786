# SPDX-License-Identifier: Apache-2.0
"""Default folds: the fastest design for given networks that a board's chip can hold."""

import dataclasses
from collections.abc import Iterator, Sequence

from hw.boards import Board, find_board
from hw.design import CapacityError, Design, Fold, ceil_div
from hw.estimate import Estimate, estimate
from hw.step_fold import step_designs
from model.description import Network, Readout

__all__ = ["default_design"]

# More lanes cost more in minutes of place and route than they bring in images a second.
_WIDEST = {"ice40": 64, "ecp5": 256, "gowin": 128}
# Pixels that enter a cycle; each has a block RAM for its spike time.
_PIXELS = {"ice40": 2, "ecp5": 16, "gowin": 4}
_SPRAM_ROWS = 16384
# Of an iCE40's cells, for stepwise designs: fuller ones were not placed within 20 minutes. Behind a
# Legendre memory there are few lanes, and designs of 97 % were placed in three minutes.
_FULL_PERCENT = 85
_FULL_PERCENT_BEHIND_MEMORY = 97


def default_design(
    networks: Sequence[Network],
    board_name: str | None = None,
    *,
    sample_input: str = "pixels",
    members: int | None = None,
    resident: bool = False,
) -> Design:
    """Fold for networks of equal depth, as wide as the chip's memories and tables allow.

    On iCE40 a word carries one input, as its memory rows come from four SPRAM blocks; on ECP5 it
    carries four, 16 pixels enter a cycle, and samples are collected while others leave. Both
    readouts of the shipped networks can be chosen at run time. Stepwise networks: see
    `hw.step_fold.step_designs`.

    Parameters
    ----------
    networks
        What the gateware shall hold.
    board_name
        Board; None: the iCEBreaker's fold without its memory cells, for any tool and chip.
    sample_input
        ``"pixels"`` or ``"words"``, see `hw.design.Design`.
    members
        Most members of a committee; None: as many as the networks store, 1 where they are drawn.
    resident
        A network shall be in the bitstream: nothing in SPRAM, which is empty at power-up.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    hw.design.CapacityError
        If no fold fits the chip; the text names what it has too little of.
    """
    board = find_board("icebreaker" if board_name is None else board_name)
    portable = board_name is None or resident
    shortages = []
    designs: Iterator[Design]
    if networks[0].is_stepwise:
        designs = step_designs(
            networks, board, members=members, sample_input=sample_input, portable=portable
        )
    else:
        if members not in (None, 1):
            raise CapacityError(f"Members of single-spike networks must be 1, not {members}")
        designs = (
            _design(networks, board, lanes, sample_input, portable=portable)
            for lanes in _lane_counts(networks, board)
        )
    for design in designs:
        if board_name is None:
            return design
        found = estimate(design, board)
        shortage = found.shortage
        if design.is_stepwise and not shortage and board.family == "ice40":
            shortage = _crowding(design, found)
        if not shortage:
            return design
        shortages.append(shortage)
    sizes = " and ".join("-".join(map(str, network.sizes)) for network in networks)
    raise CapacityError(
        f"Networks of {board.name} must fit its {board.chip}, not {sizes}: "
        f"that takes {shortages[-1]}"
    )


def _crowding(design: Design, found: Estimate) -> str:
    """What place and route would not come to an end with, in words; empty if there is room."""
    percent = _FULL_PERCENT if design.memory is None else _FULL_PERCENT_BEHIND_MEMORY
    limit = found.available.luts * percent // 100
    luts = found.total.luts
    return f"{luts} LUTs of {limit} that can be placed" if luts > limit else ""


def _lane_counts(networks: Sequence[Network], board: Board) -> Iterator[int]:
    """Lanes of the hidden layers from most to fewest, the last block of neurons well filled."""
    neurons = max(
        (layer.neurons for network in networks for layer in network.layers[:-1]),
        default=networks[0].layers[-1].neurons,
    )
    quantum = 16 if board.family == "ice40" else 8
    before = 0
    for blocks in range(1, neurons + 1):
        lanes = quantum * ceil_div(ceil_div(neurons, blocks), quantum)
        if lanes == before or lanes > _WIDEST[board.family]:
            continue
        before = lanes
        yield lanes
        if lanes == quantum:
            return


def _design(
    networks: Sequence[Network], board: Board, lanes: int, sample_input: str, *, portable: bool
) -> Design:
    wide = board.family != "ice40"
    inputs = 4 if wide else 1
    times = 8 if wide else 1
    depth = len(networks[0].layers)
    folds = []
    for index in range(depth):
        neurons = max(network.layers[index].neurons for network in networks)
        if index == depth - 1:
            folds.append(Fold(lanes=min(neurons, 16), inputs_per_cycle=inputs))
        else:
            here = min(lanes, times * ceil_div(neurons, times))
            folds.append(Fold(lanes=here, inputs_per_cycle=inputs, times_per_cycle=times))
    readouts = tuple(
        readout
        for readout in Readout
        if readout in (Readout.FIRST_SPIKE, Readout.SUMMED_POTENTIAL)
        or any(network.readout is readout for network in networks)
    )
    design = Design.for_networks(
        networks,
        folds,
        pixels_per_cycle=_PIXELS[board.family],
        sample_input=sample_input,
        store_banks=2 if wide else 1,
        readouts=readouts,
    )
    first = design.layers[0]
    fits_spram = first.rows <= _SPRAM_ROWS and first.row_bits <= 16 * board.spram_blocks
    if fits_spram and first.row_bits % 16 == 0 and not portable:
        return dataclasses.replace(design, weight_memory="spram")
    return design
