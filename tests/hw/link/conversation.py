# SPDX-License-Identifier: Apache-2.0
"""Networks for a link, what they should answer, and replies read."""

import numpy as np

from hw.design.design import Design, Fold
from hw.formats.register_map import register_address
from hw.formats.structures import pack, size_of, unpack
from hw.link.packets import (
    SILENT,
    FrameType,
    ReadRequest,
    Refusal,
    RefusalReason,
    ResultEnd,
    ResultEntry,
)
from model.description import LatencyEncoding, Layer, Network, Readout


def network(seed, sizes=(11, 6, 3), steps=5, readout=Readout.FIRST_SPIKE):
    """A random network with thresholds within reach."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(
            np.where(rng.random((neurons, fan_in)) < 0.6, 1, -1), rng.integers(1, 4, neurons)
        )
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(sorted(rng.integers(1, 256, steps).tolist(), reverse=True))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers), readout=readout)


NETWORK, OTHER = network(1), network(2, sizes=(7, 4, 2), steps=3, readout=Readout.SUMMED_POTENTIAL)


def design_for(networks, **fields):
    """A design that holds them, with uneven folds."""
    folds = [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=2)]
    fields.setdefault("pixels_per_cycle", 4)
    return Design.for_networks(networks, folds, **fields)


def reference(network, image):
    """Winner and (step, score) of each class, straight from the semantics."""
    arrivals = [
        next((t for t, level in enumerate(network.encoding.levels) if pixel >= level), None)
        for pixel in image
    ]
    for layer in network.layers:
        signs = layer.signs().astype(int)
        potentials = (
            np.array(
                [
                    [
                        sum(
                            int(s) for s, when in zip(row, arrivals, strict=True) if _by(when, step)
                        )
                        for row in signs
                    ]
                    for step in range(network.steps)
                ]
            )
            - layer.thresholds
        )
        arrivals = [
            next((t for t in range(network.steps) if potentials[t, j] >= 0), None)
            for j in range(layer.neurons)
        ]
    if network.readout is Readout.SUMMED_POTENTIAL:
        scores = [int(score) for score in potentials.sum(axis=0)]
        steps = [SILENT] * len(scores)
    else:
        steps = [SILENT if when is None else when for when in arrivals]
        scores = [
            int(potentials[-1 if when is None else when, j]) for j, when in enumerate(arrivals)
        ]
    winner = min(range(len(steps)), key=lambda j: (steps[j], -scores[j], j))
    return winner, list(zip(steps, scores, strict=True))


def _by(when, step):
    return when is not None and when <= step


def result(reply):
    """Winner, (step, score) of each class, cycles."""
    assert reply.type is FrameType.RESULT
    size = size_of(ResultEntry)
    *parts, end = [reply.body[k : k + size] for k in range(0, len(reply.body), size)]
    entries = [unpack(ResultEntry, part) for part in parts]
    fields = unpack(ResultEnd, end)
    return fields["winner"], [(e["step"], e["score"]) for e in entries], fields["cycles"]


def refusal(reply):
    """Reason and detail of a refusal."""
    assert reply.type is FrameType.REFUSED
    fields = unpack(Refusal, reply.body)
    return RefusalReason(fields["reason"]), fields["detail"]


async def registers(host, name, words=1):
    """Registers from a name on."""
    body = pack(ReadRequest, address=register_address(name), words=words)
    reply = await host.request(FrameType.READ, body)
    assert reply.type is FrameType.WORDS
    return [int.from_bytes(reply.body[k : k + 4], "little") for k in range(0, 4 * words, 4)]
