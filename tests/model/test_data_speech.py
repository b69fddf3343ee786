# SPDX-License-Identifier: Apache-2.0
"""Spoken digits: recordings to features, archives, parts."""

import dataclasses
import hashlib
import io
import re
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.data import DataError, SpeechFeatures, open_dataset
from model.data.catalog import CATALOG, File
from model.data.files import read_checked, recordings
from model.data.speech import parse_wav, spoken_digits

FROZEN_SPEECH = "926b2c4c96732c352a9046a201d40ecf"


def wav(samples: np.ndarray, *, rate: int = 8000, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def tone(hertz: float, seconds: float, peak: float) -> np.ndarray:
    place = np.arange(int(8000 * seconds))
    return np.rint(peak * np.sin(2 * np.pi * hertz * place / 8000)).astype(np.int16)


def test_silence_is_the_zero() -> None:
    features = SpeechFeatures()
    short = tone(440, 0.02, 30_000)  # no whole frame
    for samples in (np.zeros(8000, np.int16), np.zeros(0, np.int16), short):
        assert (features.series(samples) == 128).all()
    assert (features.series(np.tile(short, 2)) != 128).any()


def test_a_tone_is_in_its_band_whatever_its_level() -> None:
    features = SpeechFeatures()
    loudest = []
    for hertz in (300, 700, 1500, 2800):
        series = [features.series(tone(hertz, 0.5, peak)).astype(int) for peak in (4000, 16_000)]
        frames = 1 + (4000 - features.window) // features.hop
        assert (series[0][: 64 - frames] == 128).all()  # filled up in front
        bands = series[0][-frames:, :-1]
        assert (bands.argmax(1) == bands[0].argmax()).all()
        loudest.append(int(bands[0].argmax()))
        # Four times as loud: the same spectrum but for the tables' and the limits' rounding.
        assert np.abs(series[0] - series[1])[-frames:].max() <= 2
    assert loudest == sorted(set(loudest))


def test_nothing_looks_ahead() -> None:
    rng = np.random.default_rng(3)
    features = SpeechFeatures(frames=20)
    whole = np.rint(3000 * rng.standard_normal(200 + 19 * 128)).astype(np.int16)
    begin = whole[: 200 + 11 * 128]
    assert np.array_equal(features.series(begin)[-12:], features.series(whole)[:12])
    longer = np.concatenate([whole, whole])
    assert np.array_equal(features.series(longer), features.series(whole))


def test_features_by_another_reading() -> None:
    """Frame by frame in plain numbers, with numpy's Fourier transform and logarithm."""
    rng = np.random.default_rng(4)
    place = np.arange(4200)
    loud = 20_000 * np.exp(-(((place - 1800) / 900) ** 2))
    samples = np.rint(loud * rng.standard_normal(4200)).clip(-32768, 32767).astype(np.int16)
    features = SpeechFeatures(bands=9, resolution=4, span=12, decay=3, lowest_peak=70)
    found = features.series(samples).astype(int)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(200) + 0.5) / 200)
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (100, 4000)), 11)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.arange(1, 128) * 31.25
    peak, frames = 70.0, 1 + (4200 - 200) // 128
    for frame in range(frames):
        power = abs(np.fft.rfft(samples[128 * frame :][:200] * window, 256))[1:128] ** 2
        level = []
        for low, top, high in zip(edges, edges[1:], edges[2:], strict=False):
            weights = np.minimum((hertz - low) / (top - low), (high - hertz) / (high - top))
            weights = weights.clip(0) / weights.clip(0).sum()
            level.append(4 * np.log2(power @ weights))
        peak = max(70.0, peak - 3, *level)
        above = np.maximum(np.array(level) - (peak - 48), 0)
        expected = np.append(above - above.mean(), above.mean()) + 128
        assert np.abs(found[64 - frames + frame] - expected).max() < 2.5


def test_features_are_the_same_on_every_machine() -> None:
    """Bytes that this made-up recording had where the features were written."""
    place = np.arange(6000)
    samples = (place * place // 7 * 31 % 4001 - 2000) * (place % 3000) // 3000
    series = SpeechFeatures().series(samples.astype(np.int16))
    assert hashlib.md5(series.tobytes()).hexdigest() == FROZEN_SPEECH


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"bands": 0}, "Bands of speech features must be an integer in 1..64, not 0"),
        ({"window": 257}, "Window of speech features must be an integer in 2..256, not 257"),
        ({"span": 17}, "Span of speech features must be an integer in 1..16, not 17"),
        ({"high_hz": 50}, "High hz of speech features must be an integer in 101..8000, not 50"),
        (
            {"lowest_peak": 127},
            "Lowest peak of speech features must be an integer in 128..3968, not 127",
        ),
        ({"hop": 1.5}, "Hop of speech features must be an integer in 1..4096, not 1.5"),
    ],
)
def test_speech_features_refuse(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(text)}$"):
        SpeechFeatures(**changed)


