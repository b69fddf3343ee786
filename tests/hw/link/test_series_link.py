# SPDX-License-Identifier: Apache-2.0
"""Series on a link: loading, answers at the end and on the way."""

import zlib

import numpy as np
import pytest

from firmware.image import device_image
from firmware.link import Frame, encode_frame
from hw.design.design import Design, Fold
from hw.formats.image_layout import ImageHeader, ImageMemory, LoadError
from hw.formats.register_map import CommitteeWord
from hw.formats.structures import byte_span, size_of, to_bits, unpack
from hw.link.packets import FrameType, Refusal, RefusalReason
from model.golden import run, run_every
from tests.hw.link.line import converse, load
from tests.hw.link.test_committee import classify, read, write
from tests.series import make_parallel, make_recurrent

NETWORK = make_parallel(seed=2, order=5, channels=2, steps=7, hidden=(4,), reads=2)
DESIGN = Design.for_networks(
    [NETWORK],
    [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)],
    step_results=True,
)
SAMPLES = np.random.default_rng(1).integers(0, 256, (3, NETWORK.sample_values), dtype=np.uint8)


def every(steps):
    """Value of the register."""
    return to_bits(CommitteeWord, members=1, step_results=steps)


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_series_are_answered_at_the_end_and_on_the_way(stall):
    async def talk(host):
        await load(host, device_image(NETWORK, DESIGN))
        assert await read(host, "network_size") == 14 | 3 << 16
        for steps in (7, 2, 1):
            assert await write(host, "committee", every(steps % 7)) is None
            golden = run_every(NETWORK, SAMPLES, every=steps)
            count = len(golden.steps)
            for index, sample in enumerate(SAMPLES[: 1 if stall else 2]):
                found = await classify(host, NETWORK, sample, running=count - 1)
                assert [a.scores.tolist() for a in found] == golden.scores[index].tolist()
                assert [a.winner for a in found] == golden.winners[index].tolist()
        short = await host.request(FrameType.SAMPLE, bytes(13))
        assert unpack(Refusal, short.body)["reason"] == RefusalReason.SAMPLE_SIZE.value

    converse(DESIGN, talk, stall=stall)


def test_answers_come_while_the_next_series_is_being_sent():
    golden = run_every(NETWORK, SAMPLES, every=1).scores

    async def talk(host):
        await load(host, device_image(NETWORK, DESIGN))
        await write(host, "committee", every(1))
        for index, sample in enumerate(SAMPLES[:2]):
            body = sample.tobytes()
            frame = Frame(type=FrameType.SAMPLE, sequence=100 + index, body=body)
            await host.send(encode_frame(frame))
        replies = [await host.wait(20_000) for _ in range(14)]
        kinds = [FrameType.RUNNING] * 6 + [FrameType.RESULT]
        assert [reply.type for reply in replies] == kinds * 2
        assert [reply.sequence for reply in replies] == [100] * 7 + [101] * 7
        scores = [np.frombuffer(r.body[:-6], "<u2,<i4")["f1"].tolist() for r in replies]
        assert scores == golden[:2].flatten(0, 1).tolist()

    converse(DESIGN, talk)


def test_a_recurrent_network_is_loaded_and_answers():
    network = make_recurrent(seed=3, order=3, steps=4)
    design = Design.for_networks([network], [Fold(lanes=2), Fold(lanes=3)])
    samples = np.random.default_rng(3).integers(0, 256, (2, network.sample_values), dtype=np.uint8)
    golden = run(network, samples)

    async def talk(host):
        await load(host, device_image(network, design))
        for index, sample in enumerate(samples):
            (found,) = await classify(host, network, sample)
            assert found.scores.tolist() == golden.scores[index].tolist()
            assert found.winner == int(golden.winners[index])

    converse(design, talk)


def test_images_with_another_memory_are_refused():
    image = device_image(NETWORK, DESIGN)

    def altered(name, value):
        span = byte_span(ImageMemory, name)
        place = size_of(ImageHeader) + span.start
        changed = bytearray(image)
        changed[place : place + len(span)] = value.to_bytes(len(span), "little")
        return bytes(changed[:-4]) + zlib.crc32(changed[:-4]).to_bytes(4, "little")

    async def talk(host):
        scale = 1 << DESIGN.memory.scale_bits
        for name, value in (
            ("order", 1),
            ("order", 256 + 5),
            ("channels", 3),
            ("states", 11),
            ("reads", 0),
            ("reads", 3),
            ("input_scale", scale),
        ):
            reply = (await load(host, altered(name, value)))[-1]
            refusal = unpack(Refusal, reply.body)
            assert refusal == {
                "reason": RefusalReason.IMAGE.value,
                "detail": LoadError.MEMORY.value,
            }, (name, value)
        assert (await load(host, image))[-1].type is FrameType.DONE

    converse(DESIGN, talk)
