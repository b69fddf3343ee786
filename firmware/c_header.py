# SPDX-License-Identifier: Apache-2.0
"""The header of the C driver that holds every number of the protocol.

Made from the one place where each is defined: frames (`hw.link.packets`), registers
(`hw.formats.register_map`, `hw.formats.capacity_words`), device images (`hw.formats.image_layout`).
``python -m firmware.c_header`` rewrites ``firmware/c/popspike_packets.h``; a test fails when it is
out of date.
"""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from amaranth.lib import data, enum

from hw.formats import capacity_words, image_layout, register_map
from hw.formats.image_layout import IMAGE_MAGIC
from hw.formats.register_map import REGISTERS
from hw.formats.structures import size_of
from hw.link import packets
from hw.link.packets import CRC_BYTES, FRAME_CRC, HEADER_BYTES
from model.whole_file import whole_file

__all__ = ["HEADER", "header_text", "main"]

#: The file that is made.
HEADER = Path(__file__).resolve().parent / "c" / "popspike_packets.h"

_SOURCES = (packets, register_map, capacity_words, image_layout)
_PREFIX = "POPSPIKE"
_LEAST_BODY = 1024 - HEADER_BYTES - CRC_BYTES

_TOP = """\
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of the protocol between host and gateware: frames, registers, device images.
 *
 * Written by `python -m firmware.c_header` from the definitions in hw/; do not edit.
 *
 * A field of a structure is its first bit and its number of bits, lowest first and little endian:
 * two arguments for popspike_field() and popspike_word_field().
 */

#ifndef POPSPIKE_PACKETS_H
#define POPSPIKE_PACKETS_H
"""


def header_text() -> str:
    """Text of the header."""
    check = FRAME_CRC(data_width=8)
    constants = {
        "CRC_POLYNOMIAL": FRAME_CRC.polynomial,
        "CRC_INITIAL": FRAME_CRC.initial_crc,
        "CRC_XOR": FRAME_CRC.xor_output,
        # Register after a good frame and its CRC.
        "CRC_RESIDUE": check.residue(),
        # Largest body that every gateware takes.
        "LEAST_BODY_LIMIT": _LEAST_BODY,
        "IMAGE_MAGIC": int.from_bytes(IMAGE_MAGIC, "little"),
    }
    for module in _SOURCES:
        found = {name: getattr(module, name) for name in module.__all__}
        constants |= {name: value for name, value in found.items() if isinstance(value, int)}
    parts = [_TOP, "/* See the definitions of the same names. */"]
    parts += [f"#define {_PREFIX}_{name} 0x{value:X}u" for name, value in constants.items()]
    parts += ["", "/* Byte addresses of registers. */"]
    parts += [
        f"#define {_PREFIX}_REG_{register.name.upper()} {register.address}u /* {register.access} */"
        for register in REGISTERS
    ]
    parts.append("")
    for module in _SOURCES:
        parts += [_enumeration(kind) for kind in _members(module, enum.EnumType)]
    for module in _SOURCES:
        parts += [_structure(layout) for layout in _members(module, type(data.Struct))]
    parts.append("#endif\n")
    return "\n".join(parts)


def _members(module: ModuleType, kind: type) -> list[Any]:
    """Public classes of a module that are of a kind, in the order of the file."""
    return [
        each
        for name, each in vars(module).items()
        if isinstance(each, kind) and each.__module__ == module.__name__ and name in module.__all__
    ]


def _name(*parts: str) -> str:
    """Constant of the header for names in camel or snake case."""
    words = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part) for part in parts]
    return "_".join([_PREFIX, *words]).upper()


def _enumeration(kind: Any) -> str:
    lines = [
        f"    {_name(kind.__name__, name)} = 0x{each.value:02X}"
        for name, each in kind.__members__.items()
    ]
    return f"enum {_name(kind.__name__).lower()} {{\n" + ",\n".join(lines) + "\n};\n"


def _structure(layout: Any) -> str:
    name = _name(layout.__name__)
    lines = []
    if data.Layout.cast(layout).size % 8 == 0:
        lines.append(f"#define {name}_BYTES {size_of(layout)}u")
    for field, place in data.Layout.cast(layout):
        if not field.endswith("zero"):
            lines.append(f"#define {_name(layout.__name__, field)} {place.offset}u, {place.width}u")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Rewrite the header."""
    with whole_file(HEADER) as temporary:
        temporary.write_text(header_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
