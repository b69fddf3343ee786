# SPDX-License-Identifier: Apache-2.0
"""Folds of stepwise networks and committees for a board's chip."""

import dataclasses
from collections.abc import Iterator, Sequence

from hw.boards import Board
from hw.design.design import Design, Fold, ceil_div
from hw.fit.fold_choices import fits_spram, lane_counts
from model.description import EventEncoding, Network, RateEncoding

__all__ = ["step_designs"]

# More lanes would wait for the states of their neurons, of which U are updated in a cycle.
_WIDEST = {"ice40": 64, "ecp5": 128, "gowin": 64}
# Behind a Legendre memory, whose one multiplier takes most of the time; also of the last layer.
_WIDEST_BEHIND_MEMORY = {"ice40": 32, "ecp5": 64, "gowin": 32}
_LAST_BEHIND_MEMORY = 2


def step_designs(
    networks: Sequence[Network],
    board: Board,
    *,
    members: int | None,
    sample_input: str,
    portable: bool,
) -> Iterator[Design]:
    """Designs for a board's chip, the widest first.

    On iCE40 a word carries one input; the layer with most weights is in SPRAM where its rows fit
    there. On ECP5 a word carries four inputs, and the states of four neurons are updated in a
    cycle. Answers after every step can be chosen at run time. Behind a Legendre memory there are
    fewer lanes: it is the memory that takes the time.

    Parameters
    ----------
    networks
        What the gateware shall hold.
    board
        Board.
    members
        Most members of a committee; None: as many as the networks store.
    sample_input
        As in `hw.design.design.Design`; ``"pixels"`` is ``"events"`` for networks of events.
    portable
        No memory cells of the chip's own.
    """
    # The loop of a recurrent network goes input by input.
    is_recurrent = networks[0].is_recurrent
    width = 4 if board.family != "ice40" and not is_recurrent else 1
    depth = len(networks[0].layers)
    neurons = [max(network.layers[k].neurons for network in networks) for k in range(depth)]
    if sample_input == "pixels" and isinstance(networks[0].encoding, EventEncoding):
        sample_input = "events"
    stored = max(network.members for network in networks)
    if members is None and not any(network.is_sampled for network in networks):
        members = stored
    behind_memory = networks[0].memory is not None
    widest = (_WIDEST_BEHIND_MEMORY if behind_memory else _WIDEST)[board.family]
    last = _LAST_BEHIND_MEMORY if behind_memory else 16
    hidden = max(neurons[:-1], default=neurons[-1])
    for lanes in lane_counts(hidden, widest):
        folds = [
            Fold(
                lanes=min(lanes, width * ceil_div(count, width)),
                inputs_per_cycle=width,
                times_per_cycle=width,
            )
            for count in neurons[:-1]
        ]
        folds.append(Fold(lanes=min(neurons[-1], lanes, last), inputs_per_cycle=width))
        design = Design.for_networks(
            networks,
            folds,
            # A sample takes far longer than its pixels.
            pixels_per_cycle=width,
            sample_input=sample_input,
            # With several members the words of a sample are kept behind the store, too.
            store_banks=1 if (members or 1) > 1 or _is_rate(networks) else 2,
            step_results=True,
            **({} if members is None else {"members": members}),
        )
        yield design if portable else _in_spram(design, board)


def _is_rate(networks: Sequence[Network]) -> bool:
    return isinstance(networks[0].encoding, RateEncoding)


def _in_spram(design: Design, board: Board) -> Design:
    """The layer with most weights in SPRAM, if the board has some and the rows fit."""
    fitting = [index for index, layer in enumerate(design.layers) if fits_spram(layer, board)]
    if not fitting:
        return design
    largest = max(
        fitting, key=lambda index: design.layers[index].rows * design.layers[index].row_bits
    )
    return dataclasses.replace(design, weight_memory="spram", spram_layer=largest)
