# SPDX-License-Identifier: Apache-2.0
"""Samples of event cameras, and their rasterisation. Torch-free, integers only."""

import dataclasses
from typing import Any

import numpy as np

from model.encoding import EventEncoding

__all__ = ["RASTERS", "EventError", "Events", "rasterise", "rasterise_moved"]

#: Rasterisations by name, to start from.
RASTERS = {
    # The whole sensor and the whole recording of 308 ms.
    "n-mnist": EventEncoding(
        width=34, height=34, crop_width=34, crop_height=34, bin_us=10_000, steps=31
    ),
    # As the authors of BiSNN took MNIST-DVS at scale 4: pixels 48..73 of 2 s, 1,352 inputs.
    "mnist-dvs": EventEncoding(
        width=128,
        height=128,
        left=48,
        top=48,
        crop_width=26,
        crop_height=26,
        bin_us=5_000,
        steps=400,
    ),
}


class EventError(ValueError):
    """Events that break a rule; the text names the sample, the event, the rule and the value."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Events of N samples, one after another, checked when made.

    Samples are taken like those of an array: ``events[3]``, ``events[10:20]``, by an array of
    numbers or by a mask; all of these are `Events` again.

    Parameters
    ----------
    t
        int64 (E,): time in us since the sample began; never falls within a sample.
    x, y
        int32 (E,): column and row.
    p
        uint8 (E,): polarity, 0 or 1.
    offsets
        int64 (N + 1,): sample n has the events ``offsets[n]`` to ``offsets[n + 1] - 1``.
    width, height
        Pixels of the sensor; 0: not known (the encoding of a network knows its own).

    Raises
    ------
    EventError
        If arrays do not fit each other, or an event breaks a rule.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    offsets: np.ndarray
    width: int = 0
    height: int = 0

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, _integers(name, getattr(self, name), kind))
        offsets = self.offsets
        if not offsets.size or offsets[0] != 0:
            first = offsets[0] if offsets.size else "nothing"
            raise EventError(f"Offsets of events must begin with 0, not {first}")
        falls = np.flatnonzero(np.diff(offsets) < 0)
        if falls.size:
            sample = int(falls[0])
            raise EventError(
                f"Offset of the end of sample {sample} must be at least {offsets[sample]}, "
                f"not {offsets[sample + 1]}"
            )
        for name in ("t", "x", "y", "p"):
            count = getattr(self, name).size
            if count != offsets[-1]:
                raise EventError(
                    f"{name} must have the {offsets[-1]} values that the last offset tells, "
                    f"not {count}"
                )
        self._check_limit("Polarity", self.p, 2)
        self.check_frame(self.width, self.height)
        self._check_limit("Time", self.t, 0)
        self._check_order()

    def _check_order(self) -> None:
        falls = np.flatnonzero(np.diff(self.t) < 0) + 1  # number of the event that is too early
        falls = falls[~np.isin(falls, self.offsets)]
        if falls.size:
            sample, event = self._place(int(falls[0]))
            raise EventError(
                f"Time of event {event} of sample {sample} must be at least the "
                f"{self.t[falls[0] - 1]} us of the event before it, not {self.t[falls[0]]} us"
            )

    def _place(self, index: int) -> tuple[int, int]:
        """Sample of an event, and its number in it."""
        sample = int(np.searchsorted(self.offsets, index, side="right")) - 1
        return sample, index - int(self.offsets[sample])

    def _check_limit(self, noun: str, values: np.ndarray, limit: int) -> None:
        wrong = values < 0
        if limit:
            wrong = wrong | (values >= limit)
        if wrong.any():
            index = int(wrong.argmax())
            sample, event = self._place(index)
            rule = f"lie in 0..{limit - 1}" if limit else "be at least 0"
            raise EventError(
                f"{noun} of event {event} of sample {sample} must {rule}, not {values[index]}"
            )

    def check_frame(self, width: int, height: int) -> None:
        """Refuse events outside a sensor of that many pixels (0: any).

        Raises
        ------
        EventError
            Naming the first event outside.
        """
        self._check_limit("Column", self.x, width)
        self._check_limit("Row", self.y, height)

    def __len__(self) -> int:
        return int(self.offsets.size) - 1

    def __getitem__(self, key: Any) -> "Events":
        chosen = np.atleast_1d(np.arange(len(self))[key])
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate(([0], np.cumsum(counts)))
        # Event e of the result, counted from its sample's start, plus that sample's old start.
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        return dataclasses.replace(
            self, t=self.t[index], x=self.x[index], y=self.y[index], p=self.p[index],
            offsets=offsets,
        )  # fmt: skip

    @classmethod
    def join(cls, parts: "list[Events]") -> "Events":
        """Put samples of several `Events` of one sensor behind each other."""
        ends = np.cumsum([0, *(part.offsets[-1] for part in parts)])
        offsets = [part.offsets[1:] + start for part, start in zip(parts, ends, strict=False)]
        return cls(
            t=np.concatenate([part.t for part in parts]),
            x=np.concatenate([part.x for part in parts]),
            y=np.concatenate([part.y for part in parts]),
            p=np.concatenate([part.p for part in parts]),
            offsets=np.concatenate([np.zeros(1, np.int64), *offsets]),
            width=max(part.width for part in parts),
            height=max(part.height for part in parts),
        )


_KINDS = {"t": np.int64, "x": np.int32, "y": np.int32, "p": np.uint8, "offsets": np.int64}


def _integers(name: str, values: Any, kind: type) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise EventError(
            f"{name} must be integers of one dimension, not {values.dtype} of shape {values.shape}"
        )
    limits = np.iinfo(kind)
    if values.size and not limits.min <= int(values.min()) <= int(values.max()) <= limits.max:
        wrong = values[(values < limits.min) | (values > limits.max)][0]
        raise EventError(f"{name} must lie in {limits.min}..{limits.max}, not {wrong}")
    return np.ascontiguousarray(values, dtype=kind)


def rasterise(encoding: EventEncoding, events: Events) -> np.ndarray:
    """Turn events into spikes, as `model.encoding.EventEncoding` says.

    Parameters
    ----------
    encoding
        Bins, crop, down-sampling and polarity.
    events
        N samples.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, features) of 0 and 1.

    Raises
    ------
    EventError
        If an event lies outside the sensor of the encoding.
    """
    events.check_frame(encoding.width, encoding.height)
    return rasterise_moved(
        encoding, events, events.x - np.int32(encoding.left), events.y - np.int32(encoding.top)
    )


def rasterise_moved(
    encoding: EventEncoding, events: Events, columns: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Turn events into spikes as `rasterise` does, at other places than their own.

    Parameters
    ----------
    encoding
        Bins, crop, down-sampling and polarity.
    events
        N samples; their columns and rows are not looked at.
    columns, rows
        int32, one an event: its place in the crop; those outside are left out.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, features) of 0 and 1.
    """
    channels, height, width = encoding.shape
    features = channels * height * width
    step = (events.t // encoding.bin_us).astype(np.int32)
    kept = (step < encoding.steps) & (columns >= 0) & (columns < encoding.crop_width)
    kept &= (rows >= 0) & (rows < encoding.crop_height)
    place = (rows >> encoding.shift) * width + (columns >> encoding.shift)
    if not encoding.merge_polarity:
        place += events.p * np.int32(height * width)
    sample = np.repeat(np.arange(len(events)), np.diff(events.offsets))
    spikes = np.zeros((len(events), encoding.steps, features), dtype=np.uint8)
    flat = (sample * encoding.steps + step) * features + place
    spikes.reshape(-1)[flat[kept]] = 1
    return spikes
