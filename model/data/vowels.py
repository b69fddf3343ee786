# SPDX-License-Identifier: Apache-2.0
"""Japanese Vowels: 12 coefficients of a linear prediction over 7 to 29 frames, by 9 speakers.

Of a ``.ts`` file each line is a sample: channels separated by ``:``, values by ``,``, the class
last. Channel c becomes ``128 + round((value - mean[c]) / step[c])``, clamped to 0..255; means and
steps are constants here, in millionths, made by `measured_scaling` from the samples for training
(those for validation and tests were not looked at). Series are filled up in front with 128, which
stands for 0, to 29 steps.
"""

import numpy as np

from model.data.errors import DataError
from model.data.samples import SILENCE, Source

__all__ = [
    "CHANNELS",
    "LENGTH",
    "MEANS",
    "STEPS",
    "measured_scaling",
    "parse_ts",
    "scaled",
    "vowel_parts",
    "vowels",
]

#: Values of a step.
CHANNELS = 12

#: Longest series.
LENGTH = 29

#: Mean of each channel over the samples for training, in millionths.
MEANS = (
    *(876368, -559234, 248066, -269038, 216707, -209568),
    *(-176777, -50567, -204545, -181101, -24993, 86315),
)

#: One unit of a byte: a 32nd of each channel's standard deviation there, in millionths.
STEPS = (
    *(15104, 12233, 9257, 9586, 8340, 5187),
    *(5097, 5815, 5867, 3653, 3062, 4035),
)

_MILLIONTHS = 1_000_000
_UNITS = 32
_CLASSES = 9
_VALIDATION = 6  # utterances of each speaker's 30
_SEED = 0


def parse_ts(content: bytes, name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return series int64 (steps, 12) in millionths, and labels int64 (N,) from 0.

    Raises
    ------
    DataError
        Naming file, line and rule.
    """
    series, labels = [], []
    for number, line in enumerate(content.decode().splitlines(), 1):
        if not line or line[0] in "#@":
            continue
        *channels, label = line.split(":")
        try:
            values = [[round(float(v) * _MILLIONTHS) for v in each.split(",")] for each in channels]
            labels.append(int(label) - 1)
        except ValueError as error:
            raise DataError(f"Line {number} of {name} must be numbers: {error}") from None
        lengths = {len(each) for each in values}
        if len(values) != CHANNELS or len(lengths) != 1:
            raise DataError(
                f"Line {number} of {name} must have {CHANNELS} channels of one length, "
                f"not {len(values)} of {', '.join(map(str, sorted(lengths)))}"
            )
        if max(lengths) > LENGTH:
            raise DataError(
                f"Line {number} of {name} must have at most {LENGTH} steps, not {max(lengths)}"
            )
        series.append(np.array(values, dtype=np.int64).T)
    return series, np.array(labels, dtype=np.int64)


def measured_scaling(series: list[np.ndarray]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Means and steps of series in millionths, as `MEANS` and `STEPS` were made."""
    everything = np.concatenate(series)
    means, steps = everything.mean(0), everything.std(0) / _UNITS
    return tuple(int(v) for v in np.rint(means)), tuple(int(v) for v in np.rint(steps))


def scaled(series: list[np.ndarray]) -> np.ndarray:
    """Series in millionths as uint8 (N, 29, 12)."""
    out = np.full((len(series), LENGTH, CHANNELS), SILENCE, dtype=np.uint8)
    means, steps = np.array(MEANS), np.array(STEPS)
    for sample, values in zip(out, series, strict=True):
        units = (2 * (values - means) + steps) // (2 * steps)  # rounded, half upwards
        sample[LENGTH - len(values) :] = (units + SILENCE).clip(0, 255)
    return out


def vowel_parts(labels: np.ndarray) -> np.ndarray:
    """Part of each published training sample: int64 (N,), 1 for 6 of each speaker, 0 for others."""
    draw = np.random.RandomState(_SEED)
    numbers = np.zeros(labels.size, dtype=np.int64)
    for speaker in range(_CLASSES):
        own = np.flatnonzero(labels == speaker)
        numbers[draw.permutation(own)[:_VALIDATION]] = 1
    return numbers


def vowels(files: dict[str, bytes]) -> Source:
    """Source of the published files ``train`` and ``test``, or of one of them.

    Raises
    ------
    DataError
        If a line breaks a rule.
    """
    images, labels, numbers = [], [], []
    for part, content in files.items():
        series, classes = parse_ts(content, f"JapaneseVowels_{part.upper()}.ts")
        images.append(scaled(series))
        labels.append(classes)
        numbers.append(vowel_parts(classes) if part == "train" else np.full(classes.size, 2))
    everything = np.concatenate(images)
    return Source(
        labels=np.concatenate(labels),
        numbers=np.concatenate(numbers),
        take=lambda index: everything[index],
        zero=SILENCE,
    )
