# SPDX-License-Identifier: Apache-2.0
"""What a stepwise design did, held against the golden model, state by state and cycle by cycle."""

from collections.abc import Iterator, Sequence

import numpy as np

from hw.design.design import Design, ceil_div
from hw.times.step_schedule import StepSampleSchedule
from model.committee import StepwiseTrace
from model.description import Network, NeuronKind
from sim.compare import Divergence

__all__ = ["compare_step_cycles", "compare_step_records", "compare_states", "expected_records"]


def _rows(values: np.ndarray, width: int) -> np.ndarray:
    """(K, N, T, neurons) as rows of U neurons in the order of the hardware: (n, U); what is beyond
    the last neuron is 0."""
    members, count, steps, neurons = values.shape
    padded = np.zeros((members, count, steps, ceil_div(neurons, width) * width), np.int64)
    padded[..., :neurons] = values
    # Sample after sample, member after member.
    return padded.transpose(1, 0, 2, 3).reshape(-1, width)


def compare_states(
    design: Design,
    network: Network,
    trace: StepwiseTrace,
    seen: Sequence[dict[str, np.ndarray]],
) -> Iterator[Divergence]:
    """Yield every difference in a state or a spike, layer by layer.

    Parameters
    ----------
    design, network
        What ran.
    trace
        Golden model with states.
    seen
        Per layer, as `sim.bench_files.StepSeen` holds it.

    Yields
    ------
    Divergence
        None if hardware and model are equal in every number.
    """
    for layer, found in enumerate(seen):
        width, neurons = design.layers[layer].updates_per_cycle, network.layers[layer].neurons
        states = {name: values.numpy() for name, values in trace.states[layer].items()}
        members, count, steps, _ = states["membrane"].shape
        rows = ceil_div(neurons, width)
        shape = (count, members, steps, rows)
        total = int(np.prod(shape))
        if len(found["step"]) != total:
            yield Divergence(
                sample=min(len(found["step"]) * count // total, count - 1),
                layer=layer,
                quantity="number of observed rows of neurons",
                expected=total,
                found=len(found["step"]),
            )
        limit = min(total, len(found["step"]))
        image, member, step, row = (part[:limit] for part in np.indices(shape).reshape(4, -1))
        marks = {
            "member": member,
            "step": step % (1 << design.step_bits),
            "row": row,
            "last": step == steps - 1,
        }
        for quantity, expected in marks.items():
            for index in np.flatnonzero(found[quantity][:limit] != expected):
                yield Divergence(
                    sample=int(image[index]),
                    layer=layer,
                    member=int(member[index]),
                    step=int(step[index]),
                    quantity=f"{quantity} of an observation",
                    expected=int(expected[index]),
                    found=int(found[quantity][index]),
                )
        fired = trace.spikes[layer].numpy() if layer < len(trace.spikes) else 0 * states["membrane"]
        names = {"spikes": "spike" if network.layers[layer].output_bits == 1 else "emitted integer"}
        if network.layers[layer].kind is NeuronKind.DIFFUSED:
            names["membrane"] = "fraction"
        # Lanes beyond the last neuron have no state; they never fire.
        used = row[:, None] * width + np.arange(width) < neurons
        for quantity, values in {**states, "spikes": fired}.items():
            expected = _rows(values, width)[:limit]
            wrong = (found[quantity][:limit] != expected) & (used | (quantity == "spikes"))
            for index, place in np.argwhere(wrong):
                yield Divergence(
                    sample=int(image[index]),
                    layer=layer,
                    member=int(member[index]),
                    neuron=int(row[index]) * width + int(place),
                    step=int(step[index]),
                    quantity=names.get(quantity, quantity),
                    expected=int(expected[index, place]),
                    found=int(found[quantity][index, place]),
                )


def expected_records(
    trace: StepwiseTrace, *, step_results: bool, evaluations: int = 1
) -> dict[str, np.ndarray]:
    """Fields of all records by name, in their order.

    Parameters
    ----------
    trace
        Golden model; with spikes if every step is answered.
    step_results
        Whether every step is answered.
    evaluations
        How many "samples" of the trace are answers of one sample.
    """
    scores, winners, votes = (
        values.numpy().reshape(-1, evaluations, *values.shape[1:])
        for values in (trace.scores, trace.winners, trace.votes)
    )
    if step_results:
        scores, winners = trace.running_scores.numpy(), trace.running_winners.numpy()
        votes = np.eye(scores.shape[2], dtype=np.int64)[winners]
    _, _, classes = scores.shape
    running = np.ones(scores.shape, np.int64)
    running[:, -1] = 0
    last = np.zeros_like(running)
    last[..., -1] = 1
    fields = {
        "neuron": np.broadcast_to(np.arange(classes), running.shape),
        "score": scores,
        "votes": votes,
        "class": np.broadcast_to(winners[:, :, None], running.shape),
        "running": running,
        "last": last,
    }
    return {name: values.reshape(-1).astype(np.int64) for name, values in fields.items()}


def compare_step_records(
    network: Network,
    expected: dict[str, np.ndarray],
    records: dict[str, np.ndarray],
    *,
    answers: int = 1,
) -> Iterator[Divergence]:
    """Yield divergences of output records.

    Parameters
    ----------
    network
        What ran.
    expected
        `expected_records`.
    records
        As `sim.bench_files.StepSeen` holds them.
    answers
        Answers a sample.
    """
    total, found = len(expected["neuron"]), len(records["cycle"])
    limit = min(total, found)
    a_sample = answers * network.classes
    for quantity, values in expected.items():
        seen = records["winner" if quantity == "class" else quantity][:limit].astype(np.int64)
        for index in np.flatnonzero(seen != values[:limit]):
            yield Divergence(
                sample=int(index) // a_sample,
                layer=len(network.layers) - 1,
                neuron=int(index) % network.classes,
                step=int(index) % a_sample // network.classes if answers > 1 else None,
                quantity=quantity,
                expected=int(values[index]),
                found=int(seen[index]),
            )
    if total != found:
        yield Divergence(
            sample=min(found, total - 1) // a_sample,
            layer=len(network.layers) - 1,
            quantity="number of output records",
            expected=total,
            found=found,
        )


def compare_step_cycles(
    samples: Sequence[StepSampleSchedule],
    *,
    first_beats: Sequence[int],
    last_beats: Sequence[int],
    record_cycles: np.ndarray,
    states: Sequence[dict[str, np.ndarray]] = (),
    evaluations: int = 1,
) -> Iterator[Divergence]:
    """Yield every difference from the schedule of a run without stalls.

    Parameters
    ----------
    samples
        What the formulas say.
    first_beats, last_beats
        Cycle in which the first and the last beat of each sample were taken.
    record_cycles
        Of all records.
    states
        Per layer, as `sim.bench_files.StepSeen` holds it, if states were observed.
    evaluations
        How many entries of ``samples`` are answers of one sample, which has one first and one last
        beat.

    Yields
    ------
    Divergence
        Its quantity is a cycle; its sample counts entries of ``samples``.
    """
    # The schedule counts from the offer of the first beat, a run from its taking.
    origin = samples[0].first_input
    firsts, lasts = samples[::evaluations], samples[evaluations - 1 :: evaluations]
    columns: list[tuple[str, int | None, list[np.ndarray], np.ndarray]] = [
        ("the first beat", None, [np.array(s.first_input) for s in firsts], np.array(first_beats)),
        ("the last beat", None, [np.array(s.last_input) for s in lasts], np.array(last_beats)),
        ("a record", None, [s.records for s in samples], record_cycles),
        *(
            ("an observation", layer, [s.states[layer] for s in samples], seen["cycle"])
            for layer, seen in enumerate(states)
        ),
    ]
    for quantity, layer, parts, found in columns:
        expected = np.concatenate([part.reshape(-1) for part in parts]) - origin
        number = np.arange(len(parts)) * (len(samples) // len(parts))
        image = np.repeat(number, [part.size for part in parts])
        limit = min(len(expected), len(found))
        for index in np.flatnonzero(expected[:limit] != found[:limit]):
            yield Divergence(
                sample=int(image[index]),
                layer=layer,
                quantity=f"cycle of {quantity}",
                expected=int(expected[index]),
                found=int(found[index]),
            )
        if len(found) < len(expected):
            yield Divergence(
                sample=int(image[limit]),
                layer=layer,
                quantity=f"cycle of {quantity}",
                expected=int(expected[limit]),
                found="never",
            )
