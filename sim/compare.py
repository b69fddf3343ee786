# SPDX-License-Identifier: Apache-2.0
"""What the hardware did, held against the golden model, potential by potential."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from hw.design.design import Design, ceil_div
from hw.times.schedule import Schedule
from model.description import Network, Readout
from model.golden import Trace

__all__ = [
    "Divergence",
    "Observation",
    "Record",
    "compare",
    "compare_cycles",
    "compare_records",
    "observed_steps",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Divergence:
    """One place where hardware and golden model part.

    Parameters
    ----------
    sample
        Index of the sample in the run.
    input_step, index
        Of a series: step, and state of the memory; None if the quantity has no such coordinate.
    layer, member, neuron, step
        Where in the layers; None likewise.
    quantity
        What was compared.
    expected, found
        Golden model and hardware.
    """

    sample: int
    input_step: int | None = None
    layer: int | None = None
    member: int | None = None
    neuron: int | None = None
    step: int | None = None
    index: int | None = None
    quantity: str
    expected: object
    found: object

    def __str__(self) -> str:
        names = ("sample", "input_step", "layer", "member", "neuron", "step", "index")
        places = ((name.replace("_", " "), getattr(self, name)) for name in names)
        where = [f"{noun} {place}" for noun, place in places if place is not None]
        return f"{', '.join(where)}: {self.quantity} must be {self.expected}, not {self.found}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
    """The potentials of one block of P neurons at the end of one step.

    Parameters
    ----------
    cycle
        When, counted from the first beat of the first sample.
    block, step
        Which block, which step.
    last
        Last observation of the block's pass.
    potentials
        ``V - threshold`` of each lane.
    """

    cycle: int
    block: int
    step: int
    last: bool
    potentials: Sequence[int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One output record, see `hw.parts.spike_word.output_record`, and the cycle in which it
    came."""

    cycle: int
    neuron: int
    fired: bool
    step: int
    score: int
    winner: int
    last: bool


def observed_steps(network: Network, trace: Trace, image: int, layer: int) -> list[int]:
    """Steps at whose end the hardware looks at a layer: 0, and those with input spikes.

    With the summed-potential readout the output layer is looked at in every step.
    """
    is_output = layer == len(network.layers) - 1
    if is_output and network.readout is Readout.SUMMED_POTENTIAL:
        return list(range(network.steps))
    arrivals = trace.input_steps if layer == 0 else trace.spike_steps[layer - 1]
    steps = set(arrivals[image].tolist()) | {0}
    return sorted(steps - {network.steps})


def compare(
    *,
    design: Design,
    network: Network,
    trace: Trace,
    observations: Sequence[Sequence[Observation]],
    records: Sequence[Record],
) -> Iterator[Divergence]:
    """Yield every divergence, image by image.

    Parameters
    ----------
    design, network
        What ran.
    trace
        Golden model with potentials.
    observations
        Per layer, in the order in which they were seen.
    records
        In the order in which they came.

    Yields
    ------
    Divergence
        None if hardware and model are equal in every number.
    """
    count = len(trace.winners)
    streams = [list(layer) for layer in observations]
    positions = [0] * len(streams)
    for image in range(count):
        for layer in range(len(network.layers)):
            taken = yield from _compare_layer(
                design, network, trace, image, layer, streams[layer][positions[layer] :]
            )
            positions[layer] += taken
    for layer, (stream, position) in enumerate(zip(streams, positions, strict=True)):
        if position < len(stream):
            yield Divergence(
                sample=count - 1,
                layer=layer,
                quantity="number of observed steps",
                expected=position,
                found=len(stream),
            )
    yield from compare_records(network, trace, records)


def _compare_layer(
    design: Design,
    network: Network,
    trace: Trace,
    image: int,
    layer: int,
    seen: Sequence[Observation],
) -> Iterator[Divergence]:
    """Compare one image's passes of one layer; returns how many observations they took."""
    lanes = design.layers[layer].lanes
    neurons = network.layers[layer].neurons
    golden = trace.potentials[layer][image].numpy()
    steps = observed_steps(network, trace, image, layer)
    _check_silent_steps(golden, steps)
    stops = (
        design.early_stop
        and layer == len(network.layers) - 1
        and network.readout is Readout.FIRST_SPIKE
    )
    decision = int(trace.decision_steps[image]) if stops else network.steps
    index = 0
    for block in range(ceil_div(neurons, lanes)):
        first = block * lanes
        for step in steps:
            if step > decision:
                # Decided: what is still under way is ignored, up to its end.
                rest = [found.last for found in seen[index:]]
                return index + (rest.index(True) + 1 if True in rest else len(rest))
            where = {"sample": image, "layer": layer, "neuron": first, "step": step}
            expected_mark = (block, step, step == steps[-1])
            if index == len(seen):
                yield Divergence(
                    **where, quantity="(block, step, last)", expected=expected_mark, found="nothing"
                )
                return index
            found = seen[index]
            index += 1
            mark = (found.block, found.step, found.last)
            if mark != expected_mark:
                yield Divergence(
                    **where, quantity="(block, step, last)", expected=expected_mark, found=mark
                )
            expected = golden[step, first : first + lanes]
            actual = np.array(found.potentials[: len(expected)])
            for lane in np.flatnonzero(expected != actual):
                where["neuron"] = first + int(lane)
                yield Divergence(
                    **where,
                    quantity="potential",
                    expected=int(expected[lane]),
                    found=int(actual[lane]),
                )
    return index


