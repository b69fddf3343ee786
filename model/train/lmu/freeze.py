# SPDX-License-Identifier: Apache-2.0
"""Freezing the parallel form: latent weights into bits, normalisation into thresholds and gains."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.description import (
    Dynamics,
    Layer,
    LegendreMemory,
    Network,
    NeuronKind,
    Readout,
    SeriesEncoding,
)
from model.train.lmu.network import ParallelNetwork

__all__ = ["freeze", "gains_of"]


def gains_of(powers: Tensor) -> tuple[int, np.ndarray]:
    """Fraction bits of a layer and gains uint8 (neurons,) of its powers of two.

    The least number of fraction bits, 1 or more, at which no gain is negative.
    """
    exponents = torch.log2(powers).round().to(torch.int64).numpy()
    fraction = max(1, int(-exponents.min()))
    return fraction, (exponents + fraction).astype(np.uint8)


@torch.no_grad()
def freeze(
    network: ParallelNetwork,
    *,
    encoding: SeriesEncoding,
    memory: LegendreMemory,
    input_shape: tuple[int, ...] = (),
    inverse_temperature: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> Network:
    """Fold everything into bits and integers.

    Parameters
    ----------
    network
        Trained.
    encoding, memory
        What it was trained behind.
    input_shape
        Shape of one sample.
    inverse_temperature
        By default the scale of the scores that training ended with.
    metadata
        Facts to keep in the network.

    Returns
    -------
    Network
        Predicts exactly what the forward pass at gain 1 gives.
    """
    bits = network.config.quantiser.emission_bits
    number, layers = (memory.emission_bits, True), []
    for layer in network.layers:
        thresholds, powers = layer.fold(None)
        fraction, gains = gains_of(powers)
        layers.append(
            Layer.from_signs(
                _signs(layer.latent),
                thresholds.numpy().astype(np.int64),
                kind=NeuronKind.DIFFUSED,
                dynamics=Dynamics.bounded(
                    kind=NeuronKind.DIFFUSED,
                    fan_in=1,
                    fraction_bits=fraction,
                    emission_bits=bits,
                ),
                input_bits=number[0],
                input_signed=number[1],
                gains=gains,
            )
        )
        number = (bits, False)
    layers.append(
        Layer.from_signs(
            _signs(network.latent),
            network.output_thresholds().numpy().astype(np.int64),
            kind=NeuronKind.INTEGRATOR,
            dynamics=Dynamics.bounded(
                kind=NeuronKind.INTEGRATOR,
                fan_in=network.sizes[-2] * network.highest,
                steps=memory.reads,
            ),
            input_bits=number[0],
            input_signed=number[1],
        )
    )
    return Network(
        encoding=encoding,
        memory=memory,
        layers=tuple(layers),
        readout=Readout.FINAL_POTENTIAL,
        input_shape=input_shape,
        inverse_temperature=inverse_temperature or float(network.inverse_temperature),
        metadata=metadata or {},
    )


def _signs(latent: Tensor) -> np.ndarray:
    return np.where(latent.numpy() >= 0, 1, -1).astype(np.int8)
