# SPDX-License-Identifier: Apache-2.0
"""Freezing the recurrent hybrid LMU: latent weights into bits, powers of two into shifts."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.description import Dynamics, Layer, Network, NeuronKind, Readout
from model.train.lmu.freeze import gains_of
from model.train.lmu.hybrid_network import HybridNetwork

__all__ = ["freeze_hybrid"]


@torch.no_grad()
def freeze_hybrid(
    network: HybridNetwork,
    *,
    inverse_temperature: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> Network:
    """Fold everything into bits and integers.

    Parameters
    ----------
    network
        Trained.
    inverse_temperature
        By default the scale of the scores that training ended with.
    metadata
        Facts to keep in the network.

    Returns
    -------
    Network
        Predicts exactly what the forward pass at gain 1 gives.
    """
    config = network.config
    peak = 1 << config.bits - 1
    features = network.kernel.shape[1]
    inputs = {"input_bits": config.bits, "input_signed": True}
    fraction, gains = gains_of(torch.exp2(network.exponents))
    encoder = Layer.from_signs(
        _signs(network.encoder),
        np.zeros(len(network.encoder), dtype=np.int64),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics.bounded(
            kind=NeuronKind.INTEGRATOR, fan_in=features * peak << max(config.encoder_shifts)
        ),
        **inputs,
    )
    hidden = Layer.from_signs(
        _signs(network.kernel),
        network.levels.round().numpy().astype(np.int64),
        kind=NeuronKind.DIFFUSED,
        dynamics=Dynamics.bounded(
            kind=NeuronKind.DIFFUSED,
            fan_in=features * peak,
            fraction_bits=fraction,
            emission_bits=config.bits,
            emission_signed=True,
        ),
        gains=gains,
        **inputs,
    )
    readout = Layer.from_signs(
        _signs(network.readout),
        network.offsets.round().numpy().astype(np.int64),
        kind=NeuronKind.INTEGRATOR,
        dynamics=Dynamics.bounded(
            kind=NeuronKind.INTEGRATOR,
            fan_in=len(network.kernel) * peak,
            steps=network.encoding.steps,
            burn_in=config.burn_in,
        ),
        **inputs,
    )
    return Network(
        encoding=network.encoding,
        layers=(hidden, readout),
        memory=network.memory(),
        encoder=encoder,
        encoder_shifts=config.encoder_shifts,
        readout=Readout.FINAL_POTENTIAL,
        input_shape=(network.encoding.steps, network.encoding.channels),
        inverse_temperature=inverse_temperature or float(network.inverse_temperature),
        metadata=metadata or {},
    )


def _signs(latent: Tensor) -> np.ndarray:
    return np.where(latent.numpy() >= 0, 1, -1).astype(np.int8)
