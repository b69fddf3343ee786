# SPDX-License-Identifier: Apache-2.0
"""Images as beats of the accelerator's sample stream."""

import dataclasses

import numpy as np

from hw.design import Design, ceil_div
from hw.spike_word import spike_word
from model.description import Network

__all__ = ["Sample", "sample_beats"]


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


def sample_beats(design: Design, network: Network, images: np.ndarray) -> list[Sample]:
    """Turn images into what the design's sample stream carries.

    A design that takes pixels gets the pixels, G a beat, the first in the lowest byte, the last
    beat padded with 0. A design that takes spike words gets them sorted by step as
    `hw.spike_word.spike_word` says.

    Parameters
    ----------
    design
        The accelerator.
    network
        The network that is loaded; a design with words needs its encoding.
    images
        uint8 (N, features) or (N, height, width).

    Returns
    -------
    list of Sample
        One a image.
    """
    images = np.asarray(images).reshape(len(images), -1)
    if images.dtype != np.uint8 or images.shape[1] != network.features:
        raise ValueError(
            f"Images must be uint8 with {network.features} features, "
            f"not {images.dtype} with {images.shape[1]}"
        )
    if design.sample_input == "pixels":
        return _pixel_samples(design, images)
    table = network.encoding.table()
    return [_word_sample(design, network, table[image]) for image in images]


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
