# SPDX-License-Identifier: Apache-2.0
"""Samples of events on a link: in parts, repeated, with gaps, begun again."""

import dataclasses

import numpy as np
import pytest

from firmware.answers import read_result
from firmware.events import event_bodies
from firmware.image import device_image
from firmware.link import Frame, encode_frame
from hw.design.design import Design, Fold
from hw.formats.register_map import CommitteeWord, register_address
from hw.formats.structures import pack, to_bits, unpack
from hw.link.packets import (
    FrameType,
    Refusal,
    RefusalReason,
    SampleBegin,
    SampleData,
    WriteRequest,
)
from model.encoding import EventEncoding
from model.events import Events
from model.golden import run
from tests.hw.link.line import converse, load
from tests.stepwise import make_network

ENCODING = EventEncoding(
    width=7, height=5, left=1, crop_width=6, crop_height=5, shift=1, bin_us=50, steps=5
)
NETWORK = make_network((ENCODING.features, 4, 3), seed=3, members=2, encoding=ENCODING)
DESIGN = Design.for_networks(
    [NETWORK],
    [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)],
    pixels_per_cycle=2,
    sample_input="events",
)


def samples():
    """Many events, none, one."""
    rng = np.random.default_rng(5)
    counts = np.array([23, 0, 1])
    total = int(counts.sum())
    return Events(
        t=np.concatenate([np.sort(rng.integers(0, 280, count)) for count in counts]),
        x=rng.integers(0, 7, total),
        y=rng.integers(0, 5, total),
        p=rng.integers(0, 2, total),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )


def data(body, first, count):
    """A part of a sample, counted in events."""
    return (
        pack(SampleData, remaining=len(body) // 8 - first) + body[8 * first : 8 * (first + count)]
    )


def reason(reply):
    assert reply.type is FrameType.REFUSED
    return RefusalReason(unpack(Refusal, reply.body)["reason"])


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_samples_in_parts(stall):
    events = samples()
    bodies, golden = event_bodies(events, ENCODING), run(NETWORK, events)

    async def talk(host):
        reply = await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=1))
        assert reason(reply) is RefusalReason.NO_NETWORK
        await load(host, device_image(NETWORK, DESIGN))
        for part in (5, 23):
            for index, body in enumerate(bodies):
                count = len(body) // 8
                begin = await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=count))
                assert begin.type is FrameType.DONE
                for first in range(0, count, part):
                    reply = await host.request(FrameType.SAMPLE_DATA, data(body, first, part))
                    if first + part < count:
                        assert reply.type is FrameType.DONE
                        # Once more: acknowledged, and not taken.
                        again = await host.request(FrameType.SAMPLE_DATA, data(body, first, part))
                        assert again.type is FrameType.DONE
                assert reply.type is FrameType.RESULT
                found = read_result(reply.body, NETWORK.classes)
                assert found.winner == int(golden.winners[index])
                assert found.scores.tolist() == golden.scores[index].tolist()
                assert found.firsts.tolist() == golden.votes[index].tolist()
        # The last part again, as if its result had been lost: no second result.
        assert (await host.request(FrameType.SAMPLE_DATA, data(body, 0, 1))).type is FrameType.DONE

    converse(DESIGN, talk, stall=stall)


@pytest.mark.parametrize("counts", [(6, 6), (6, 1), (0, 9)])
def test_the_result_waits_for_events_behind_the_last_step(counts):
    """The first of them ends the sample, but only the part with the last one is answered so."""
    inside, late = counts
    count = inside + late
    rng = np.random.default_rng(6)
    end = ENCODING.steps * ENCODING.bin_us
    events = Events(
        t=np.concatenate([np.sort(rng.integers(0, end, inside)), end + np.arange(late)]),
        x=rng.integers(0, 7, count),
        y=rng.integers(0, 5, count),
        p=rng.integers(0, 2, count),
        offsets=np.array([0, count]),
    )
    body, golden = event_bodies(events, ENCODING)[0], run(NETWORK, events)

    async def talk(host):
        await load(host, device_image(NETWORK, DESIGN))
        for part in (1, 4, count - 1, 1):
            await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=count))
            for first in range(0, count, part):
                assert await host.wait(1000) is None
                reply = await host.request(FrameType.SAMPLE_DATA, data(body, first, part))
            assert reply.type is FrameType.RESULT
            found = read_result(reply.body, NETWORK.classes)
            assert found.scores.tolist() == golden.scores[0].tolist()
            # A sample of which all steps are over, but not all events are there, is forgotten.
            await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=count))
            await host.request(FrameType.SAMPLE_DATA, data(body, 0, count - 1))
            assert await host.wait(1000) is None

    converse(DESIGN, talk)


