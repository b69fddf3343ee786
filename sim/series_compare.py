# SPDX-License-Identifier: Apache-2.0
"""What a Legendre memory in hardware did, held against the golden model, state by state."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from model.legendre import LegendreMemory
from sim.compare import Divergence

__all__ = [
    "compare_digests",
    "compare_memory",
    "compare_memory_cycles",
    "compare_words",
    "of_answers",
    "write_order",
]


def write_order(memory: LegendreMemory) -> np.ndarray:
    """Indices of the states in the order in which a step writes them: channel by channel, from the
    last one down."""
    rows = np.arange(memory.states).reshape(memory.channels, memory.order)
    return rows[:, ::-1].reshape(-1)


def of_answers(found: Iterable[Divergence], steps: Sequence[int]) -> Iterator[Divergence]:
    """Name the sample of what was found in evaluations, of which a sample has one after each number
    of input steps in ``steps``; if those are several, name the input step of what layers did."""
    answers = len(steps)
    for each in found:
        sample, answer = divmod(each.sample, answers)
        is_answer = answers > 1 and each.layer is not None
        input_step = steps[answer] - 1 if is_answer else each.input_step
        yield dataclasses.replace(each, sample=sample, input_step=input_step)


def compare_memory(
    memory: LegendreMemory, states: np.ndarray, seen: dict[str, np.ndarray]
) -> Iterator[Divergence]:
    """Yield every difference in a state after an input step.

    Parameters
    ----------
    memory
        The memory.
    states
        Golden model: integers (N, T, states).
    seen
        ``row`` and ``value`` of each state that was written, in their order.
    """
    order = write_order(memory)
    _, steps, count = states.shape
    places = np.tile(order, states.size // count)
    values = states[:, :, order].reshape(-1)
    for quantity, expected, found in (
        ("index of a written state", places, seen["row"]),
        ("state of the memory", values, seen["value"]),
    ):
        limit = min(len(expected), len(found))
        for index in np.flatnonzero(expected[:limit] != found[:limit]):
            step, place = divmod(int(index), count)
            yield Divergence(
                sample=step // steps,
                input_step=step % steps,
                index=int(order[place]),
                quantity=quantity,
                expected=int(expected[index]),
                found=int(found[index]),
            )
    if len(seen["row"]) != len(places):
        step = min(len(seen["row"]), len(places) - 1) // count
        yield Divergence(
            sample=step // steps,
            input_step=step % steps,
            quantity="number of written states",
            expected=len(places),
            found=len(seen["row"]),
        )


def compare_memory_cycles(
    memory: LegendreMemory, cycles: np.ndarray, found: np.ndarray
) -> Iterator[Divergence]:
    """Yield every state that was not written in the cycle of the schedule.

    Parameters
    ----------
    memory
        The memory.
    cycles
        What the formulas say: int64 (N, T, states).
    found
        Cycle of each state that was written, in their order.
    """
    order = write_order(memory)
    _, steps, count = cycles.shape
    expected = cycles[:, :, order].reshape(-1)
    limit = min(len(expected), len(found))
    for index in np.flatnonzero(expected[:limit] != found[:limit]):
        step, place = divmod(int(index), count)
        yield Divergence(
            sample=step // steps,
            input_step=step % steps,
            index=int(order[place]),
            quantity="cycle of a written state",
            expected=int(expected[index]),
            found=int(found[index]),
        )


def compare_words(
    expected: dict[str, np.ndarray], seen: dict[str, np.ndarray]
) -> Iterator[Divergence]:
    """Yield every difference in a word that the memory sent to the first layer.

    Parameters
    ----------
    expected
        ``sample`` (number of the evaluation) and ``step`` (read) of each word, and its fields.
    seen
        The fields, in the order in which the words were taken.
    """
    total, found = len(expected["step"]), len(seen["group"])
    limit = min(total, found)
    for field in (name for name in expected if name not in ("sample", "step")):
        for index in np.flatnonzero(expected[field][:limit] != seen[field][:limit]):
            yield Divergence(
                sample=int(expected["sample"][index]),
                layer=0,
                step=int(expected["step"][index]),
                quantity=f"{field.replace('_', ' ')} of a word",
                expected=int(expected[field][index]),
                found=int(seen[field][index]),
            )
    if found != total:
        yield Divergence(
            sample=int(expected["sample"][min(found, total - 1)]),
            layer=0,
            quantity="number of words",
            expected=total,
            found=found,
        )


def compare_digests(quantity: str, expected: np.ndarray, found: np.ndarray) -> Iterator[Divergence]:
    """Yield every input step whose digest differs.

    Parameters
    ----------
    quantity
        What the digests are of.
    expected
        uint64 (N, T).
    found
        uint64 (n,), one a step, in order.
    """
    steps = expected.shape[1]
    wanted = expected.reshape(-1)
    limit = min(len(wanted), len(found))
    for index in np.flatnonzero(wanted[:limit] != found[:limit]):
        yield Divergence(
            sample=int(index) // steps,
            input_step=int(index) % steps,
            quantity=quantity,
            expected=f"{wanted[index]:016x}",
            found=f"{found[index]:016x}",
        )
    if len(found) != len(wanted):
        index = min(len(found), len(wanted) - 1)
        yield Divergence(
            sample=index // steps,
            input_step=index % steps,
            quantity=f"number of steps with a {quantity}",
            expected=len(wanted),
            found=len(found),
        )
