# SPDX-License-Identifier: Apache-2.0
"""Registers of a board as plain values."""

from collections.abc import Sequence

from amaranth.lib import data

from firmware.answers import DeviceStatus
from hw.design.design import Design
from hw.formats.image_layout import LoadError, LoadState
from hw.formats.register_map import (
    CommitteeWord,
    ErrorFlags,
    LinkWord,
    NetworkWord,
    SizeWord,
    StatusWord,
    register_address,
)

__all__ = ["WINDOW_WORDS", "read_status"]

#: All registers.
WINDOW_WORDS = 64


def read_status(window: Sequence[int], design: Design) -> DeviceStatus:
    """Return what a board holds and has counted.

    Parameters
    ----------
    window
        All registers from address 0 on.
    design
        Of the gateware.
    """

    def word(name: str) -> int:
        return window[register_address(name) // 4]

    status = StatusWord.from_bits(word("status"))
    state = LoadState(status.state)
    size = SizeWord.from_bits(word("network_size"))
    network = NetworkWord.from_bits(word("network"))
    committee = CommitteeWord.from_bits(word("committee"))
    errors = word("errors") & (1 << data.Layout.cast(ErrorFlags).size) - 1
    flags = ErrorFlags.from_bits(errors)
    is_active = state is LoadState.ACTIVE
    return DeviceStatus(
        state=state,
        load_error=LoadError(status.load_error),
        fingerprint=word("fingerprint"),
        sample_values=size.sample_values if is_active else 0,
        classes=size.classes if is_active else 0,
        steps=network.steps if is_active else 0,
        readout=design.readouts[network.readout] if is_active else None,
        errors=tuple(name for name, _ in data.Layout.cast(ErrorFlags) if flags[name]),
        cycles=word("cycles"),
        samples=word("samples"),
        input_spikes=word("input_spikes"),
        hidden_spikes=word("hidden_spikes"),
        clock_hz=word("clock_hz"),
        divisor=LinkWord.from_bits(word("link")).divisor,
        stored_members=network.members if is_active else 0,
        members=committee.members if is_active and design.is_stepwise else 1,
        step_results=committee.step_results,
        seed=word("seed"),
    )
