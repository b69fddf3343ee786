# SPDX-License-Identifier: Apache-2.0
"""Yardsticks of the LMU: float memory, float weights, against which binary networks are measured.

Parallel form: ``scores = W_n relu(... relu(W_0 m - t_0) ...) - t_n`` with m the states after the
last step. Recurrent form, for each step of the series x (Voelker, Kajic and Eliasmith 2019, with
thresholds)::

    u <- E [m, x, h]
    m <- A m + B u
    h <- tanh(W_0 [m, x, h] - t_0)

and ``scores = W_1 (mean of h over the steps that count) - t_1``.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.encoding import NetworkError, SeriesEncoding
from model.events import Events
from model.float_layers import FloatLayers
from model.legendre_step import float_states, float_system
from model.spike_trains import check_series, series_integers

__all__ = ["LmuYardstick", "mean_activity"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LmuYardstick(FloatLayers):
    """A float LMU.

    Parameters
    ----------
    encoding, weights, thresholds, input_shape, inverse_temperature, metadata
        See `FloatLayers`; all bits of the series are seen. The recurrent form has two layers.
    order, window
        States of a memory channel, length of its window in steps.
    zero_order_hold
        That discretisation of the memory instead of the bilinear one.
    input_peak
        Integer of a series that counts as 1.
    encoder
        Of the recurrent form: float32 (memory channels, fan_in of the first layer).
    burn_in
        Of the recurrent form: steps whose hidden neurons do not count in the scores.
    """

    encoding: SeriesEncoding
    order: int
    window: int
    zero_order_hold: bool
    input_peak: float
    encoder: np.ndarray | None = None
    burn_in: int = 0

    def __post_init__(self) -> None:
        channels = self.encoding.channels
        fan_in = self.order * channels
        if self.encoder is not None:
            if len(self.weights) != 2:
                raise NetworkError(
                    f"A recurrent yardstick must have 2 layers, not {len(self.weights)}"
                )
            fan_in = self.order * len(self.encoder) + channels + len(self.weights[0])
            if self.encoder.shape != (len(self.encoder), fan_in):
                raise NetworkError(
                    f"Weights of the encoder must be ({len(self.encoder)}, {fan_in}), "
                    f"not {self.encoder.shape}"
                )
        self.check_layers(fan_in)
        if not 0 <= self.burn_in < self.steps:
            raise NetworkError(f"Burn in must lie in 0..{self.steps - 1}, not {self.burn_in}")

    @torch.no_grad()
    def scores(self, samples: np.ndarray | Events, *, batch: int = 500) -> np.ndarray:
        """Scores of the classes, float32 (N, classes); the class is the largest one's.

        Raises
        ------
        ValueError
            If the samples are no series for this yardstick.
        """
        series = series_integers(
            self.encoding, check_series(self.encoding, samples, window=self.window)
        )
        system = float_system(self.order, self.window, zero_order_hold=self.zero_order_hold)
        weights = [torch.from_numpy(each) for each in self.weights]
        thresholds = [torch.from_numpy(each) for each in self.thresholds]
        parts = []
        for start in range(0, len(series), batch):
            part = series[start : start + batch] / self.input_peak
            if self.encoder is not None:
                values = mean_activity(
                    torch.from_numpy(part).float().transpose(0, 1),
                    torch.from_numpy(self.encoder),
                    weights[0],
                    thresholds[0],
                    system=system,
                    burn_in=self.burn_in,
                )
            else:
                values = torch.from_numpy(float_states(system, part)).float()
                for weight, threshold in zip(weights[:-1], thresholds[:-1], strict=True):
                    values = functional.relu(values @ weight.T - threshold)
            parts.append((values @ weights[-1].T - thresholds[-1]).numpy())
        return np.concatenate(parts)

    def contents(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Plain values and arrays for a file."""
        arrays = self.layer_arrays()
        if self.encoder is not None:
            arrays["encoder.weights"] = self.encoder
        plain = ("order", "window", "zero_order_hold", "input_peak", "burn_in")
        fields = {name: getattr(self, name) for name in plain}
        return {**fields, "layers": len(self.weights)}, arrays

    @classmethod
    def from_contents(
        cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray], **common: Any
    ) -> "LmuYardstick":
        """Inverse of `contents`; ``common``: encoding, input shape and the like."""
        return cls(
            order=int(fields["order"]),
            window=int(fields["window"]),
            zero_order_hold=bool(fields["zero_order_hold"]),
            input_peak=float(fields["input_peak"]),
            burn_in=int(fields["burn_in"]),
            encoder=arrays.get("encoder.weights"),
            **cls.layers_of(arrays, int(fields["layers"])),
            **common,
        )


def mean_activity(
    series: Tensor,
    encoder: Tensor,
    kernel: Tensor,
    thresholds: Tensor,
    *,
    system: tuple[np.ndarray, np.ndarray],
    burn_in: int,
) -> Tensor:
    """Mean of the hidden neurons of the recurrent form over the steps that count.

    Parameters
    ----------
    series
        float32 (T, N, channels).
    encoder, kernel, thresholds
        E, W_0 and t_0, float32.
    system
        A and B, see `model.legendre_step.float_system`.
    burn_in
        Steps that do not count, less than T.

    Returns
    -------
    torch.Tensor
        float32 (N, hidden).
    """
    steps, count, _ = series.shape
    transition, entry = (torch.from_numpy(each).float() for each in system)
    states = torch.zeros(count, len(encoder), len(entry))
    hidden, total = torch.zeros(count, len(kernel)), torch.zeros(count, len(kernel))
    for step, values in enumerate(series):
        entering = torch.cat([states.flatten(1), values, hidden], 1) @ encoder.T
        states = states @ transition.T + entering[..., None] * entry
        hidden = torch.tanh(
            torch.cat([states.flatten(1), values, hidden], 1) @ kernel.T - thresholds
        )
        if step >= burn_in:
            total = total + hidden
    return total / (steps - burn_in)