def test_what_does_not_fit_is_refused_and_a_new_begin_starts_clean():
    events = samples()
    body, golden = event_bodies(events, ENCODING)[0], run(NETWORK, events)

    async def talk(host):
        await load(host, device_image(NETWORK, DESIGN))
        for count in (0, 1 << 24):
            reply = await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=count))
            assert reason(reply) is RefusalReason.SAMPLE_SIZE
        assert reason(await host.request(FrameType.SAMPLE, body)) is RefusalReason.TYPE
        for taken in (3, 9):
            await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=23))
            reply = await host.request(FrameType.SAMPLE_DATA, data(body, 0, taken))
            assert reply.type is FrameType.DONE
            gap = await host.request(FrameType.SAMPLE_DATA, data(body, taken + 1, 2))
            assert reason(gap) is RefusalReason.GAP
            odd = data(body, taken, 2)[:-3]
            assert reason(await host.request(FrameType.SAMPLE_DATA, odd)) is RefusalReason.SIZE
        # What was sent so far is forgotten.
        await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=23))
        reply = await host.request(FrameType.SAMPLE_DATA, data(body, 0, 23))
        found = read_result(reply.body, NETWORK.classes)
        assert found.scores.tolist() == golden.scores[0].tolist()

    converse(DESIGN, talk)


@pytest.mark.parametrize("part", [6, 40])
def test_answers_after_steps_come_while_events_go_in(part):
    encoding = dataclasses.replace(ENCODING, steps=12)
    network = make_network((encoding.features, 4, 3), seed=3, encoding=encoding)
    design = Design.for_networks(
        [network], [Fold(lanes=4), Fold(lanes=3)], sample_input="events", step_results=True
    )
    rng = np.random.default_rng(5)
    events = Events(
        t=np.sort(rng.integers(0, 12 * 50, 40)),
        x=rng.integers(0, 7, 40),
        y=rng.integers(0, 5, 40),
        p=rng.integers(0, 2, 40),
        offsets=np.array([0, 40]),
    )
    body, golden = event_bodies(events, encoding)[0], run(network, events)
    every_step = pack(
        WriteRequest,
        address=register_address("committee"),
        value=to_bits(CommitteeWord, members=1, step_results=1),
    )

    async def talk(host):
        await load(host, device_image(network, design))
        assert (await host.request(FrameType.WRITE, every_step)).type is FrameType.DONE
        # A sample that is cut short by another choice is forgotten.
        await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=40))
        await host.request(FrameType.SAMPLE_DATA, data(body, 0, 3))
        assert (await host.request(FrameType.WRITE, every_step)).type is FrameType.DONE
        reply = await host.request(FrameType.SAMPLE_DATA, data(body, 3, 5))
        assert reply.type is FrameType.DONE

        await host.request(FrameType.SAMPLE_BEGIN, pack(SampleBegin, events=40))
        found, parts = [], range(0, 40, part)
        for first in parts:
            frame = Frame(type=FrameType.SAMPLE_DATA, sequence=first, body=data(body, first, part))
            await host.send(encode_frame(frame))
            while True:
                reply = await host.wait(5000)
                assert reply is not None, "locked up"
                # An answer may come between two parts: it has the number of the one before.
                is_late = reply.type is FrameType.RUNNING and reply.sequence == first - part
                assert reply.sequence == first or is_late
                if reply.type is FrameType.DONE:
                    break
                found.append(read_result(reply.body, network.classes))
                if reply.type is FrameType.RESULT:
                    break
        assert reply.type is FrameType.RESULT
        assert [one.scores.tolist() for one in found] == golden.running_scores[0].tolist()

    converse(design, talk)
