# SPDX-License-Identifier: Apache-2.0
"""From a bitstream with placeholders to one with a network, and the map for further ones."""

from pathlib import Path

from hw.design.design import Design
from hw.flow.build import Bitstream
from hw.formats.contents import Contents
from hw.patch.patching import Patched, map_memories, map_path, packer_options, patch_bitstream
from model.whole_file import whole_file

__all__ = ["finish_resident"]


def finish_resident(
    made: Bitstream, *, design: Design, placeholders: Contents, contents: Contents, path: Path
) -> Patched:
    """Find the memories of a finished build, and put a network in their place.

    Parameters
    ----------
    made
        The build, whose gateware powers up with the placeholders.
    design
        Its design.
    placeholders
        Of `hw.patch.memories.placeholder_contents`.
    contents
        The network.
    path
        Where the bitstream goes; the map goes beside it, see `hw.patch.patching.map_path`.

    Raises
    ------
    hw.patch.memory_map.MapError
        If a memory is not found.
    hw.patch.unpacked.BitstreamError
        If the network does not read back.
    """
    mapped = map_memories(
        made.path,
        family=made.board.family,
        options=packer_options(made.packing),
        design=design,
        contents=placeholders,
    )
    patched = patch_bitstream(made.path, mapped, contents, path)
    with whole_file(map_path(path)) as temporary:
        temporary.write_text(mapped.to_json(), encoding="utf-8")
    return patched
