# SPDX-License-Identifier: Apache-2.0
"""Words of block RAMs."""

from hw.vendor.block_ram import BLOCK_RAMS


def test_words_of_block_rams():
    small, large = BLOCK_RAMS["ice40"], BLOCK_RAMS["ecp5"]
    assert [small.depth(width) for width in small.widths] == [256, 512, 1024, 2048]
    assert [large.depth(width) for width in large.widths] == [512, 1024, 2048, 4096, 8192, 16384]
    assert small.places(4)[2].tolist() == [8, 9, 10, 11]
    assert large.places(36)[1].tolist() == list(range(36, 72))
    # The ninth bit of a byte is out of reach of narrow words.
    assert large.places(4)[:3].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [9, 10, 11, 12]]
    for block in (small, large):
        for width in block.widths:
            places = block.places(width)
            assert places.shape == (block.depth(width), width)
            assert len(set(places.ravel().tolist())) == places.size
            assert places.max() < block.bits
