# SPDX-License-Identifier: Apache-2.0
"""Committees on a link: members, seed and answers after steps, chosen at run time."""

import dataclasses

import numpy as np
import pytest

from firmware.answers import read_result
from firmware.image import device_image
from hw.design.design import Design, Fold
from hw.formats.image_layout import LoadError
from hw.formats.register_map import CommitteeWord, NetworkWord, register_address
from hw.formats.structures import pack, to_bits, unpack
from hw.link.packets import FrameType, ReadRequest, Refusal, RefusalReason, WriteRequest
from model.golden import run
from tests.hw.link.line import converse, load
from tests.stepwise import make_network

FOLDS = [Fold(lanes=4, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]
STORED = make_network((7, 6, 3), seed=3, kind="spike-response", members=3)
OTHER = make_network((5, 3, 2), seed=3, kind="spike-response", members=2)
DRAWN = make_network((7, 6, 3), seed=5, kind="lif", sampled=True)
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 7), dtype=np.uint8)


def same_dynamics(network, like):
    """The network with the other's dynamics, which a gateware fixes."""
    layers = [
        dataclasses.replace(layer, dynamics=other.dynamics)
        for layer, other in zip(network.layers, like.layers, strict=True)
    ]
    return dataclasses.replace(network, layers=tuple(layers))


async def write(host, name, value):
    """Write a register; returns the reason of a refusal, or none."""
    body = pack(WriteRequest, address=register_address(name), value=value)
    reply = await host.request(FrameType.WRITE, body)
    if reply.type is FrameType.DONE:
        return None
    return RefusalReason(unpack(Refusal, reply.body)["reason"])


async def read(host, name):
    """Read a register."""
    body = pack(ReadRequest, address=register_address(name), words=1)
    return int.from_bytes((await host.request(FrameType.READ, body)).body, "little")


async def classify(host, network, image, running=0):
    """Send a sample; returns its answers, the last of them the result."""
    reply = await host.request(FrameType.SAMPLE, image.tobytes())
    replies = [reply]
    while replies[-1].type is FrameType.RUNNING:
        replies.append(await host.wait(20_000))
    assert replies[-1].type is FrameType.RESULT, replies[-1]
    assert len(replies) == running + 1
    assert len({each.sequence for each in replies}) == 1
    return [read_result(each.body, network.classes) for each in replies]


def assert_golden(found, trace, index):
    assert found.winner == int(trace.winners[index])
    assert found.scores.tolist() == trace.scores[index].tolist()
    assert found.firsts.tolist() == trace.votes[index].tolist()


def committee(members, *, step_results=False):
    """Value of the register."""
    return to_bits(CommitteeWord, members=members, step_results=step_results)


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_members_are_chosen_at_run_time(stall):
    other = same_dynamics(OTHER, STORED)
    design = Design.for_networks([STORED, other], FOLDS, pixels_per_cycle=2, step_results=True)

    async def talk(host):
        await load(host, device_image(STORED, design))
        assert NetworkWord.from_bits(await read(host, "network")).members == 3
        for members in (3, 1, 2):
            if members < 3:
                assert await write(host, "committee", committee(members)) is None
            shown = CommitteeWord.from_bits(await read(host, "committee"))
            assert (shown.members, shown.most) == (members, 3)
            trace = run(STORED, IMAGES, members=members)
            for index, image in enumerate(IMAGES[: 2 if stall else 3]):
                assert_golden((await classify(host, STORED, image))[0], trace, index)
        # More than there are, none, answers after steps of several: refused, and nothing changes.
        for value in (committee(4), committee(0), committee(2, step_results=True)):
            assert await write(host, "committee", value) is RefusalReason.MEMBERS
        assert CommitteeWord.from_bits(await read(host, "committee")).members == 2
        await load(host, device_image(other, design))
        assert CommitteeWord.from_bits(await read(host, "committee")).members == 2
        assert await write(host, "committee", committee(3)) is RefusalReason.MEMBERS
        trace = run(other, IMAGES[:, :5])
        assert_golden((await classify(host, other, IMAGES[0, :5]))[0], trace, 0)

    converse(design, talk, stall=stall)


def test_answers_after_every_step():
    design = Design.for_networks([STORED], FOLDS, pixels_per_cycle=2, step_results=True)

    async def talk(host):
        await load(host, device_image(STORED, design))
        assert await write(host, "committee", committee(1, step_results=True)) is None
        trace = run(STORED, IMAGES, members=1)
        samples = await read(host, "samples")
        for index, image in enumerate(IMAGES):
            # The answer after the last step is the result.
            steps = await classify(host, STORED, image, running=STORED.steps - 1)
            assert_golden(steps[-1], trace, index)
            assert [one.winner for one in steps] == trace.running_winners[index].tolist()
            assert [one.scores.tolist() for one in steps] == trace.running_scores[index].tolist()
            assert 0 < steps[0].cycles < steps[-1].cycles
        assert await read(host, "samples") == samples + 3
        assert await write(host, "committee", committee(2)) is None
        trace = run(STORED, IMAGES, members=2)
        assert_golden((await classify(host, STORED, IMAGES[0]))[0], trace, 0)

    converse(design, talk)


def test_drawn_members_want_a_seed():
    design = Design.for_networks([DRAWN], FOLDS, pixels_per_cycle=2, members=3)

    async def talk(host):
        await load(host, device_image(DRAWN, design))
        assert NetworkWord.from_bits(await read(host, "network")).members == 0
        reply = await host.request(FrameType.SAMPLE, IMAGES[0].tobytes())
        assert reply.type is FrameType.REFUSED
        assert unpack(Refusal, reply.body)["reason"] == RefusalReason.SEED.value
        assert await write(host, "seed", 0) is RefusalReason.SEED
        for seed, members in ((1, 1), (0xDEADBEEF, 3)):
            assert await write(host, "seed", seed) is None
            assert await write(host, "committee", committee(members)) is None
            assert await read(host, "seed") == seed
            trace = run(DRAWN, IMAGES, members=members, seed=seed)
            for index, image in enumerate(IMAGES):
                assert_golden((await classify(host, DRAWN, image))[0], trace, index)
        assert await write(host, "committee", committee(4)) is RefusalReason.MEMBERS
        # Another load forgets the seed.
        await load(host, device_image(DRAWN, design))
        assert await read(host, "seed") == 0

    converse(design, talk)


def test_a_gateware_without_a_sampler_has_no_seed():
    design = Design.for_networks([STORED], FOLDS, pixels_per_cycle=2)

    async def talk(host):
        image = bytearray(device_image(STORED, design))
        image[17] = 4
        replies = await load(host, bytes(image))
        assert unpack(Refusal, replies[-1].body)["detail"] == LoadError.MEMBERS.value
        await load(host, device_image(STORED, design))
        assert await write(host, "seed", 5) is None
        assert await read(host, "seed") == 0
        assert await write(host, "committee", committee(1, step_results=True)) is (
            RefusalReason.MEMBERS
        )
        assert_golden((await classify(host, STORED, IMAGES[0]))[0], run(STORED, IMAGES[:1]), 0)

    converse(design, talk)
