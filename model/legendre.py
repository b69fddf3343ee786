# SPDX-License-Identifier: Apache-2.0
"""The Legendre memory as a description: its integers and widths. Torch-free.

What a step does stands in ``model/legendre_step.py``. Source: Voelker, Kajic and Eliasmith,
"Legendre Memory Units" (NeurIPS 2019) for the system ``theta dm/dt = A m + B u``; the bilinear
step as one tridiagonal solve is worked out in ``docs/semantics.md``.
"""

import dataclasses
from typing import Any

import numpy as np

from model.encoding import MAX_STEPS, NetworkError, checked_integer

__all__ = ["MAX_ORDER", "WIDTH_LIMITS", "LegendreMemory", "MemoryWidths", "solve_coefficients"]

#: Least and largest C, F and G of a memory.
WIDTH_LIMITS = {"coefficient_bits": (4, 15), "fraction_bits": (4, 20), "guard_bits": (0, 8)}
#: Largest order of a memory.
MAX_ORDER = 1024


def solve_coefficients(order: int, window: int) -> np.ndarray:
    """Reciprocal pivots of the tridiagonal system of a bilinear step: float64 (order,).

    With ``p_0 = 1/2 + 1/(2 theta)`` and ``p_i = (2i + 1)/(2 theta) + 1/(4 p_{i-1})``, and 1/2 more
    for the last one; all ``1/p_i`` are below 2.
    """
    pivots = np.empty(order)
    before = np.inf
    for index in range(order):
        ends = 0.5 * ((index == 0) + (index == order - 1))
        pivots[index] = (2 * index + 1) / (2 * window) + 1 / (4 * before) + ends
        before = pivots[index]
    return 1 / pivots


