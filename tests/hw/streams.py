# SPDX-License-Identifier: Apache-2.0
"""Put, get and watch streams in Amaranth's simulator."""

import random
from collections.abc import Callable, Iterable
from typing import Any

from amaranth.hdl import Value
from amaranth.sim import Simulator, SimulatorContext

__all__ = ["get", "plain", "put", "run", "take_all", "watch"]

#: No bench of ours needs more simulated time (a clock period is 1 us).
DEADLINE = 0.2


def plain(value: Any) -> Any:
    """A sampled payload as plain integers, dicts and lists, so that it compares with ``==``."""
    if isinstance(value, int):
        return value
    shape = value.shape()
    if hasattr(shape, "members"):
        return {name: plain(value[name]) for name in shape.members}
    return [plain(value[index]) for index in range(shape.length)]


async def put(
    ctx: SimulatorContext, stream: Any, payloads: Iterable[Any], rng: random.Random, stall: float
) -> None:
    """Send payloads; before each, wait a cycle with probability ``stall``, again and again."""
    for payload in payloads:
        while rng.random() < stall:
            await ctx.tick()
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)


async def get(
    ctx: SimulatorContext, stream: Any, count: int, rng: random.Random, stall: float
) -> list[tuple[int, Any]]:
    """Take ``count`` payloads; returns (cycle, payload as `plain`), cycles counted from here."""
    taken: list[tuple[int, Any]] = []
    cycle = 0
    while len(taken) < count:
        ready = rng.random() >= stall
        ctx.set(stream.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        if valid and ready:
            taken.append((cycle, plain(payload)))
        cycle += 1
    ctx.set(stream.ready, 0)
    return taken


async def take_all(
    ctx: SimulatorContext,
    stream: Any,
    take: Callable[[Any], None],
    rng: random.Random,
    stall: float,
) -> None:
    """Give every payload that comes to a function, for ever: for benches in the background."""
    while True:
        ready = rng.random() >= stall
        ctx.set(stream.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        if valid and ready:
            take(payload)


def watch(stream: Any) -> Callable[[SimulatorContext], Any]:
    """A bench that fails if an offered payload changes or goes away before it is taken."""

    async def bench(ctx: SimulatorContext) -> None:
        waiting = None
        async for _, _, valid, ready, payload in ctx.tick().sample(
            stream.valid, stream.ready, Value.cast(stream.payload)
        ):
            if waiting is not None:
                assert valid, "a waiting payload vanished"
                assert payload == waiting, "a waiting payload changed"
            waiting = payload if valid and not ready else None

    return bench


Bench = Callable[[SimulatorContext], Any]


def run(
    dut: Any, *benches: Bench, background: Iterable[Bench] = (), outputs: Iterable[Any] = ()
) -> None:
    """Run benches to their end, watching output streams, with a deadline."""

    async def deadline(ctx: SimulatorContext) -> None:
        await ctx.delay(DEADLINE)
        raise TimeoutError("a bench did not end")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    for bench in background:
        simulator.add_testbench(bench, background=True)
    for output in outputs:
        simulator.add_testbench(watch(output), background=True)
    simulator.add_testbench(deadline, background=True)
    simulator.run()
