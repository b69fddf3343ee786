# SPDX-License-Identifier: Apache-2.0
"""One place between two streams."""

import random

import pytest
from amaranth.sim import SimulatorContext

from hw.parts.stream_register import StreamRegister
from tests.hw.streams import get, put, run


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_passes_everything_on_in_order(stall: float) -> None:
    dut = StreamRegister(shape=8)
    sent = list(range(40))
    taken: list[tuple[int, int]] = []

    async def source(ctx: SimulatorContext) -> None:
        await put(ctx, dut.i, sent, random.Random(1), stall)

    async def sink(ctx: SimulatorContext) -> None:
        taken.extend(await get(ctx, dut.o, len(sent), random.Random(2), stall))

    run(dut, source, sink, outputs=[dut.o])
    assert [payload for _, payload in taken] == sent
    if not stall:
        assert [cycle for cycle, _ in taken] == [2 * n + dut.latency for n in range(len(sent))]
