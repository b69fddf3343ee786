# SPDX-License-Identifier: Apache-2.0
"""Spoken digits: from recordings to a series of small integers, computed on the host.

A frame of a recording becomes the energies of some bands and one loudness. Everything is whole
numbers: window, Fourier transform and bands are tables of integers, sums of products stay below
2^53 (so that float64 adds them without rounding, in any order), and a logarithm is the number of
integer limits that an energy reaches. The same bytes come out on every machine.

A frame is known when its last sample is: nothing looks ahead. Silence is the byte 128 in every
channel.
"""

import dataclasses
import functools
import io
import re
import wave

import numpy as np

from model.data.errors import DataError
from model.data.files import recordings
from model.data.samples import SILENCE, Source

__all__ = ["RATE", "SPEAKERS", "SpeechFeatures", "parse_wav", "spoken_digits"]

#: Samples a second.
RATE = 8000

#: Speakers of the set.
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_TEST_RECORDINGS = range(5)
_VALIDATION_RECORDINGS = range(5, 10)

_POINTS = 256  # of the Fourier transform
_WAVE_BITS = 14  # fraction bits of window times wave
_BAND_BITS = 8  # fraction bits of a band's weights, which add up to 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechFeatures:
    """How a recording of 8 kHz becomes uint8 (frames, bands + 1).

    For each frame: a Hann window, a Fourier transform of 256 points, squares added up in
    triangular bands that are evenly spaced in mel. ``e`` is the logarithm of a band's energy in
    units of ``1/resolution`` of a doubling (8: 0.38 dB), with a floor at `span` doublings below
    a running peak, which rises at once to the loudest band and falls by `decay` units a frame,
    down to `lowest_peak`.
    Channel b is ``128 + e[b] - mean(e)``, the spectrum without its level; the last channel is
    ``128 + (mean(e) - floor)``, the loudness; means are rounded down.

    Parameters
    ----------
    bands
        Number of bands.
    frames
        Frames of a sample: what is longer loses its end, what is shorter begins with silence.
    window, hop
        Samples of a frame (at most 256), and from one frame to the next.
    low_hz, high_hz
        Where the first band begins and the last ends.
    resolution
        Units of a doubling of energy.
    span
        Doublings of energy from the floor up to the running peak; ``resolution * span`` <= 128.
    decay
        Fall of the running peak in units a frame.
    lowest_peak
        Running peak of silence, in units (an energy of 1 has 0 units): ``resolution * span`` or
        more, so that silence is nothing.
    """

    bands: int = 15
    frames: int = 64
    window: int = 200
    hop: int = 128
    low_hz: int = 100
    high_hz: int = 4000
    resolution: int = 8
    span: int = 16
    decay: int = 1
    lowest_peak: int = 144

    def __post_init__(self) -> None:
        for name, low, high in (
            ("bands", 1, 64),
            ("frames", 1, 4096),
            ("window", 2, _POINTS),
            ("hop", 1, 4096),
            ("low_hz", 1, RATE // 2),
            ("high_hz", self.low_hz + 1, RATE),
            ("resolution", 1, 64),
            ("span", 1, 128 // self.resolution if self.resolution > 0 else 128),
            ("decay", 0, 1024),
            ("lowest_peak", self.resolution * self.span, 62 * 64),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                noun = name.replace("_", " ").capitalize()
                raise DataError(
                    f"{noun} of speech features must be an integer in {low}..{high}, not {value!r}"
                )

    @property
    def channels(self) -> int:
        """Values of a frame."""
        return self.bands + 1

    def series(self, samples: np.ndarray) -> np.ndarray:
        """Features of a recording: uint8 (frames, channels).

        Parameters
        ----------
        samples
            int16 (samples,).

        Raises
        ------
        DataError
            If a band is so narrow or high that no frequency of the transform lies in it.
        """
        count = min(max(0, 1 + (samples.size - self.window) // self.hop), self.frames)
        series = np.full((self.frames, self.channels), SILENCE, dtype=np.uint8)
        if not count:
            return series
        starts = self.hop * np.arange(count)[:, None]
        levels = self._levels(samples[starts + np.arange(self.window)])
        # max(peak - decay, loudest), frame after frame, as a running maximum
        fallen = self.decay * np.arange(count)
        peak = np.maximum.accumulate(levels.max(1) + fallen) - fallen
        floor = np.maximum(peak, self.lowest_peak) - self.span * self.resolution
        above = np.maximum(levels - floor[:, None], 0)
        mean = above.sum(1, keepdims=True) // self.bands
        values = np.concatenate([above - mean, mean], axis=1) + SILENCE
        series[self.frames - count :] = values.clip(0, 255)
        return series

    def _levels(self, frames: np.ndarray) -> np.ndarray:
        """Logarithms of the energies of bands, in units: int64 (frames, bands)."""
        waves, bands, limits = _tables(self)
        # |sample| <= 2^15, |wave| <= 2^14, window <= 2^8: below 2^37, exact.
        parts = (frames.astype(np.float64) @ waves).astype(np.int64)
        parts = (parts + (1 << (_WAVE_BITS - 1))) >> _WAVE_BITS  # below 2^23
        bins = parts.shape[1] // 2
        power = parts[:, :bins] ** 2 + parts[:, bins:] ** 2  # below 2^47
        energy = (power @ bands) >> _BAND_BITS  # products add up to less than 2^56
        return np.searchsorted(limits, energy, side="right")


@functools.lru_cache(maxsize=4)
def _tables(features: SpeechFeatures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windowed waves float64 (window, 2 bins), bands int64 (bins, bands), limits int64."""
    place = np.arange(features.window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (place + 0.5) / features.window)
    bins = np.arange(1, _POINTS // 2)
    angle = 2 * np.pi * np.outer(place, bins) / _POINTS
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * hann[:, None]
    edges = np.linspace(_mel(features.low_hz), _mel(features.high_hz), features.bands + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    hertz = (bins * RATE / _POINTS)[:, None]
    rise, fall = (hertz - left) / (middle - left), (right - hertz) / (right - middle)
    bands = np.minimum(rise, fall).clip(0)
    empty = np.flatnonzero(bands.sum(0) == 0)
    if empty.size:
        raise DataError(
            f"Bands of speech features must hold a multiple of {RATE / _POINTS} Hz below "
            f"{RATE // 2} Hz each, not none as band {empty[0]}, {left[empty[0]]:.0f} to "
            f"{right[empty[0]]:.0f} Hz"
        )
    bands /= bands.sum(0)
    doublings = np.arange(1, 62 * features.resolution) / features.resolution
    return (
        np.rint(waves * (1 << _WAVE_BITS)),
        np.rint(bands * (1 << _BAND_BITS)).astype(np.int64),
        np.ceil(2.0**doublings).astype(np.int64),
    )


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def parse_wav(content: bytes, name: str) -> np.ndarray:
    """Return the samples of a recording: int16 (samples,).

    Raises
    ------
    DataError
        If it is not one channel of 16 bits at 8 kHz.
    """
    try:
        with wave.open(io.BytesIO(content)) as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            samples = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(f"Recording {name} must be a whole wav file: {error}") from None
    if form != (1, 16, RATE):
        raise DataError(
            f"Recording {name} must have 1 channel of 16 bits at {RATE} Hz, not {form[0]} of "
            f"{form[1]} bits at {form[2]} Hz"
        )
    return np.frombuffer(samples[: len(samples) // 2 * 2], dtype="<i2").astype(np.int16)


def spoken_digits(
    content: bytes, speaker: str | None = None, features: SpeechFeatures | None = None
) -> Source:
    """Source of an archive of recordings ``{digit}_{speaker}_{number}.wav``, ordered by name.

    Recordings 5 to 9 of a digit and speaker are for validation; 0 to 4 are for tests, or, where
    a speaker is named, all recordings of that speaker are and none of the others.

    Parameters
    ----------
    content
        Bytes of the .zip.
    speaker
        Who is held out for tests.
    features
        How recordings become samples; None: as `SpeechFeatures` has it.

    Raises
    ------
    DataError
        If there are no such recordings; when samples are taken, if one has another form.
    """
    features = features or SpeechFeatures()
    files = recordings(content)
    found = [match for match in map(_NAME.fullmatch, files) if match]
    if not found:
        raise DataError("Archive of spoken digits must hold files like 7_theo_12.wav, not none")
    found.sort(key=lambda match: (match[2], int(match[1]), int(match[3])))
    numbers = np.array([_part_number(match[2], int(match[3]), speaker) for match in found])

    def take(index: np.ndarray) -> np.ndarray:
        names = [found[place][0] for place in index]
        series = [features.series(parse_wav(files[name], name)) for name in names]
        return np.array(series, np.uint8).reshape(-1, features.frames, features.channels)

    return Source(
        labels=np.array([int(match[1]) for match in found]),
        numbers=numbers,
        take=take,
        zero=SILENCE,
    )


def _part_number(speaker: str, recording: int, held_out: str | None) -> int:
    """0, 1, 2 for training, validation, test."""
    is_test = recording in _TEST_RECORDINGS if held_out is None else speaker == held_out
    return 2 if is_test else int(recording in _VALIDATION_RECORDINGS)