class MemoryWidths:
    """Widths that follow from the bits of a memory, in a network and in gateware alike."""

    order: int
    channels: int
    fraction_bits: int
    guard_bits: int

    @property
    def states(self) -> int:
        """Number of states of all channels."""
        return self.channels * self.order

    @property
    def state_bits(self) -> int:
        """Width of a state: sign, one integer bit, fraction."""
        return 2 + self.fraction_bits

    @property
    def multiplicand_bits(self) -> int:
        """Width of what a coefficient multiplies: sign, three integer bits, F + G."""
        return 4 + self.fraction_bits + self.guard_bits

    @property
    def forward_bits(self) -> int:
        """Width of what the forward pass leaves: sign, four integer bits, F + G."""
        return 5 + self.fraction_bits + self.guard_bits


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LegendreMemory(MemoryWidths):
    """Integers of a Legendre memory of one or more channels, each with q states.

    Parameters
    ----------
    order
        States q of a channel, 2 to `MAX_ORDER`.
    channels
        Channels, 1 or more; each has its own input and states, all share the coefficients.
    window
        Length theta of the window in steps, 2 or more.
    coefficients
        uint16 (q,): the factors of the solve in units of 2^-coefficient_bits, below 2.
    coefficient_bits
        C, 4 to 15: fraction bits of the coefficients.
    fraction_bits
        F, 4 to 20: fraction bits of a state, which has a sign and one integer bit above them.
    guard_bits
        G, 0 to 8: further fraction bits within the solve.
    input_scale, input_shift
        An input u enters as ``u * input_scale`` in units of 2^-(F + G + input_shift), which is
        u/theta of a normalised u.
    emission_bits
        b, 2 to 8: a state is sent as a signed integer of b bits.
    emission_shifts
        uint8 (channels * q,): ``state >> shift`` is what is sent, channel by channel.
    reads
        R, a power of two from 1 to 64: how often the states are sent at the end of a sample, with
        a rounding offset that spreads the error over the reads.
    """

    order: int
    channels: int = 1
    window: int
    coefficients: np.ndarray
    coefficient_bits: int
    fraction_bits: int
    guard_bits: int
    input_scale: int
    input_shift: int
    emission_bits: int
    emission_shifts: np.ndarray
    reads: int = 1

    def __post_init__(self) -> None:
        for noun, low, high in (
            ("order", 2, MAX_ORDER),
            ("channels", 1, 1024),
            ("window", 2, MAX_STEPS),
            *((noun, *limits) for noun, limits in WIDTH_LIMITS.items()),
            ("input_scale", 1, (1 << 16) - 1),
            ("input_shift", 1, 24),
            ("emission_bits", 2, 8),
            ("reads", 1, 64),
        ):
            text = f"{noun.replace('_', ' ').capitalize()} of the memory"
            object.__setattr__(self, noun, checked_integer(text, getattr(self, noun), low, high))
        if self.reads & (self.reads - 1):
            raise NetworkError(f"Reads of the memory must be a power of two, not {self.reads}")
        limit = 2 << self.coefficient_bits
        for noun, dtype, size, low, high in (
            ("coefficients", np.uint16, self.order, 1, limit - 1),
            ("emission_shifts", np.uint8, self.states, 0, self.state_bits - 1),
        ):
            text, values = noun.replace("_", " ").capitalize(), getattr(self, noun)
            if values.dtype != dtype or values.shape != (size,):
                raise NetworkError(
                    f"{text} of the memory must be {np.dtype(dtype)} of shape ({size},), "
                    f"not {values.dtype} of shape {values.shape}"
                )
            if values.min() < low or values.max() > high:
                raise NetworkError(
                    f"{text} of the memory must lie in {low}..{high}, "
                    f"not {values.min()}..{values.max()}"
                )

    @classmethod
    def for_window(
        cls,
        *,
        order: int,
        window: int,
        input_peak: int = 256,
        coefficient_bits: int = 8,
        fraction_bits: int = 10,
        guard_bits: int = 2,
        channels: int = 1,
        emission_bits: int = 4,
        emission_shifts: np.ndarray | None = None,
        reads: int = 1,
    ) -> "LegendreMemory":
        """The memory of an order and a window.

        Parameters
        ----------
        input_peak
            Input that counts as 1.
        emission_shifts
            By default the shift that keeps the sign and the ``emission_bits - 1`` bits below 1.
        """
        coefficients = np.rint(solve_coefficients(order, window) * (1 << coefficient_bits))
        # As many bits of input scale as 16 allow.
        scale = float(1 << fraction_bits + guard_bits) / (input_peak * window)
        input_shift = min(24, max(1, int(np.floor(np.log2(65535 / scale)))))
        if emission_shifts is None:
            shift = max(0, fraction_bits - emission_bits + 1)
            emission_shifts = np.full(channels * order, shift, dtype=np.uint8)
        return cls(
            order=order,
            channels=channels,
            window=window,
            coefficients=np.minimum(coefficients, (2 << coefficient_bits) - 1).astype(np.uint16),
            coefficient_bits=coefficient_bits,
            fraction_bits=fraction_bits,
            guard_bits=guard_bits,
            input_scale=int(np.clip(np.rint(scale * (1 << input_shift)), 1, 65535)),
            input_shift=input_shift,
            emission_bits=emission_bits,
            emission_shifts=emission_shifts,
            reads=reads,
        )

    def read_offsets(self) -> np.ndarray:
        """Rounding offsets of the reads: int64 (R, states), added to a state before its shift.

        ``(2r + 1) / (2R)`` of the step of the emitted integer, so that the sum over the reads is
        the state rounded to a step R times finer (identity of Hermite).
        """
        step = np.int64(1) << self.emission_shifts.astype(np.int64)
        return (2 * np.arange(self.reads)[:, None] + 1) * step // (2 * self.reads)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file, arrays left out."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("coefficients", "emission_shifts")
        }

    def identity(self) -> str:
        """Text that tells one memory from another, for fingerprints."""
        return repr(
            (self.to_json(), self.coefficients.tolist(), self.emission_shifts.tolist()),
        )
