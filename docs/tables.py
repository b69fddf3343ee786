# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of formats.md from the definitions that gateware and host share.

``python docs/tables.py`` rewrites the file; a test fails when it is out of date.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from amaranth.lib import data

from hw.image_layout import LoadError, image_rows
from hw.link.packets import FrameHeader, RefusalReason, packet_rows
from hw.register_map import register_rows

__all__ = ["main", "rewritten"]

FILE = Path(__file__).resolve().parent / "formats.md"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _header_rows() -> list[tuple[str, str]]:
    rows = []
    for name, field in data.Layout.cast(FrameHeader):
        first, last = field.offset // 8, (field.offset + field.width) // 8 - 1
        rows.append((f"{first}" if first == last else f"{first}..{last}", name))
    return rows


def _codes(kind: type) -> str:
    members = kind.__members__.items()
    return ", ".join(f"{member.value} {name.lower().replace('_', ' ')}" for name, member in members)


def tables() -> dict[str, str]:
    """Text of every generated part, by its name in the markers."""
    return {
        "image": _table(("structure", "bytes", "field"), image_rows()),
        "registers": _table(("address", "name", "access", "meaning"), register_rows()),
        "header": _table(("bytes", "field"), _header_rows()),
        "frames": _table(("type", "name", "body [bytes]", "reply", "meaning"), packet_rows()),
        "reasons": f"Reasons of a refusal: {_codes(RefusalReason)}.\n\n"
        f"Details of an image that was refused: {_codes(LoadError)}.",
    }


def rewritten(text: str) -> str:
    """Return the document with every generated part brought up to date."""
    for name, body in tables().items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, body=body: m[1] + body + "\n" + m[2], text)
        if count != 1:
            raise ValueError(f"{FILE.name} must have one part named {name}, not {count}")
    return text


def main() -> int:
    """Rewrite the file."""
    FILE.write_text(rewritten(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