def _check_silent_steps(golden: np.ndarray, steps: Sequence[int]) -> None:
    """In a step that the hardware skips, no potential may change in the golden model either."""
    skipped = np.setdiff1d(np.arange(1, len(golden)), steps)
    assert (golden[skipped] == golden[skipped - 1]).all()


def compare_records(
    network: Network, trace: Trace, records: Sequence[Record]
) -> Iterator[Divergence]:
    """Yield divergences of output records: order, spike step, score, winner."""
    output = len(network.layers) - 1
    uses_spikes = network.readout is Readout.FIRST_SPIKE
    expected_count = len(trace.winners) * network.classes
    for index, record in enumerate(records[:expected_count]):
        image, neuron = divmod(index, network.classes)
        when = int(trace.spike_steps[output][image, neuron])
        fired = uses_spikes and when < network.steps
        is_last = neuron == network.classes - 1
        pairs = {
            "record of neuron": (neuron, record.neuron),
            "fired": (fired, record.fired),
            "spike step": (when if fired else 0, record.step),
            "score": (int(trace.scores[image, neuron]), record.score),
            "last": (is_last, record.last),
        }
        if is_last:
            pairs["class"] = (int(trace.winners[image]), record.winner)
        for quantity, (expected, found) in pairs.items():
            if expected != found:
                yield Divergence(
                    sample=image,
                    layer=output,
                    neuron=neuron,
                    step=when if when < network.steps else None,
                    quantity=quantity,
                    expected=expected,
                    found=found,
                )
    if len(records) != expected_count:
        yield Divergence(
            sample=min(len(records), expected_count - 1) // network.classes,
            layer=output,
            quantity="number of output records",
            expected=expected_count,
            found=len(records),
        )


def compare_cycles(
    *,
    network: Network,
    schedule: Schedule,
    first_beats: Sequence[int],
    last_beats: Sequence[int],
    observations: Sequence[Sequence[Observation]],
    records: Sequence[Record],
) -> Iterator[Divergence]:
    """Yield every difference from the schedule of a run without stalls.

    Parameters
    ----------
    network
        What ran.
    schedule
        What the formulas say.
    first_beats, last_beats
        Cycle in which the first and the last beat of each sample were taken.
    observations, records
        As for `compare`.

    Yields
    ------
    Divergence
        Its quantity is a cycle.
    """
    results = [record.cycle for record in records if record.last]
    # The schedule counts from the offer of the first beat, a run from its taking.
    origin = schedule.samples[0].first_input
    positions = [0] * len(observations)
    for image, sample in enumerate(schedule.samples):
        for quantity, expected, found in (
            ("cycle of the first beat", sample.first_input, first_beats),
            ("cycle of the last beat", sample.last_input, last_beats),
            ("cycle of the last record", sample.result, results),
        ):
            cycle = found[image] if image < len(found) else "never"
            if expected - origin != cycle:
                yield Divergence(
                    sample=image, quantity=quantity, expected=expected - origin, found=cycle
                )
        for layer, expected_layer in enumerate(sample.observations):
            start = positions[layer]
            positions[layer] += len(expected_layer)
            seen = observations[layer][start : positions[layer]]
            for (cycle, block, step), found in zip(expected_layer, seen, strict=False):
                expected_mark = (cycle - origin, block, step)
                mark = (found.cycle, found.block, found.step)
                if mark != expected_mark:
                    yield Divergence(
                        sample=image,
                        layer=layer,
                        step=step,
                        quantity="(cycle, block, step) of an observation",
                        expected=expected_mark,
                        found=mark,
                    )


def unfold(
    design: Design, network: Network, observations: Sequence[Sequence[Observation]]
) -> list[np.ndarray]:
    """Potentials at every step out of what was seen of the blocks; no golden model involved.

    A step that the hardware skips repeats the one before.

    Returns
    -------
    list of numpy.ndarray
        Per layer, int64 (N, T, neurons), for the samples whose passes are complete.
    """
    unfolded = []
    for layer, seen in enumerate(observations):
        neurons, lanes = network.layers[layer].neurons, design.layers[layer].lanes
        blocks = ceil_div(neurons, lanes)
        count = sum(found.last for found in seen) // blocks
        values = np.zeros((count, network.steps, blocks * lanes), dtype=np.int64)
        image = 0
        for found in seen:
            if image == count:
                break
            place = slice(found.block * lanes, (found.block + 1) * lanes)
            values[image, found.step :, place] = found.potentials
            if found.last and found.block == blocks - 1:
                image += 1
        unfolded.append(values[:, :, :neurons])
    return unfolded
