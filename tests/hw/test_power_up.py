# SPDX-License-Identifier: Apache-2.0
"""A network in the bitstream is active at power-up, and classifies as the golden model does."""

import numpy as np
import pytest

from firmware.answers import read_result
from firmware.link import Frame, encode_frame
from firmware.resident import contents_of
from hw.board_top import BoardTop
from hw.design.design import Design, Fold
from hw.formats.contents import Contents
from hw.link.packets import FrameType
from hw.patch.memories import placeholder_contents
from model.golden import run as golden
from tests.hw.link.buses import SerialHost
from tests.hw.loading.test_loader import NETWORK
from tests.hw.streams import run
from tests.series import make_parallel, make_recurrent
from tests.stepwise import make_network

DIVISOR = 3


def cases():
    """Networks of every kind of memory, in gateware with room to spare."""
    folds = [Fold(lanes=4, inputs_per_cycle=2), Fold(lanes=3)]
    yield pytest.param(NETWORK, folds, {"pixels_per_cycle": 2}, id="single-spike")
    folds = [Fold(lanes=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]
    committee = make_network((7, 5, 3), seed=3, members=3)
    yield pytest.param(committee, folds, {}, id="committee")
    folds = [Fold(lanes=2), Fold(lanes=3)]
    yield pytest.param(make_parallel(seed=4, order=5, channels=2), folds, {}, id="parallel")
    yield pytest.param(make_recurrent(seed=4, order=5, channels=2), folds, {}, id="recurrent")


def board_of(design: Design, contents: Contents) -> BoardTop:
    return BoardTop(design=design, divisor=DIVISOR, contents=contents)


@pytest.mark.parametrize(("network", "folds", "fields"), list(cases()))
def test_a_resident_network_classifies_without_a_load(network, folds, fields):
    design = Design.for_networks([network], folds, **fields)
    rng = np.random.default_rng(1)
    sample = rng.integers(0, 256, network.sample_values, dtype=np.uint8)
    contents = contents_of(network, design)
    dut = board_of(design, contents)
    found = []

    async def bench(ctx):
        cycles = 0
        while not ctx.get(dut.active):
            await ctx.tick()
            cycles += 1
        found.append(cycles)
        host = SerialHost(ctx, dut, DIVISOR)
        await host.send(
            encode_frame(Frame(type=FrameType.SAMPLE, sequence=5, body=sample.tobytes()))
        )
        found.extend(await host.wait(byte_times=300))

    run(dut, bench)
    cycles, reply = found
    # Three cycles a byte of the head, and a few more.
    assert cycles < 4 * len(contents.head) + 40
    assert (reply.type, reply.sequence) == (FrameType.RESULT, 5)
    answer = read_result(reply.body, network.classes)
    shape = (12, -1) if network.memory is not None else (-1,)
    trace = golden(network, sample.reshape(1, *shape))
    assert answer.winner == int(trace.winners[0])


def test_placeholders_are_no_network():
    design = Design.for_networks([NETWORK], [Fold(lanes=4), Fold(lanes=3)])
    dut = board_of(design, placeholder_contents(design))

    async def bench(ctx):
        for _ in range(400):
            assert not ctx.get(dut.active)
            await ctx.tick()

    run(dut, bench)
