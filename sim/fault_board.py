# SPDX-License-Identifier: Apache-2.0
"""The small networks and the board on which faults are tried, and what must hold after each."""

import functools
import random
from typing import Self

import numpy as np

from firmware.driver import Device, DeviceError, RefusedError
from firmware.transport import Closing, Transport
from hw.design.design import Design, Fold
from hw.formats.image_layout import LoadState
from hw.link.packets import FrameType, RefusalReason
from model.description import LatencyEncoding, Layer, Network, Readout
from model.golden import run
from sim.virtual_board import VirtualBoard

__all__ = ["FaultBench", "FaultError", "fault_design", "fault_networks"]

_PROBES = 2
# Simulated: so many cycles are far more than any answer takes.
_TIMEOUT_S = 0.02


class FaultError(AssertionError):
    """Something that must hold after a fault does not; the text says what."""


def _network(seed: int, sizes: tuple[int, ...], steps: int, readout: Readout) -> Network:
    """Random weights, thresholds and levels."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer.from_signs(
            np.where(rng.random((neurons, fan_in)) < 0.5, 1, -1), rng.integers(1, 4, neurons)
        )
        for fan_in, neurons in zip(sizes, sizes[1:], strict=False)
    ]
    levels = tuple(sorted(rng.integers(1, 256, steps).tolist(), reverse=True))
    return Network(encoding=LatencyEncoding(levels=levels), layers=tuple(layers), readout=readout)


@functools.cache
def fault_networks() -> tuple[Network, Network]:
    """Two networks that one gateware holds: other sizes, steps and readouts."""
    return (
        _network(1, (20, 10, 4), 6, Readout.FIRST_SPIKE),
        _network(2, (13, 7, 3), 4, Readout.SUMMED_POTENTIAL),
    )


@functools.cache
def fault_design() -> Design:
    """The smallest gateware that holds both."""
    folds = [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=4)]
    return Design.for_networks(list(fault_networks()), folds, pixels_per_cycle=2)


class FaultBench(Closing):
    """A stepped virtual board, and what the golden model says about probe images.

    Parameters
    ----------
    board
        A board of `fault_design`; it is started and closed with this.
    """

    def __init__(self, board: VirtualBoard) -> None:
        self.board = board
        self.networks = fault_networks()
        rng = np.random.default_rng(0)
        self._probes = tuple(
            rng.integers(0, 256, (_PROBES, network.features), dtype=np.uint8)
            for network in self.networks
        )
        self._golden = tuple(
            run(network, images)
            for network, images in zip(self.networks, self._probes, strict=True)
        )

    def __enter__(self) -> Self:
        self.board.start()
        return super().__enter__()

    def close(self) -> None:
        """Stop the board."""
        self.board.close()

    def device(self, rng: random.Random, line: Transport | None = None) -> Device:
        """A driver on the board's line, or on another one."""
        line = self.board.connect() if line is None else line
        return Device(line, timeout=_TIMEOUT_S, first_sequence=rng.randrange(256))

    def begin(self, rng: random.Random, held: int | None) -> None:
        """Power on, with one of the networks or with none."""
        self.board.power_cycle()
        if held is not None:
            self.device(rng).load(self.networks[held])

    def classify(self, device: Device, index: int) -> None:
        """Classify the probes of a network; what comes must be what the golden model says.

        Raises
        ------
        FaultError
            If it is not.
        """
        found, golden = device.classify(self._probes[index]), self._golden[index]
        for name in ("winners", "decision_steps", "scores"):
            if getattr(found, name).tolist() != getattr(golden, name).tolist():
                raise FaultError(
                    f"{name} must be {getattr(golden, name).tolist()}, "
                    f"not {getattr(found, name).tolist()}"
                )

    def check(self, rng: random.Random, allowed: set[int | None]) -> int | None:
        """What must hold after any fault; returns the network that was held, or none.

        The board answers every request at once; it holds a whole network, one of those allowed, or
        says that it has none, where that is allowed; the next load works, and no error stays.

        Parameters
        ----------
        rng
            Chooses the network of the next load.
        allowed
            Networks that may be held; None: it may have none.

        Raises
        ------
        FaultError
            If something does not hold.
        LinkError
            If the board does not answer.
        """
        device = self.device(rng)
        status = device.status()
        held = None
        if status.state is LoadState.ACTIVE:
            prints = [network.fingerprint() for network in self.networks]
            if status.fingerprint not in prints:
                raise FaultError(f"Fingerprint {status.fingerprint:#x} is of no network")
            held = prints.index(status.fingerprint)
        elif status.fingerprint:
            raise FaultError(f"Fingerprint must be 0 without a network: {status.fingerprint:#x}")
        if held not in allowed:
            raise FaultError(f"Network {held} is held, allowed are {sorted(allowed, key=str)}")
        if held is not None:
            self.classify(device, held)
        else:
            self._check_none(device)
        following = rng.randrange(len(self.networks))
        device.load(self.networks[following])
        self.classify(device, following)
        if device.repeated:
            raise FaultError(f"Requests that were repeated must be 0, not {device.repeated}")
        device.clear_errors()
        if errors := device.status().errors:
            raise FaultError(f"Errors must be gone, not {errors}")
        return held

    def _check_none(self, device: Device) -> None:
        """Neither the driver nor the board takes a sample for a network that is not there."""
        for index in range(len(self.networks)):
            try:
                self.classify(device, index)
            except DeviceError:
                pass
            else:
                raise FaultError("A sample was taken without a network")
            try:
                device.request(FrameType.SAMPLE, self._probes[index][0].tobytes())
            except RefusedError as error:
                if error.reason is not RefusalReason.NO_NETWORK:
                    raise FaultError(f"A sample was refused for {error.reason}") from None
            else:
                raise FaultError("The board took a sample without a network")
