# SPDX-License-Identifier: Apache-2.0
"""Which shipped networks fit a board, and which is the largest that does."""

import dataclasses
from collections.abc import Iterator

from hw.design.design import Design
from model.description import Network

__all__ = ["LARGEST", "Fit", "fits", "largest_fit", "reason_text"]

#: In place of a network's name: the largest shipped one that fits the board.
LARGEST = "largest"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """A shipped network and what comes of it on a board.

    Parameters
    ----------
    name
        Name of the network.
    weight_bits
        Weight bits that it stores.
    accuracy
        Share of test samples that it has right, 0 if not known.
    network
        The network.
    design
        Gateware for it; None if it does not fit.
    shortage
        Why it does not fit, in words; empty if it does.
    """

    name: str
    weight_bits: int
    accuracy: float
    network: Network
    design: Design | None = None
    shortage: str = ""


def fits(board: str, *, flash: bool | None = None) -> Iterator[Fit]:
    """Shipped networks for a board by their stored weight bits, most first.

    Of networks with as many weight bits the one with the higher test accuracy comes first.

    Parameters
    ----------
    board
        Board name.
    flash
        The board shall boot networks from its flash; None: where there is room for that.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    """
    from hw.boards import find_board
    from hw.design.design import CapacityError
    from hw.fit.fold import default_design
    from model import zoo

    find_board(board)
    shipped = []
    for name in zoo.names():
        network = zoo.load(name)
        accuracy = float(network.metadata.get("test_accuracy") or 0.0)
        shipped.append(
            Fit(name=name, weight_bits=network.weight_bits, accuracy=accuracy, network=network)
        )
    shipped.sort(key=lambda each: (-each.weight_bits, -each.accuracy, each.name))
    for each in shipped:
        try:
            design = default_design([each.network], board, flash=flash)
        except CapacityError as error:
            yield dataclasses.replace(each, shortage=str(error).rpartition(": that takes ")[2])
        else:
            yield dataclasses.replace(each, design=design)


def largest_fit(board: str, *, flash: bool | None = None) -> tuple[Fit, tuple[Fit, ...]]:
    """Largest shipped network that fits a board, and the larger ones, which do not.

    Parameters
    ----------
    board, flash
        As of `fits`.

    Raises
    ------
    hw.boards.UnknownBoardError
        If there is no such board.
    hw.design.design.CapacityError
        If none fits.
    """
    from hw.design.design import CapacityError

    larger: list[Fit] = []
    for each in fits(board, flash=flash):
        if each.design is not None:
            return each, tuple(larger)
        larger.append(each)
    raise CapacityError(f"A shipped network must fit {board}, and none does")


def reason_text(chosen: Fit, larger: tuple[Fit, ...]) -> str:
    """Why a network was chosen, in words."""
    text = f"{chosen.name} stores {chosen.weight_bits:,} weight bits"
    if not larger:
        return f"{text}: the largest shipped network"
    others = "; ".join(
        f"{each.name} ({each.weight_bits:,}) would take {each.shortage}" for each in larger
    )
    return f"{text}: the largest shipped network that fits. {others} (estimated)"
