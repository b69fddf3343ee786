# SPDX-License-Identifier: Apache-2.0
"""Samples as beats of the accelerator's sample stream."""

import dataclasses

import numpy as np

from hw.design.design import Design, ceil_div
from hw.parts.spike_word import event_beat, spike_word
from model.description import Network, SeriesEncoding
from model.events import Events
from model.golden import encode
from model.spike_trains import check_series

__all__ = ["Sample", "sample_beats", "step_words"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample as it crosses the stream; the last beat has ``tlast`` set.

    Parameters
    ----------
    beats
        ``tdata`` of each beat.
    width
        Bits of ``tdata``.
    """

    beats: tuple[int, ...]
    width: int

    def to_bytes(self) -> bytes:
        """All beats, each in ceil(width / 8) bytes, little endian."""
        size = ceil_div(self.width, 8)
        return b"".join(beat.to_bytes(size, "little") for beat in self.beats)


def sample_beats(design: Design, network: Network, samples: np.ndarray | Events) -> list[Sample]:
    """Turn samples into what the design's sample stream carries.

    A design that takes pixels gets the pixels, G a beat, the first in the lowest byte, the last
    beat padded with 0; of a series the values, step by step, those that are missing in front. A
    design that takes spike words gets them sorted by step as
    `hw.spike_word.spike_word` says; one that takes events gets an event a beat.

    Parameters
    ----------
    design
        The accelerator.
    network
        The network that is loaded; a design with words needs its encoding.
    samples
        uint8 (N, features) or (N, height, width); for a network of events `model.events.Events`,
        for one of series what `model.spike_trains.check_series` takes.

    Returns
    -------
    list of Sample
        One a sample.
    """
    if design.is_stepwise and design.sample_input == "words":
        return [_word_train(design, train.numpy()) for train in encode(network, samples)]
    if isinstance(samples, Events):
        return _event_samples(design, samples)
    if isinstance(network.encoding, SeriesEncoding):
        samples = check_series(network.encoding, samples)
    images = np.asarray(samples).reshape(len(samples), -1)
    if images.dtype != np.uint8 or images.shape[1] != network.sample_values:
        raise ValueError(
            f"Images must be uint8 with {network.sample_values} features, "
            f"not {images.dtype} with {images.shape[1]}"
        )
    if design.sample_input == "pixels":
        return _pixel_samples(design, images)
    table = network.encoding.table()
    return [_word_sample(design, network, table[image]) for image in images]


def _event_samples(design: Design, samples: Events) -> list[Sample]:
    """An event a beat; a sample without events is a beat without one."""
    layout = event_beat(design)
    fields = {"time": samples.t, "x": samples.x, "y": samples.y, "polarity": samples.p}
    bits = sum(values.astype(object) << layout[name].offset for name, values in fields.items())
    beats = (bits + (1 << layout["present"].offset)).tolist() if len(samples.t) else []
    return [
        # `last` is the highest bit of the beat, and travels as tlast.
        Sample(beats=tuple(beats[start:stop]) or (0,), width=layout.size - 1)
        for start, stop in zip(samples.offsets, samples.offsets[1:], strict=False)
    ]


def step_words(
    design: Design, train: np.ndarray, *, marks_ends: bool = False
) -> dict[str, np.ndarray]:
    """Words of one spike train of a stepwise design: every step has an end.

    Parameters
    ----------
    design
        The accelerator.
    train
        What the first layer sees: integers (T, inputs).
    marks_ends
        The last plane of the last group has a word in every step, which marks the end; otherwise
        only a silent step has a word without spikes, in its first place.

    Returns
    -------
    dict
        Fields of `hw.spike_word.spike_word`, and ``step``, int64 each, one entry a word.
    """
    layer = design.layers[0]
    width, planes = layer.inputs_per_cycle, layer.input_bits
    groups = np.zeros((len(train), ceil_div(train.shape[1], width) * width), np.int64)
    groups[:, : train.shape[1]] = train
    bits = groups.reshape(len(train), -1, 1, width) >> np.arange(planes)[:, None] & 1
    # (T, groups, planes, S) to (T, groups * planes)
    spikes = (bits @ (1 << np.arange(width))).reshape(len(train), -1)
    busy = spikes > 0
    if marks_ends:
        busy[:, -1] = True
    busy[:, 0] |= ~busy.any(axis=1)
    steps, places = np.nonzero(busy)
    ends = np.append(steps[1:] != steps[:-1], True).astype(np.int64)
    last = np.zeros_like(ends)
    last[-1] = 1
    fields = {"group": places // planes, "spikes": spikes[steps, places]}
    if planes > 1:
        fields["plane"] = places % planes
    return {**fields, "end_of_step": ends, "last": last, "step": steps}


def _word_train(design: Design, train: np.ndarray) -> Sample:
    """Words of one spike train (T, inputs) as beats."""
    layout = spike_word(design, 0)
    words = step_words(design, train)
    # `last` is the highest bit of the word, and travels as tlast.
    names = [name for name in words if name not in ("last", "step")]
    beats = sum(words[name] << layout[name].offset for name in names)
    return Sample(beats=tuple(beats.tolist()), width=layout.size - 1)


def _pixel_samples(design: Design, images: np.ndarray) -> list[Sample]:
    count = design.pixels_per_cycle
    beats = ceil_div(images.shape[1], count)
    padded = np.zeros((len(images), beats * count), np.uint8)
    padded[:, : images.shape[1]] = images
    return [
        Sample(
            beats=tuple(
                int.from_bytes(image[start : start + count].tobytes(), "little")
                for start in range(0, beats * count, count)
            ),
            width=8 * count,
        )
        for image in padded
    ]


def _word_sample(design: Design, network: Network, steps: np.ndarray) -> Sample:
    """Words of one sample from the spike step of each input."""
    width = design.layers[0].inputs_per_cycle
    words = []
    for step in range(network.steps):
        active = np.flatnonzero(steps == step)
        if not active.size and step > 0:
            continue
        groups = np.unique(active // width) if active.size else np.zeros(1, int)
        for group in groups:
            lanes = [int(index) - int(group) * width for index in active[active // width == group]]
            words.append(
                {
                    "group": int(group),
                    "spikes": sum(1 << lane for lane in lanes),
                    "step": step,
                    "end_of_step": int(group == groups[-1]),
                    "last": 0,
                }
            )
    words[-1]["last"] = 1
    layout = spike_word(design, 0)
    beats = tuple(layout.const(word).as_bits() for word in words)
    # `last` is the highest bit of the word, and travels as tlast.
    return Sample(
        beats=tuple(beat & ((1 << layout.size - 1) - 1) for beat in beats), width=layout.size - 1
    )
