# SPDX-License-Identifier: Apache-2.0
"""Default folds: the fastest design for given networks that a board's chip can hold."""

import dataclasses
from collections.abc import Iterator, Sequence

from hw.boards import Board, find_board
from hw.design.design import CapacityError, Design, Fold, ceil_div
from hw.fit.estimate import Estimate, Shortage, estimate
from hw.fit.fold_choices import fits_spram, lane_counts
from hw.fit.step_fold import step_designs
from model.description import Network, Readout

__all__ = ["boots_from_flash", "default_design"]

# More lanes cost more in minutes of place and route than they bring in images a second.
_WIDEST = {"ice40": 64, "ecp5": 256, "gowin": 128}
# Inputs of a word; pixels that enter a cycle, each with a block RAM for its spike time; banks of
# the stores. Where block RAM is short, fewer.
_INTAKES = {
    "ice40": ((1, 2, 1),),
    "ecp5": ((4, 16, 2), (4, 4, 2), (4, 4, 1), (2, 2, 1)),
    "gowin": ((4, 4, 2), (4, 4, 1), (2, 2, 1)),
}
# Of an iCE40's cells, by estimate. Single-spike designs come out 2 % above theirs. Stepwise ones
# without a Legendre memory have many lanes with a state each, and fuller ones were not placed.
_FULL_PERCENT = {"single-spike": 98, "stepwise": 85, "behind a memory": 99}
# Of a Gowin chip's flip-flops, by estimate. Carry cells and flip-flops share the same places there,
# next to inputs that must be common: a design of 57 % was not placed, one of 55 % in four minutes.
_FULL_GOWIN_PERCENT = 45
# Of the cells, what a single-spike design leaves free beside a boot from flash that nobody asked
# for: one of two designs as full as the limits was not placed.
_SPARE_PERCENT = 2


def default_design(
    networks: Sequence[Network],
    board_name: str | None = None,
    *,
    sample_input: str = "pixels",
    members: int | None = None,
    resident: bool = False,
    flash: bool | None = None,
) -> Design:
    """Fold for networks of equal depth, as wide as the chip's memories and tables allow.

    On iCE40 a word carries one input, as its memory rows come from four SPRAM blocks; on ECP5 it
    carries four, 16 pixels enter a cycle, and samples are collected while others leave. Both
    readouts of the shipped networks can be chosen at run time. On Gowin chips four pixels enter.
    Where that does not fit, fewer pixels enter, and only readouts of the given networks can be
    chosen. Stepwise networks: see `hw.fit.step_fold.step_designs`.

    Parameters
    ----------
    networks
        What the gateware shall hold.
    board_name
        Board; None: the iCEBreaker's fold without its memory cells, for any tool and chip.
    sample_input
        ``"pixels"`` or ``"words"``, see `hw.design.design.Design`.
    members
        Most members of a committee; None: as many as the networks store, 1 where they are drawn.
    resident
        A network shall be in the bitstream: nothing in SPRAM, which is empty at power-up.
    flash
        The gateware shall boot networks from the board's flash, which takes some tables; None:
        where a fold with it fits, see `boots_from_flash`.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    hw.design.design.CapacityError
        If no fold fits the chip; the text names what it has too little of.
    """
    board = find_board("icebreaker" if board_name is None else board_name)
    portable = board_name is None or resident
    designs: Iterator[Design]
    if networks[0].is_stepwise:
        designs = step_designs(
            networks, board, members=members, sample_input=sample_input, portable=portable
        )
    else:
        if members not in (None, 1):
            raise CapacityError(f"Members of single-spike networks must be 1, not {members}")
        designs = (
            _design(networks, board, lanes, intake, sample_input, readouts, portable=portable)
            for readouts in _readout_choices(networks)
            for intake in _INTAKES[board.family]
            for lanes in lane_counts(_most_neurons(networks), _WIDEST[board.family])
        )
    if board_name is None:
        return next(designs)
    tried = list(designs)
    # With the boot from flash where it fits, with room to spare if nobody asked for it.
    choices = ((True, _SPARE_PERCENT), (False, 0)) if flash is None else ((flash, 0),)
    for boots, spare in choices:
        shortages = []
        for design in tried:
            shortage = _shortage(design, board, flash=boots, spare=spare)
            if shortage is None:
                return design
            shortages.append(shortage)
    sizes = " and ".join("-".join(map(str, network.sizes)) for network in networks)
    raise CapacityError(
        f"Networks of {board.name} must fit its {board.chip}, not {sizes}: "
        f"that takes {min(shortages, key=lambda shortage: shortage.excess)}"
    )


def boots_from_flash(design: Design, board_name: str) -> bool:
    """Whether a design that fits a board leaves room for the boot from its flash.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    """
    return _shortage(design, find_board(board_name), flash=True, spare=_SPARE_PERCENT) is None


def _shortage(design: Design, board: Board, *, flash: bool, spare: int = 0) -> Shortage | None:
    """What the chip has too little of, ``spare`` percent beside; None if the design fits it."""
    found = estimate(design, board, flash=flash)
    return found.shortage or _crowding(design, board, found, spare)


def _crowding(design: Design, board: Board, found: Estimate, spare: int) -> Shortage | None:
    """What place and route would not come to an end with; None if there is room."""
    if board.family == "gowin":
        limit = found.available.flip_flops * _FULL_GOWIN_PERCENT // 100
        flip_flops = found.total.flip_flops
        short = Shortage(need=flip_flops, limit=limit, of="flip-flops", crowded=True)
        return short if flip_flops > limit else None
    if board.family != "ice40":
        return None
    kind = "stepwise" if design.is_stepwise else "single-spike"
    percent = _FULL_PERCENT[kind if design.memory is None else "behind a memory"]
    if not design.is_stepwise:
        percent -= spare
    limit = found.available.luts * percent // 100
    luts = found.total.luts
    short = Shortage(need=luts, limit=limit, of="LUTs", crowded=True)
    return short if luts > limit else None


def _most_neurons(networks: Sequence[Network]) -> int:
    """Neurons of the largest hidden layer; of the only layer where there is no other."""
    return max(
        (layer.neurons for network in networks for layer in network.layers[:-1]),
        default=networks[0].layers[-1].neurons,
    )


def _readout_choices(networks: Sequence[Network]) -> Iterator[tuple[Readout, ...]]:
    """Readouts that can be chosen at run time: those of the shipped networks, then only ours."""
    own = {network.readout for network in networks}
    both = {Readout.FIRST_SPIKE, Readout.SUMMED_POTENTIAL}
    yield tuple(readout for readout in Readout if readout in own | both)
    if not own >= both:
        yield tuple(readout for readout in Readout if readout in own)


def _design(
    networks: Sequence[Network],
    board: Board,
    lanes: int,
    intake: tuple[int, int, int],
    sample_input: str,
    readouts: tuple[Readout, ...],
    *,
    portable: bool,
) -> Design:
    wide = board.family != "ice40"
    inputs, pixels, banks = intake
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
    design = Design.for_networks(
        networks,
        folds,
        pixels_per_cycle=pixels,
        sample_input=sample_input,
        store_banks=banks,
        readouts=readouts,
    )
    if fits_spram(design.layers[0], board) and not portable:
        return dataclasses.replace(design, weight_memory="spram")
    return design
