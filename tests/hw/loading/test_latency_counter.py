# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.loading.latency_counter import LatencyCounter
from tests.hw.streams import run

LEAD = 2


def measured(events):
    """Latencies after each finished sample: (latency, whether it was measured)."""
    dut = LatencyCounter(lead=LEAD, in_flight=4)
    found = []

    async def bench(ctx):
        ctx.set(dut.running, 1)
        was_measured = 0
        for event in events:
            for port in ("sample", "record"):
                for wire in ("valid", "ready", "last"):
                    ctx.set(getattr(dut, f"{port}_{wire}"), wire[0] in event.get(port, ""))
            ends = set("vrl") <= set(event.get("record", ""))
            was_measured = ctx.get(dut.measured)
            await ctx.tick()
            if ends:
                found.append((ctx.get(dut.latency), was_measured))

    run(dut, bench)
    return found


def sample(beats, work, records, *, rng=None):
    """Cycles of one sample, and how many of them count."""
    events = []

    def waits(event):
        for _ in range(rng.randrange(3) if rng else 0):
            events.append(event)

    for beat in range(beats):
        if beat:
            waits({"sample": "r"})
        events.append({"sample": "vrl" if beat == beats - 1 else "vr"})
        if beat == 0 and beats > 1:
            events.append({"sample": "v"})  # the core makes the source wait: that counts
    events += [{}] * work
    for record in range(records):
        last = "l" if record == records - 1 else ""
        waits({"record": "v" + last})
        events.append({"record": "vr" + last})
    return events, LEAD + beats + (beats > 1) + work + records


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("beats", [1, 5])
def test_waiting_for_the_link_is_left_out(beats, seed):
    rng = random.Random(seed) if seed else None
    events, cycles = sample(beats, 7, 3, rng=rng)
    again, longer = sample(beats, 9, 2, rng=rng)
    assert measured([{}, *events, {}, {}, *again]) == [(cycles, 1), (longer, 1)]


def test_a_sample_that_overtakes_nobody_is_not_measured_behind_another():
    beat, end = {"sample": "vrl"}, {"record": "vrl"}
    events = [beat, {}, beat, {}, end, {}, {}, end, {}, beat, end]
    assert measured(events) == [(5 + LEAD, 1), (5 + LEAD, 0), (2 + LEAD, 1)]


def test_stopping_forgets():
    dut = LatencyCounter(lead=LEAD, in_flight=4)

    async def bench(ctx):
        ctx.set(dut.running, 1)
        ctx.set(dut.sample_valid, 1)
        ctx.set(dut.sample_ready, 1)
        await ctx.tick()
        assert ctx.get(dut.measured)
        ctx.set(dut.sample_valid, 0)
        ctx.set(dut.running, 0)
        await ctx.tick()
        assert not ctx.get(dut.measured)

    run(dut, bench)
