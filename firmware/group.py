# SPDX-License-Identifier: Apache-2.0
"""Several boards that work as one."""

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from firmware.answers import Classification, DeviceStatus, Result
from firmware.batch import classify_on
from firmware.driver import Device
from firmware.transport import Closing, LinkError
from hw.design.design import Design
from model.description import Network
from model.events import Events

__all__ = ["DeviceGroup"]


class DeviceGroup(Closing):
    """Boards that hold the same network and share each batch.

    Closing it closes all of them.

    Parameters
    ----------
    devices
        The boards, at least one.
    names
        What they are called in texts, such as their ports.

    Raises
    ------
    ValueError
        If there is no board, or not a name for each.
    """

    def __init__(self, devices: Sequence[Device], names: Sequence[str]) -> None:
        if not devices or len(devices) != len(names):
            raise ValueError(f"Names must be those of {max(1, len(devices))} boards, not {names!r}")
        self.devices = tuple(devices)
        self.names = tuple(names)
        #: How boards failed in the middle of a batch that others finished, by name.
        self.failures: dict[str, LinkError] = {}

    def close(self) -> None:
        """Let go of all boards."""
        for device in self.devices:
            device.close()

    @property
    def design(self) -> Design:
        """Of the first board; whether the others answer alike is asked before each batch."""
        return self.devices[0].design

    def status(self) -> DeviceStatus:
        """Of the first board."""
        return self.devices[0].status()

    def raise_speed(self) -> list[int]:
        """Raise the speed of every line; see `firmware.speed.raise_speed`."""
        return self._all(lambda device: device.raise_speed())

    def load(self, network: Network, *, progress: Callable[[int, int], None] | None = None) -> None:
        """Load a network into every board at the same time; see `Device.load`."""
        sent: dict[Device, tuple[int, int]] = {}

        def load(device: Device) -> None:
            def show(done: int, total: int) -> None:
                sent[device] = done, total
                if progress is not None and len(sent) == len(self.devices):
                    parts = list(sent.values())
                    progress(sum(part[0] for part in parts), sum(part[1] for part in parts))

            device.load(network, progress=show)

        self._all(load)

    def choose(self, **fields: Any) -> None:
        """Choose how all boards answer; see `Device.choose`."""
        self._all(lambda device: device.choose(**fields))

    def classify(
        self,
        samples: np.ndarray | Events,
        *,
        window: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        on_answer: Callable[[int, int, Result], None] | None = None,
    ) -> Classification:
        """Spread a batch over the boards; see `firmware.batch.classify_on`."""

        def failed(device: Device, error: LinkError) -> None:
            self.failures[self.names[self.devices.index(device)]] = error

        return classify_on(
            self.devices,
            samples,
            window=window,
            progress=progress,
            on_answer=on_answer,
            on_failure=failed,
        )

    def _all(self, do: Callable[[Device], Any]) -> list[Any]:
        """Do something with all boards at once; the first error is raised with the board's name."""
        with concurrent.futures.ThreadPoolExecutor(len(self.devices)) as pool:
            running = [pool.submit(do, device) for device in self.devices]
        for name, future in zip(self.names, running, strict=True):
            error = future.exception()
            if isinstance(error, LinkError):
                raise LinkError(f"{name}: {error}") from None
            if error is not None:
                raise error
        return [future.result() for future in running]
