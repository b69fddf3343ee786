# SPDX-License-Identifier: Apache-2.0
"""Input encodings: how samples become spikes at time steps. Torch-free, integers only."""

import dataclasses
from typing import Any

import numpy as np

__all__ = [
    "MAX_LEVELS",
    "MAX_STEPS",
    "Encoding",
    "EventEncoding",
    "LatencyEncoding",
    "NetworkError",
    "RateEncoding",
    "SeriesEncoding",
    "checked_integer",
    "encoding_from_json",
]

#: Most levels of a latency code.
MAX_LEVELS = 256
#: Most time steps of a sample whose length is fixed; streams may be longer.
MAX_STEPS = 65535


class NetworkError(ValueError):
    """A network description that contradicts itself; the text names the field and the rule."""


def checked_integer(noun: str, value: Any, low: int, high: int) -> int:
    """The value as an int.

    Raises
    ------
    NetworkError
        If it is no integer, or not in low..high; the text begins with the noun.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise NetworkError(f"{noun} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise NetworkError(f"{noun} must lie in {low}..{high}, not {value!r}")
    return int(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyEncoding:
    """Intensity to latency: a pixel spikes once, at the first step whose level it reaches.

    BS4NN section 2 (brightest first); ``levels[t] = 255 - t`` is the published code.

    Parameters
    ----------
    levels
        One intensity per time step, 1..255, never rising. A pixel of value ``v`` spikes at the
        first step t with ``v >= levels[t]``, and never if ``v < levels[-1]`` (the intensity cut).
    tail_steps
        Steps without input spikes that follow, in which leaky neurons go on (0 or more).
    """

    levels: tuple[int, ...]
    tail_steps: int = 0

    def __post_init__(self) -> None:
        levels = tuple(int(level) for level in self.levels)
        object.__setattr__(self, "levels", levels)
        if not 1 <= len(levels) <= MAX_LEVELS:
            raise NetworkError(f"Levels must number 1 to {MAX_LEVELS}, not {len(levels)}")
        if min(levels) < 1 or max(levels) > 255:
            raise NetworkError(f"Levels must lie in 1..255, not {levels!r}")
        if any(later > earlier for earlier, later in zip(levels, levels[1:], strict=False)):
            raise NetworkError(f"Levels must never rise from step to step, not {levels!r}")
        tail = checked_integer("Tail steps", self.tail_steps, 0, MAX_STEPS - len(levels))
        object.__setattr__(self, "tail_steps", tail)

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return len(self.levels) + self.tail_steps

    def table(self) -> np.ndarray:
        """Return the spike step of each intensity: int16 array (256,), T where none is sent."""
        values = np.arange(256)[:, None]
        reached = values >= np.array(self.levels)[None, :]
        return np.where(reached.any(1), reached.argmax(1), self.steps).astype(np.int32)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {"kind": "latency", "levels": list(self.levels), "tail_steps": self.tail_steps}

    def identity(self) -> str:
        """Text that tells one encoding from another, for fingerprints."""
        return repr(self.levels) if not self.tail_steps else repr((self.levels, self.tail_steps))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RateEncoding:
    """Intensity to rate: a pixel of value v spikes in ``v * T / 256`` of T steps, evenly spaced.

    Each pixel is an accumulator of 8 bits that starts at ``(phase * pixel) mod 256``, adds v in
    every step, and spikes when it overflows: no random numbers, the same in model and gateware.

    Parameters
    ----------
    steps
        Number of time steps T.
    phase
        Difference between the start values of neighbouring pixels, 0..255; an odd one spreads
        the spikes of equal pixels over the steps.
    """

    steps: int
    phase: int = 97

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", checked_integer("Steps", self.steps, 1, MAX_STEPS))
        object.__setattr__(self, "phase", checked_integer("Phase", self.phase, 0, 255))

    def start_values(self, features: int) -> np.ndarray:
        """Start values of the accumulators: uint8 (features,)."""
        return (self.phase * np.arange(features) % 256).astype(np.uint8)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {"kind": "rate", "steps": self.steps, "phase": self.phase}

    def identity(self) -> str:
        """Text that tells one encoding from another, for fingerprints."""
        return repr(("rate", self.steps, self.phase))


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventEncoding:
    """Rasterisation of events (t, x, y, polarity): which input spikes in which time step.

    An event belongs to step ``t // bin_us`` (t in us since the sample began); events outside the
    crop or after the last step are left out. Input number: ``(channel * rows + row) * columns +
    column`` with ``row = (y - top) >> shift``, ``column = (x - left) >> shift`` and channel =
    polarity (0 or 1), or 0 where polarities are merged. Several events of an input in one step
    are one spike.

    Parameters
    ----------
    width, height
        Pixels of the sensor.
    left, top, crop_width, crop_height
        Part of it that is used, in pixels.
    shift
        Down-sampling: blocks of ``2**shift`` x ``2**shift`` pixels are one input.
    merge_polarity
        One channel for both polarities instead of two.
    bin_us
        Length of a step in us.
    steps
        Number of time steps T of a sample.
    """

    width: int
    height: int
    left: int = 0
    top: int = 0
    crop_width: int
    crop_height: int
    shift: int = 0
    merge_polarity: bool = False
    bin_us: int
    steps: int

    def __post_init__(self) -> None:
        for noun, low, high in (
            ("width", 1, 4096),
            ("height", 1, 4096),
            ("left", 0, 4095),
            ("top", 0, 4095),
            ("crop_width", 1, 4096),
            ("crop_height", 1, 4096),
            ("shift", 0, 8),
            ("bin_us", 1, 1 << 30),
            ("steps", 1, MAX_STEPS),
        ):
            text = noun.replace("_", " ").capitalize()
            object.__setattr__(self, noun, checked_integer(text, getattr(self, noun), low, high))
        object.__setattr__(self, "merge_polarity", bool(self.merge_polarity))
        if self.left + self.crop_width > self.width:
            raise NetworkError(
                f"Crop must end at column {self.width} of the sensor or before, "
                f"not at {self.left + self.crop_width}"
            )
        if self.top + self.crop_height > self.height:
            raise NetworkError(
                f"Crop must end at row {self.height} of the sensor or before, "
                f"not at {self.top + self.crop_height}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of inputs."""
        block = 1 << self.shift
        return (
            1 if self.merge_polarity else 2,
            -(-self.crop_height // block),
            -(-self.crop_width // block),
        )

    @property
    def features(self) -> int:
        """Number of inputs."""
        channels, rows, columns = self.shape
        return channels * rows * columns

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {"kind": "events", **dataclasses.asdict(self)}

    def identity(self) -> str:
        """Text that tells one encoding from another, for fingerprints."""
        return repr(("events", *dataclasses.astuple(self)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesEncoding:
    """A series of small integers: T steps of some channels, one value of each a step.

    A sample is T * channels bytes, step by step; value v stands for the integer ``v - zero``. It
    enters a Legendre memory, or, where layers see it themselves, is sent as
    ``(v - zero) >> shift`` in ``bits`` signed bits, clamped.

    Parameters
    ----------
    steps
        Number of time steps T.
    channels
        Values of a step.
    zero
        Byte that stands for 0, 0..255; what a series that is too short is filled with, in front.
    bits, shift
        Of what layers see, 2..9 and 0..8.
    """

    steps: int
    channels: int = 1
    zero: int = 0
    bits: int = 9
    shift: int = 0

    def __post_init__(self) -> None:
        for noun, low, high in (
            ("steps", 1, MAX_STEPS),
            ("channels", 1, 1024),
            ("zero", 0, 255),
            ("bits", 2, 9),
            ("shift", 0, 8),
        ):
            text = noun.capitalize()
            object.__setattr__(self, noun, checked_integer(text, getattr(self, noun), low, high))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {"kind": "series", **dataclasses.asdict(self)}

    def identity(self) -> str:
        """Text that tells one encoding from another, for fingerprints."""
        return repr(("series", *dataclasses.astuple(self)))


Encoding = LatencyEncoding | RateEncoding | EventEncoding | SeriesEncoding

_KINDS = {
    "latency": LatencyEncoding,
    "rate": RateEncoding,
    "events": EventEncoding,
    "series": SeriesEncoding,
}


def encoding_from_json(fields: dict[str, Any]) -> Encoding:
    """Inverse of ``to_json``.

    Raises
    ------
    NetworkError
        If the kind is not known or a field breaks its rule.
    """
    fields = dict(fields)
    kind = fields.pop("kind")
    if kind not in _KINDS:
        raise NetworkError(f"Encoding must be one of {', '.join(_KINDS)}, not {kind!r}")
    if kind == "latency":
        fields["levels"] = tuple(fields["levels"])
    try:
        return _KINDS[kind](**fields)
    except TypeError as error:
        raise NetworkError(
            f"Encoding {kind} has fields that do not belong to it: {error}"
        ) from None
