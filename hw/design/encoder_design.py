# SPDX-License-Identifier: Apache-2.0
"""Capacity of the encoder of a recurrent network, which makes the memory's inputs. Pure Python."""

import dataclasses
from collections.abc import Sequence

from hw.design.layer_design import CapacityError, Fold, LayerDesign, signed_bits
from model.description import Dynamics, Network, NeuronKind

__all__ = ["EncoderDesign"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderDesign:
    """What an encoder can hold.

    Parameters
    ----------
    features
        Most inputs: states of the memory, values of a step, hidden neurons.
    channels
        Most channels of the memory, each a lane.
    series_channels
        Most values of a step.
    input_bits
        b: bits of an input, fixed in the gateware.
    shifts
        Left shifts of what states, series and hidden neurons add, fixed in the gateware.
    sum_bits
        Width of the signed input of the memory, which no partial sum can exceed.
    """

    features: int
    channels: int
    series_channels: int
    input_bits: int
    shifts: tuple[int, int, int]
    sum_bits: int

    @classmethod
    def for_networks(cls, networks: Sequence[Network]) -> "EncoderDesign":
        """Smallest design that holds the encoders of recurrent networks, all of the same shifts
        and bits of an input."""
        fixed = {(network.layers[0].input_bits, network.encoder_shifts) for network in networks}
        if len(fixed) > 1 or any(network.encoder is None for network in networks):
            raise ValueError(
                "Networks of one gateware must all be recurrent with the same input bits and "
                "encoder shifts, or none of them"
            )
        bits, shifts = fixed.pop()
        return cls(
            features=max(network.features for network in networks),
            channels=max(network.memory.channels for network in networks),
            series_channels=max(network.encoding.channels for network in networks),
            input_bits=bits,
            shifts=shifts,
            sum_bits=max(_sum_bits(network) for network in networks),
        )

    @property
    def layer(self) -> LayerDesign:
        """The encoder's lanes: one block, one input a word, planes as high as the largest shift
        lifts them."""
        return LayerDesign(
            fan_in=self.features,
            neurons=self.channels,
            fold=Fold(lanes=self.channels),
            potential_bits=self.sum_bits,
            threshold_bits=1,
            kind=NeuronKind.INTEGRATOR,
            dynamics=Dynamics(membrane_bits=1),
            input_bits=self.input_bits + max(self.shifts),
            input_signed=True,
        )

    def check(self, network: Network) -> None:
        """Refuse a network whose encoder does not fit.

        Raises
        ------
        CapacityError
            Naming the first field that does not fit.
        """
        if network.encoder is None:
            raise CapacityError("Network must have an encoder")
        if network.encoder_shifts != self.shifts:
            raise CapacityError(
                f"Encoder shifts must be {self.shifts}, not {network.encoder_shifts}"
            )
        for noun, limit, found in (
            ("Inputs of the encoder", self.features, network.features),
            ("Channels of the series", self.series_channels, network.encoding.channels),
            ("Bits of the encoder's sum", self.sum_bits, _sum_bits(network)),
        ):
            if found > limit:
                raise CapacityError(f"{noun} must be at most {limit}, not {found}")


def _sum_bits(network: Network) -> int:
    """Bits of the encoder's largest sum."""
    first = network.layers[0]
    counts = (network.memory.states, network.encoding.channels, first.neurons)
    shifted = zip(counts, network.encoder_shifts, strict=True)
    most = first.input_peak * sum(count << shift for count, shift in shifted)
    return signed_bits(-most, most)