def test_bands_without_a_frequency_are_refused() -> None:
    narrow, high = SpeechFeatures(bands=64, high_hz=1000), SpeechFeatures(high_hz=6000)
    for features, band in ((narrow, "0, 100 to 1"), (high, "14, 4437 to 6000")):
        text = f"^Bands of speech features must hold .* each, not none as band {band}"
        with pytest.raises(DataError, match=text):
            features.series(np.zeros(400, np.int16))


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def digits_archive(folder: str) -> bytes:
    """Two speakers, digits 0 and 1, recordings 0, 4, 5, 9, 10 and 49 of each."""
    files = {
        f"{folder}{digit}_{speaker}_{number}.wav": wav(tone(300 + 900 * digit, 0.3, 90 * number))
        for digit in (1, 0)
        for speaker in ("theo", "lucas")
        for number in (0, 4, 5, 9, 10, 49)
    }
    return archive({"README.md": b"words"} | files)


def described(name: str, content: bytes) -> File:
    """An archive as the catalogue has it."""
    joined = b"".join(name.encode() + each for name, each in recordings(content).items())
    return File(
        name=name,
        size=len(content),
        md5=hashlib.md5(content).hexdigest(),
        raw_size=len(joined),
        raw_md5=hashlib.md5(joined).hexdigest(),
    )


def test_fsdd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = digits_archive("recordings/")
    file = described("fsdd-recordings.zip", content)
    (tmp_path / "fsdd").mkdir()
    (tmp_path / "fsdd" / file.name).write_bytes(content)
    entry = dataclasses.replace(CATALOG["fsdd"], files={"samples": file})
    monkeypatch.setitem(CATALOG, "fsdd", entry)
    monkeypatch.setenv("POPSPIKE_DATA", str(tmp_path))
    parts = {part: open_dataset("fsdd").part(part) for part in ("train", "validation", "test")}
    assert [part.series().shape for part in parts.values()] == [(8, 64, 16)] * 3
    assert parts["test"].labels.tolist() == [0, 0, 1, 1] * 2
    assert parts["test"].zero == 128
    loud = SpeechFeatures().series(tone(1200, 0.3, 90 * 49))
    assert np.array_equal(parts["train"].images[3], loud)  # lucas, digit 1, recording 49
    held_out = open_dataset("fsdd:theo")
    assert [len(held_out.part(part)) for part in ("train", "validation", "test")] == [8, 4, 12]
    assert held_out.part().labels.tolist() == [0] * 6 + [1] * 6
    few = SpeechFeatures(bands=4, frames=10)
    assert open_dataset("fsdd", speech=few).part().series().shape == (8, 10, 5)
    with pytest.raises(DataError, match=r"^Word behind fsdd \(speaker who is held out for tests\)"):
        open_dataset("fsdd:nobody")


def test_recordings_of_another_form_are_refused() -> None:
    samples = np.zeros(100, np.int16)
    for content, text in (
        (wav(samples, rate=16_000), "must have 1 channel of 16 bits at 8000 Hz, not 1 of 16 bits"),
        (wav(samples, channels=2), "must have 1 channel of 16 bits at 8000 Hz, not 2 of 16 bits"),
        (wav(samples)[:20], "must be a whole wav file"),
    ):
        with pytest.raises(DataError, match=f"^Recording 7_theo_1.wav {text}"):
            parse_wav(content, "7_theo_1.wav")
    with pytest.raises(DataError, match="must hold files like 7_theo_12.wav, not none"):
        spoken_digits(archive({"a.wav": wav(samples)}))


def test_archives_are_known_by_their_recordings(tmp_path: Path) -> None:
    content = digits_archive("recordings/")
    file = described("a.zip", content)
    path = tmp_path / "a.zip"
    other = digits_archive("fsdd-1.0/recordings/")  # as GitHub packs it
    for packed in (content, other):
        path.write_bytes(packed)
        assert read_checked(path, file) == packed
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"a.zip is truncated: expected"):
        read_checked(path, file)
    path.write_bytes(archive(dict(list(recordings(content).items())[1:])))
    with pytest.raises(DataError, match="expected"):
        read_checked(path, file)


def test_shipped_digits() -> None:
    samples = open_dataset("fsdd-samples").part()
    features = SpeechFeatures()
    assert samples.series().shape == (60, features.frames, features.channels)
    assert samples.zero == 128
    assert np.bincount(samples.labels).tolist() == [6] * 10
    assert (samples.images[:, 0] == 128).all(1).any()  # one that was filled up in front
    assert (samples.images[:, -1, -1] > 128).any()
