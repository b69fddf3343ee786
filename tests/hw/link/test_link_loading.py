# SPDX-License-Identifier: Apache-2.0
"""Images over the link: whole, repeated, cut, altered, dropped."""

import pytest

from firmware.image import device_image
from firmware.link import Frame, encode_frame
from hw.formats.image_layout import LoadError
from hw.formats.register_map import register_address
from hw.formats.structures import pack
from hw.link.packets import (
    FrameType,
    LoadBegin,
    LoadData,
    RefusalReason,
    WriteRequest,
)
from tests.hw.link.conversation import (
    NETWORK,
    design_for,
    reference,
    refusal,
    registers,
    result,
)
from tests.hw.link.line import converse, load


def test_repeated_and_reordered_load_frames():
    design = design_for([NETWORK])
    image = device_image(NETWORK, design)

    async def talk(host):
        async def data(offset, size):
            body = pack(LoadData, remaining=len(image) - offset) + image[offset : offset + size]
            return await host.request(FrameType.LOAD_DATA, body)

        begin = pack(LoadBegin, length=len(image))
        assert (await host.request(FrameType.LOAD_BEGIN, begin)).type is FrameType.DONE
        assert (await host.request(FrameType.LOAD_BEGIN, begin)).type is FrameType.DONE
        assert refusal(await data(150, 50)) == (RefusalReason.GAP, 0)
        for offset in range(0, len(image), 150):
            assert (await data(offset, 150)).type is FrameType.DONE
            assert (await data(offset, 150)).type is FrameType.DONE
            assert (await data(0, 20)).type is FrameType.DONE
            assert (await data(offset, 0)).type is FrameType.DONE
        for _ in range(2):
            assert (await host.request(FrameType.LOAD_END)).type is FrameType.DONE
        sample = bytes(range(NETWORK.features))
        found = result(await host.request(FrameType.SAMPLE, sample))
        assert found[:2] == reference(NETWORK, sample)

    converse(design, talk)


def test_a_cut_load_leaves_no_network_and_the_next_load_works():
    design = design_for([NETWORK])
    image = device_image(NETWORK, design)
    sample = bytes(range(NETWORK.features))

    async def talk(host):
        await load(host, image)
        for cut in (1, 30, len(image) - 1):
            begin = pack(LoadBegin, length=len(image))
            await host.request(FrameType.LOAD_BEGIN, begin)
            body = pack(LoadData, remaining=len(image)) + image[:cut]
            frame = encode_frame(Frame(type=FrameType.LOAD_DATA, sequence=1, body=body))
            await host.send(frame)
            await host.wait()
            # The line is cut in the middle of the next frame, and garbage follows.
            await host.send(frame[: cut % 50 + 1] + bytes(range(1, 40)))
            await host.send(b"\0\0\xff\0")
            assert await registers(host, "fingerprint", 2) == [0, 1]
            assert refusal(await host.request(FrameType.SAMPLE, sample))[0] is (
                RefusalReason.NO_NETWORK
            )
            assert refusal(await host.request(FrameType.LOAD_END))[0] is RefusalReason.INCOMPLETE
        replies = await load(host, image)
        assert {reply.type for reply in replies} == {FrameType.DONE}
        found = result(await host.request(FrameType.SAMPLE, sample))
        assert found[:2] == reference(NETWORK, sample)

    converse(design, talk)


@pytest.mark.parametrize("name", ["link", "boot"])
def test_a_refused_write_leaves_a_load_alone(name):
    design = design_for([NETWORK])
    image = device_image(NETWORK, design)

    async def talk(host):
        await host.request(FrameType.LOAD_BEGIN, pack(LoadBegin, length=len(image)))
        for remaining, part in ((len(image), image[:90]), (len(image) - 90, image[90:])):
            # The link is no serial line, and there is no flash.
            write = pack(WriteRequest, address=register_address(name), value=2)
            reply = await host.request(FrameType.WRITE, write)
            assert refusal(reply) == (RefusalReason.VALUE, 0)
            body = pack(LoadData, remaining=remaining) + part
            assert (await host.request(FrameType.LOAD_DATA, body)).type is FrameType.DONE
        assert (await host.request(FrameType.LOAD_END)).type is FrameType.DONE
        assert await registers(host, "fingerprint", 2) == [NETWORK.fingerprint(), 2]

    converse(design, talk)


def test_an_altered_image_is_refused_and_named():
    design = design_for([NETWORK])
    image = device_image(NETWORK, design)
    cases = [(4, LoadError.VERSION), (300, LoadError.CRC)]

    async def talk(host):
        for place, error in cases:
            altered = bytearray(image)
            altered[place] ^= 0x40
            replies = await load(host, bytes(altered))
            assert refusal(replies[-1]) == (RefusalReason.IMAGE, error.value)
            assert await registers(host, "fingerprint", 3) == [0, error.value << 8, 24]
            flag = pack(WriteRequest, address=register_address("errors"), value=0xFFFFFFFF)
            await host.request(FrameType.WRITE, flag)
        assert (await load(host, image))[-1].type is FrameType.DONE

    converse(design, talk)


def test_control_register_drops_the_network():
    design = design_for([NETWORK])

    async def talk(host):
        await load(host, device_image(NETWORK, design))
        body = pack(WriteRequest, address=register_address("control"), value=1)
        assert (await host.request(FrameType.WRITE, body)).type is FrameType.DONE
        assert await registers(host, "fingerprint", 2) == [0, 0]

    converse(design, talk)
