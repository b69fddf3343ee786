# SPDX-License-Identifier: Apache-2.0
import dataclasses
import zlib

import pytest

from firmware.image import device_image
from firmware.resident import contents_of
from hw.design.design import Design, Fold
from hw.formats.contents import check_contents
from hw.formats.write_target import write_targets
from tests.hw.loading.test_loader import DESIGN, IMAGE, NETWORK, SMALLER, loaded
from tests.series import make_parallel, make_recurrent
from tests.stepwise import make_network


def cases():
    """Networks with the gateware that shall hold them, of every kind of memory."""
    yield pytest.param(NETWORK, DESIGN, id="single-spike")
    yield pytest.param(SMALLER, DESIGN, id="smaller")
    folds = [Fold(lanes=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]
    for members, sampled in ((1, False), (3, False), (1, True)):
        this = make_network((7, 5, 3), seed=members, members=members, sampled=sampled)
        more = {"members": 3} if sampled else {}
        design = Design.for_networks([this], folds, **more)
        yield pytest.param(this, design, id=f"{members} members, {sampled=}")
    for make in (make_parallel, make_recurrent):
        this = make(seed=4, order=5, channels=2)
        larger = dataclasses.replace(this, memory=dataclasses.replace(this.memory, input_scale=9))
        yield pytest.param(
            this,
            Design.for_networks([this, larger], [Fold(lanes=2), Fold(lanes=3)]),
            id=make.__name__,
        )


@pytest.mark.parametrize(("network", "design"), list(cases()))
def test_contents_are_what_a_load_writes(network, design):
    image = device_image(network, design)
    held, written = loaded([image], design=design)
    assert held[0][2] == network.fingerprint()
    contents = contents_of(network, design)
    found = {}
    for target in write_targets(design):
        assert len(contents.rows[target.number]) == target.rows
        for row, value in enumerate(contents.rows[target.number]):
            raw = value.to_bytes(target.row_bytes, "little")
            if (target.number, row) in written:
                found[target.number, row] = raw
            else:
                assert value == 0
    assert found == written
    body = contents.head[:-4]
    assert image.startswith(body)
    assert contents.head[-4:] == zlib.crc32(body).to_bytes(4, "little")


def altered(**fields):
    """Contents of a network with something else in them."""
    return dataclasses.replace(contents_of(NETWORK, DESIGN), **fields)


def test_contents_of_another_size_are_refused():
    rows = dict(contents_of(NETWORK, DESIGN).rows)
    with pytest.raises(ValueError, match=r"^Head of contents must have 44 bytes, not 3$"):
        check_contents(altered(head=b"abc"), DESIGN)
    with pytest.raises(ValueError, match=r"^Memories of contents must be \[0, 1, 2\], not \[0\]$"):
        check_contents(altered(rows={0: rows[0]}), DESIGN)
    text = r"^Rows of memory 0 \(table\) must be 256, not 1$"
    with pytest.raises(ValueError, match=text):
        check_contents(altered(rows=rows | {0: (1,)}), DESIGN)
    text = r"^Rows of memory 0 \(table\) must have 16 bits$"
    with pytest.raises(ValueError, match=text):
        check_contents(altered(rows=rows | {0: (1 << 16, *rows[0][1:])}), DESIGN)
    assert IMAGE[4] == 3  # of another version these tests would prove nothing


def test_spram_is_refused():
    folds = [Fold(lanes=16), Fold(lanes=5)]
    design = Design.for_networks([NETWORK], folds, weight_memory="spram")
    with pytest.raises(ValueError, match=r"must have no SPRAM, which is empty at power-up"):
        contents_of(NETWORK, design)
